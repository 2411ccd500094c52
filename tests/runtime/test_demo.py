"""The demonstration runs on a stranger's machine, without any data."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from decimal import Decimal
from itertools import takewhile
from pathlib import Path
from unittest.mock import patch

import pytest

from penstock.lake.records import read_heads
from penstock.runtime import demo
from penstock.runtime.demo import demonstration
from penstock.runtime.metric_comparison import compare
from penstock.runtime.template import make_project
from tests.commerce.hand_shop import begin
from tests.flows.command import Done, call
from tests.free_port import free_port
from tests.unmeasured import unmeasured
from tests.waiting import PATIENCE

RETAIL = {"PENSTOCK_ONLINE_RETAIL": "/nowhere"}
METRICS = 22
SIZE = {"PENSTOCK_DEMO_ORDERS": "400"}


@pytest.fixture(scope="module")
def retail(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """The template of the real shop, as a document."""
    folder = tmp_path_factory.mktemp("retail") / "here"
    options = ("--once", "--json", "--data-dir", folder, "--template", "online_retail")
    return folder, call("demo", *options, environment=RETAIL)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, compiled: Path) -> tuple[Path, Done]:
    """The simulated shop, made small, as text; its models are compiled already."""
    folder = tmp_path_factory.mktemp("shop") / "here"

    def make_compiled(project: Path, template: str) -> None:
        make_project(project, template)
        begin(folder / "data", compiled)

    with unmeasured(), patch.object(demo, "make_project", make_compiled):
        return folder, call("demo", "--once", "--data-dir", folder, environment=SIZE)


def test_two_deliveries_become_two_releases(retail: tuple[Path, Done]) -> None:
    document = retail[1].expect(0).document
    [first] = document["first"]["datasets"]
    [second] = document["second"]["datasets"]
    assert (document["first"]["release"], document["second"]["release"]) == (1, 2)
    assert (first["files"], first["quarantined"]) == (60, 0)
    assert second["files"] == 6
    assert second["quarantined"] == 5
    assert [notice["kind"] for notice in document["second"]["notices"]] == ["identical"]


def test_three_questions_are_answered(retail: tuple[Path, Done]) -> None:
    answers = retail[1].document["answers"]
    assert len(answers) == 3
    assert all(len(one["answer"].splitlines()) > 3 for one in answers)
    assert "broken_rules" in answers[2]["answer"]


def test_the_demonstration_may_be_repeated_but_takes_no_foreign_folder(
    retail: tuple[Path, Done], tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert "not a demonstration" in call("demo", "--once", "--data-dir", tmp_path).expect(2).err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert "catalog.db" in {path.name for path in (retail[0] / "data").iterdir()}
    assert "gold.fact_sales" in read_heads(retail[0] / "data")


def test_the_text_holds_every_metric_against_the_truth_and_ends_with_what_to_try_next(shop: tuple[Path, Done]) -> None:
    text = shop[1].expect(0).out
    for line in (
        "First run",
        "Second run",
        "Release 2 is out.",
        "Now it is yours:",
        "penstock metrics query net_sales",
    ):
        assert line in text
    compared = text.split("Metrics, and what the simulated shop itself counted")[1].split("\n\n")[0].splitlines()[2:]
    assert len(compared) == METRICS
    assert [line for line in compared if line.split()[-1] != "yes"] == []


def test_a_value_that_is_not_the_truth_is_shown(shop: tuple[Path, Done]) -> None:
    [row] = call("query", "SELECT count(*) AS n FROM gold.fact_orders", "--json", *_place(shop[0])).expect(0).document
    assert row["n"] > 0
    truth = {("berlin", "1999-12-31"): Decimal(7)}

    [found] = compare(demonstration(shop[0]), [("orders", "store", "day", True, truth)])

    assert (found.equal, found.ours, found.truth, found.day) == (False, "-", "7", "1999-12-31")
    assert found.differing == found.values


LIVE = """
import sys
from pathlib import Path
from penstock.runtime.demo import demonstration
from penstock.runtime.demo_live import go_live
say = lambda line: print(line, flush=True)
sys.exit(go_live(demonstration(Path(sys.argv[1])), port=int(sys.argv[2]), say=say, show=say))
"""


def test_live_numbers_move_until_one_ctrl_c_ends_everything_well(shop: tuple[Path, Done]) -> None:
    command = [sys.executable, "-c", LIVE, str(shop[0]), str(free_port())]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **SIZE}
    ) as process:
        assert process.stdout is not None
        impatience = threading.Timer(PATIENCE, process.kill)
        impatience.start()
        moved = list(takewhile(lambda line: not line.startswith("payments_live: "), process.stdout))
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        impatience.cancel()

    assert process.returncode == 0, rest
    assert len({line for line in moved if line.startswith("  real_time_metrics: ")}) > 0
    ended = {line.split()[0] for line in rest.splitlines() if line.endswith(" ended")}
    assert {"stream", "land", "outside"} <= ended
    topics = call("topics", "list", "--json", *_place(shop[0])).expect(0).document
    assert {one["name"]: one["rows"] for one in topics}["transactions_enriched"] > 0


def test_a_port_that_is_taken_is_told_before_anything_is_done(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = call("demo", "--data-dir", tmp_path / "here", "--port", port).expect(2)
    assert "The port is taken" in refused.err
    assert not (tmp_path / "here").exists()


def _place(folder: Path) -> tuple[str, ...]:
    return ("-p", str(folder / "project"), "--data-dir", str(folder / "data"))
