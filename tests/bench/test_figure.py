import json
from pathlib import Path

import pytest

from bench.figure import Figure, Outcome, keep, show
from bench.machine import percentile


@pytest.mark.parametrize(
    ("value", "bar", "higher_is_better", "ok"),
    [
        (45.0, 45, False, True),
        (45.1, 45, False, False),
        (10.0, 9, True, True),
        (8.9, 9, True, False),
        (1e9, None, False, True),
    ],
)
def test_a_bar_is_a_limit_or_a_goal(value: float, bar: float | None, higher_is_better: bool, ok: bool) -> None:
    assert Figure("x", value, "s", bar, higher_is_better=higher_is_better).ok is ok


def test_the_ratio_is_ours_over_the_peers() -> None:
    assert Figure("x", 3, "s", None, "other", 6).ratio == 0.5
    assert Figure("x", 3, "s").ratio is None


def test_every_figure_is_shown_as_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    show([Figure("empty", 12.3456, "s", 45, "other", 15), Figure("alone", 1, "ms")])
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert first == {
        "figure": "empty",
        "value": 12.35,
        "unit": "s",
        "bar": 45,
        "ok": True,
        "peer": "other",
        "peer_value": 15,
        "ratio": 0.823,
    }


def test_a_result_is_kept_with_machine_and_versions(tmp_path: Path) -> None:
    keep(tmp_path / "results" / "x.json", "x", Outcome([Figure("empty", 1, "s")], {"ours, s": [1.23456]}), {"cores": 2})
    kept = json.loads((tmp_path / "results" / "x.json").read_text())
    assert kept["machine"] == {"cores": 2}
    assert kept["versions"]["duckdb"]
    assert kept["runs"] == {"ours, s": [1.235]}


def test_a_percentile_is_the_smallest_value_that_covers_the_share() -> None:
    hundred = [float(value) for value in range(100, 0, -1)]
    assert (percentile(hundred, 50), percentile(hundred, 99), percentile(hundred, 100)) == (50, 99, 100)
    assert percentile([7.0], 99) == 7
