"""A topology at work: every row once, whenever the process ends; what is refused is kept; what changed is not guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.spec.loading import load_project
from penstock.stream.journal import Round
from penstock.stream.runner import Limits
from penstock.stream.state import StateMismatch
from tests.stream.lending import lending
from tests.stream.memory_log import Crash, MemoryLog
from tests.stream.running_topology import Desk, loan

DOUBLE = """\
  - name: double
    input: loans_typed
    steps:
      - derive: {twice: fee * 2}
      - filter: twice > 2
    outputs:
      - {topic: dear, key: [member], columns: [loan, member, twice]}
"""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(lending(tmp_path, DOUBLE), "double", limits=Limits(rows=2, rounds_per_snapshot=3))


def test_rows_go_through_the_graph_in_the_order_of_the_log(desk: Desk) -> None:
    desk.lend([loan(1, fee="1.00"), loan(2, fee="2.00"), loan(3, fee=None), loan(4, fee="3.50")])

    desk.finish()

    assert [(row["loan"], str(row["twice"])) for row in desk.rows("dear")] == [("L2", "4.00"), ("L4", "7.00")]


class Hiding(MemoryLog):
    """A row of the second partition is written and cannot be read yet."""

    def ends(self, topic: str) -> dict[int, int]:
        return {part: next + part for part, next in super().ends(topic).items()}


@pytest.mark.parametrize("log", [MemoryLog, Hiding])
def test_a_partition_with_rows_that_cannot_be_read_yet_is_not_idle(desk: Desk, log: type[MemoryLog]) -> None:
    desk = Desk(desk.project, "double", log())
    watermarks = []
    with desk.running() as runner:
        for seconds in (0, 1000):
            desk.clock.sleep(seconds)
            for partition in (0, 1) if seconds == 0 else (0,):
                desk.lend([loan(partition, at=seconds)], partition=partition)
            runner.turn()
            assert runner.last is not None
            watermarks.append(runner.last.progress.watermark)

    assert watermarks[1] - watermarks[0] == (0 if log is Hiding else 1_000_000_000)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_a_process_that_ends_in_a_commit_loses_and_doubles_nothing(desk: Desk, when: str, at: int) -> None:
    desk.lend([loan(number, fee="5.00") for number in range(9)])
    commits = iter(range(1, 100))
    desk.log.job("double", ["loans_typed"], []).crash = lambda moment: moment == when and next(commits) == at
    with pytest.raises(Crash):
        desk.finish()

    desk.finish()

    assert [row["loan"] for row in desk.rows("dear")] == [f"L{number}" for number in range(9)]


def test_a_row_that_breaks_its_contract_is_kept_with_reasons_and_bytes(desk: Desk) -> None:
    desk.lend([loan(1, fee="-1.00"), loan(2, fee="2.00")])

    desk.finish()

    (refused,) = desk.rows("double.rejected")
    assert (refused["topic"], refused["partition"], refused["offset"], refused["codes"]) == (
        "loans_typed",
        0,
        0,
        ["minimum"],
    )
    assert b'"loan":"L1"' in refused["raw"]


def test_a_row_that_sql_cannot_compute_is_no_end_of_the_stream(desk: Desk) -> None:
    desk.lend([loan(1, fee="99999999.99"), loan(2, fee="2.00")])

    desk.finish()

    assert [row["loan"] for row in desk.rows("dear")] == ["L1", "L2"]


def test_the_journal_says_what_was_taken_when_and_in_which_order(desk: Desk) -> None:
    desk.lend([loan(1), loan(2), loan(3)])
    desk.lend([loan(4)], partition=1)

    desk.finish()

    entries = [Round.of_bytes(entry) for entry in desk.log.jobs["double"].journal()]
    taken = [(one.partition, one.first, one.next) for entry in entries for one in entry.ranges]
    assert taken == [(0, 0, 2), (0, 2, 3), (1, 0, 1)]
    assert [entry.number for entry in entries] == list(range(len(entries)))


def test_a_changed_topology_is_refused_and_named(desk: Desk, tmp_path: Path) -> None:
    desk.lend([loan(1, fee="2.00")])
    desk.finish()
    changed = Desk(lending(tmp_path, DOUBLE.replace("twice > 2", "twice > 3")), "double", desk.log)

    with pytest.raises(StateMismatch, match="`filter` changed"), changed.running():
        pass


def test_a_contract_that_changed_is_told_as_the_cause(desk: Desk, tmp_path: Path) -> None:
    desk.lend([loan(1, fee="2.00")])
    desk.finish()
    lending(tmp_path, DOUBLE)
    contract = tmp_path / "contracts" / "loans.yml"
    contract.write_text(contract.read_text().replace("minimum: 0", "minimum: 1"))
    changed = load_project(tmp_path)

    with pytest.raises(StateMismatch, match=r"topic `loans_typed` or its contract changed, `.*` changed"):
        Desk(changed, "double", desk.log).finish()


def test_a_changed_topology_goes_on_when_it_is_told_to(desk: Desk, tmp_path: Path) -> None:
    desk.lend([loan(1, fee="2.00")])
    desk.finish()
    changed = Desk(lending(tmp_path, DOUBLE.replace("twice > 2", "twice > 9")), "double", desk.log)
    changed.lend([loan(2, fee="2.00"), loan(3, fee="5.00")])

    with changed.running(adopt=True) as runner:
        runner.turn()

    assert [row["loan"] for row in changed.rows("dear")] == ["L1", "L3"]


RUNNING = """\
  - name: statistics
    input: loans_typed
    steps:
      - {running: {key: [member], value: fee, count: earlier, score: oddness, minimum: 3}}
    outputs: [{topic: counted, columns: [loan, earlier]}]
"""


def test_what_a_step_remembered_before_it_was_adopted_does_not_come_back(tmp_path: Path) -> None:
    desk = Desk(lending(tmp_path, RUNNING), "statistics")
    desk.lend([loan(1), loan(2)])
    desk.finish()
    desk.project = lending(tmp_path, RUNNING.replace("minimum: 3", "minimum: 2"))
    with desk.running(adopt=True):
        pass  # killed before it committed: nothing was adopted
    with pytest.raises(StateMismatch):
        desk.finish()

    with desk.running(adopt=True) as runner:
        runner.turn()  # without any row
    for number in (3, 4):
        desk.lend([loan(number)])
        desk.finish()

    assert [(row["loan"], row["earlier"]) for row in desk.rows("counted")] == [
        ("L1", 0),
        ("L2", 1),
        ("L3", 0),
        ("L4", 1),
    ]
