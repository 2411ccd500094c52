"""The benchmark of the stream counts a time only when what came out is right."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench import stream
from bench.figure import Figure
from bench.latency import Latencies
from bench.payments import Expected, ResultsDiffer, Traffic
from bench.poison import records
from bench.stream import PARTS, Measured, Size, chosen


def windows_of(rows: pa.Table) -> pa.Table:
    """By member and minute; all of the rows lie in one minute."""
    found = rows.group_by("member").aggregate([("amount", "sum"), ("amount", "count")])
    start = pa.repeat(rows["paid_at"][0], found.num_rows)
    return pa.table(
        {
            "member": found["member"],
            "window_start": start,
            "payments": found["amount_count"],
            "paid": found["amount_sum"],
        }
    )


def test_one_payment_counted_twice_is_seen(tmp_path: Path) -> None:
    rows = Traffic(100).batch(1000)
    pq.write_table(rows, tmp_path / "rows.parquet")
    expected = Expected.of(tmp_path / "rows.parquet")
    assert expected.check_windows("member_minutes", windows_of(rows)) > 0
    with pytest.raises(ResultsDiffer):
        expected.check_windows("member_minutes", windows_of(pa.concat_tables([rows, rows[:1]])))


def test_parts_are_named_and_a_trial_may_be_smaller() -> None:
    assert chosen({}) == list(PARTS)
    assert chosen({"PARTS": "landing,road"}) == ["road", "landing"]
    assert Size.of({"ROWS": "1000"}).rows == 1000
    with pytest.raises(ValueError, match="roads"):
        chosen({"PARTS": "roads"})


def test_a_lag_that_grows_is_told() -> None:
    steady = [10.0, 12.0] * 40
    assert Latencies(10_000, steady, steady).growth == 0
    assert Latencies(10_000, [one + number for number, one in enumerate(steady)], steady).growth == 60


def test_what_comes_after_the_append_is_told_apart() -> None:
    assert Latencies(10_000, visible=[10.0, 200.0], durable=[4.0, 190.0]).after_durable == [6.0, 10.0]


def test_poison_is_spread_among_the_good_rows_and_takes_none_of_them() -> None:
    rows, bad = Traffic(100).batch(1000), [b"{", b"["]
    values = records(rows, bad, tenant="default").column("value").to_pylist()
    assert [number for number, one in enumerate(values) if one in bad] == [1, 502]
    assert [json.loads(one)["payment"] for one in values if one not in bad] == list(range(1000))


def test_a_part_that_fails_leaves_the_others_theirs_and_misses_a_bar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Path, __: Size, ___: Measured) -> None:
        raise ResultsDiffer("3 rows")

    def works(_: Path, __: Size, found: Measured) -> None:
        found.figures.append(Figure("rate", 1, "rows/s"))

    monkeypatch.setattr(stream, "PARTS", {"one": fails, "other": works})
    outcome = stream.run(tmp_path)
    assert outcome is not None
    assert [(figure.figure, figure.ok) for figure in outcome.figures] == [("one failed", False), ("rate", True)]
    assert any("3 rows" in note for note in outcome.notes)
