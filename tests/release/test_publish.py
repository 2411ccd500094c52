"""A release moves all changed gold tables and its record at once, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal

import pyarrow as pa
import pytest

from penstock.errors import CommitConflict, GateFailed, PenstockError
from penstock.lake.lake import Lake
from penstock.release.gate import last_gate
from penstock.release.move import Move, decide
from penstock.release.record import latest_release, releases
from penstock.release.shape import Personal
from tests.release.release_shapes import FAILED, House, Model, ModelColumn, Rows, model


def test_the_first_release_has_every_table_and_number_one(house: House) -> None:
    release = house.release(model("a", [1, 2]), model("b", []))
    assert (release.number, release.changed) == (1, ("gold.a", "gold.b"))
    assert house.rows("gold.a") == [{"n": 1}, {"n": 2}]
    assert house.rows("gold.b") == []
    assert latest_release(house.root) == release


def test_a_release_remembers_what_it_was_made_from(house: House) -> None:
    snapshot = house.silver("loans", [1])
    release = house.release(model("a", [1]), loans=snapshot, books=None)
    assert release.silver == {"silver.loans": snapshot, "silver.books": None}
    assert (release.project, release.models) == ("p", "m")
    assert release.gold["gold.a"].snapshot == house.snapshots()["gold.a"]


def test_a_replaced_table_of_equal_content_is_left_alone(house: House) -> None:
    house.release(model("a", [1, 2]), model("b", [1]))
    before = house.snapshots()
    release = house.release(model("a", [2, 1]), model("b", [2]))
    assert release.changed == ("gold.b",)
    assert house.snapshots()["gold.a"] == before["gold.a"]
    assert house.snapshots()["gold.b"] != before["gold.b"]


def test_a_release_without_any_change_moves_no_table_and_has_its_own_number(house: House) -> None:
    first = house.release(model("a", [1]))
    second = house.release(model("a", [1]))
    assert (second.number, second.changed) == (2, ())
    assert second.gold == first.gold


def test_an_append_table_gets_only_its_new_rows(house: House) -> None:
    house.release(model("a", [1, 2], kind="append"))
    house.release(model("a", [1, 2, 3], kind="append", status="appended", new=1), built_on=1)
    with Lake.open(house.root, house.world) as lake:
        files = lake.scan("gold.a").files
    assert sorted(file.rows for file in files) == [1, 2]
    assert house.rows("gold.a") == [{"n": 1}, {"n": 2}, {"n": 3}]


def test_new_rows_are_not_trusted_when_the_build_started_from_another_release(house: House) -> None:
    house.release(model("a", [1, 2], kind="append"))
    house.release(model("a", [1, 2, 3], kind="append", status="appended", new=1), built_on=1)
    house.release(model("a", [1, 2, 4], kind="append", status="appended", new=1), built_on=1)
    assert house.rows("gold.a") == [{"n": 1}, {"n": 2}, {"n": 4}]


def test_a_table_that_was_moved_by_another_hand_is_written_anew(house: House) -> None:
    house.release(model("a", [1, 2], kind="append"))
    with Lake.open(house.root, house.world) as lake, lake.lease("x", holder="x") as lease:
        head = lake.head("gold.a")
        assert head is not None
        with lake.stage(lease=lease, token="x") as commit:
            change = commit.table(head)
            change.remove(lake.scan_head(head).files)
            commit.apply()
    house.release(model("a", [1, 2], kind="append", status="kept", new=0), built_on=1)
    assert house.rows("gold.a") == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize("status", ["kept", "appended"])
def test_an_append_table_without_new_rows_is_left_alone(house: House, status: str) -> None:
    house.release(model("a", [1], kind="append"))
    release = house.release(model("a", [1], kind="append", status=status, new=0), built_on=1)
    assert release.changed == ()


def test_a_table_that_leaves_the_project_leaves_the_release_and_stays_in_older_ones(house: House) -> None:
    house.release(model("a", [1]), model("b", [2]))
    house.release(model("a", [1]))
    release = latest_release(house.root)
    assert release is not None
    assert list(release.gold) == ["gold.a"]
    assert house.rows("gold.b", release=1) == [{"n": 2}]


def test_a_table_that_comes_back_has_only_its_new_rows(house: House) -> None:
    house.release(model("a", [1]))
    house.release()
    house.release(model("a", [7]))
    assert house.rows("gold.a") == [{"n": 7}]
    assert house.rows("gold.a", release=1) == [{"n": 1}]


def test_a_failed_gate_leaves_gold_as_it_is_and_is_remembered(house: House) -> None:
    house.release(model("a", [1]))
    before = house.snapshots()
    with pytest.raises(GateFailed, match="no_negative: 1 row breaks the rule"):
        house.release(model("a", [2]), verdict=FAILED)
    assert (house.snapshots(), house.rows("gold.a")) == (before, [{"n": 1}])
    gate = last_gate(house.root)
    assert gate is not None
    assert (gate.number, gate.passed) == (2, False)
    assert gate.blocking[0]["rule"] == "no_negative"


def test_what_was_staged_while_the_gate_judged_goes_when_it_refuses(house: House) -> None:
    house.release(model("a", [1]), model("b", [1]))
    files, heads = house.files(), house.snapshots()
    staged = list[str]()

    def look() -> None:
        staged.extend(house.files() - files)

    wider = model("b", [(1, "x")], "n", ModelColumn("more", "string"))
    with pytest.raises(GateFailed):
        house.release(model("a", [2]), wider, model("c", [3]), verdict=FAILED, meanwhile=look)

    assert any("/gold/a/" in file for file in staged)
    assert not any("/gold/b/" in file or "/gold/c/" in file for file in staged)
    assert {file for file in house.files() - files if "/gold/" in file} == set()
    assert house.snapshots() == heads
    assert house.release(model("a", [2]), wider, model("c", [3])).changed == ("gold.a", "gold.b", "gold.c")


def test_a_refusal_stands_until_the_next_release(house: House) -> None:
    for _ in range(2):
        with pytest.raises(GateFailed):
            house.release(model("a", [2]), verdict=FAILED)
    refused = last_gate(house.root)
    house.release(model("a", [2]))
    released = last_gate(house.root)
    assert refused is not None
    assert released is not None
    assert (refused.passed, released.passed, released.number) == (False, True, 1)


def test_without_a_verdict_there_is_no_gate(house: House) -> None:
    assert last_gate(house.root) is None
    assert releases(house.root) == ()


COLUMN = ModelColumn
CHANGES = {
    "added": (COLUMN("b", "string"), (2, "x"), {"a": 2, "b": "x"}),
    "renamed": (COLUMN("aa", id="a"), (2,), {"aa": 2}),
    "removed and another added": (COLUMN("z"), (2,), {"z": 2}),
    "widened": (COLUMN("a", "long"), (2**40,), {"a": 2**40}),
    "made narrower": (COLUMN("a", "int"), (2,), {"a": 2}),
    "made a text": (COLUMN("a", "string"), ("two",), {"a": "two"}),
    "made a decimal": (COLUMN("a", "decimal(10,2)"), (Decimal("2.50"),), {"a": Decimal("2.50")}),
    "made personal": (COLUMN("a", classification="personal"), (2,), {"a": 2}),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", ["append", "replace"])
def test_columns_may_change_and_every_release_keeps_its_own(house: House, change: str, kind: str) -> None:
    column, row, expected = CHANGES[change]
    first = COLUMN("a", "int" if change == "widened" else "long")
    columns = (first, column) if change == "added" else (column,)
    house.release(model("t", [1], first, kind=kind))
    house.release(model("t", [row], *columns, kind=kind))
    house.release(model("t", [3], first, kind=kind))
    assert house.rows("gold.t", release=1) == [{"a": 1}]
    assert house.rows("gold.t", release=2) == [expected]
    assert house.rows("gold.t") == [{"a": 3}]


HELD = (ModelColumn("n"), ModelColumn("note", "string"))
PERSONAL = (HELD[0], replace(HELD[1], classification="personal"))
LATER = {
    "kept": ([(1, "a")], {"status": "kept", "new": 0}),
    "appended": ([(1, "a"), (2, "b")], {"status": "appended", "new": 1}),
    "moved": ([(1, "a"), (2, "b")], {"status": "moved", "new": 1}),
}


@pytest.mark.parametrize("how", LATER)
@pytest.mark.parametrize("kind", ["append", "replace"])
def test_a_column_that_becomes_personal_or_is_so_no_more_keeps_its_values(house: House, how: str, kind: str) -> None:
    rows, fields = LATER[how]
    house.release(model("t", [(1, "a")], *HELD, kind=kind))
    house.release(model("t", rows, *PERSONAL, kind=kind, **fields), built_on=1)
    assert house.rows("gold.t") == [{"n": n, "note": note} for n, note in rows]
    assert "note:string:personal" in personal_columns_of(house, "gold.t")
    house.release(model("t", rows, *HELD, kind=kind, status="kept", new=0), built_on=2)
    assert house.rows("gold.t") == [{"n": n, "note": note} for n, note in rows]


def personal_columns_of(house: House, table: str) -> list[str]:
    with Lake.open(house.root, house.world) as lake:
        spec = lake.spec(table)
    assert spec is not None
    return [column.id for column in spec.columns if column.personal]


def test_two_columns_may_exchange_their_names(house: House) -> None:
    house.release(model("t", [(1, 2)], COLUMN("a", id="x"), COLUMN("b", id="y")))
    house.release(model("t", [(3, 4)], COLUMN("b", id="x"), COLUMN("a", id="y")))
    assert house.rows("gold.t", release=1) == [{"a": 1, "b": 2}]
    assert house.rows("gold.t") == [{"b": 3, "a": 4}]


def test_a_schema_that_was_prepared_for_a_release_that_never_came_is_not_seen(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.release(model("t", [1], COLUMN("a", id="x")))
    monkeypatch.setattr("penstock.lake.commit.Commit.apply", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        house.release(model("t", [1], COLUMN("renamed", id="x")))
    monkeypatch.undo()
    assert house.rows("gold.t") == [{"a": 1}]
    assert house.release(model("t", [1], COLUMN("renamed", id="x"))).number == 2
    assert house.rows("gold.t") == [{"renamed": 1}]


def test_of_two_publishers_one_wins_whole_and_the_other_is_told(house: House) -> None:
    house.release(model("a", [1]), model("b", [1]))

    class Overtaken(Rows):
        @contextmanager
        def read(self, chosen: Model, *, only_new: bool = False) -> Iterator[pa.RecordBatchReader]:
            if chosen.name == "b":
                house.release(model("a", [2]), model("b", [2]), lease="faster")
            with super().read(chosen, only_new=only_new) as batches:
                yield batches

    with pytest.raises(CommitConflict):
        house.release(model("a", [3]), model("b", [3]), rows=Overtaken())
    assert (house.rows("gold.a"), house.rows("gold.b")) == ([{"n": 2}], [{"n": 2}])
    latest = latest_release(house.root)
    assert latest is not None
    assert latest.number == 2


def test_rows_that_go_missing_on_the_way_stop_the_release(house: House) -> None:
    class Forgetful(Rows):
        @contextmanager
        def read(self, chosen: Model, *, only_new: bool = False) -> Iterator[pa.RecordBatchReader]:
            yield chosen.arrow(chosen.data[1:]).to_reader()

    with pytest.raises(PenstockError, match="expected 2 rows, found 1"):
        house.release(model("a", [1, 2]), rows=Forgetful())
    assert releases(house.root) == ()


def test_what_becomes_of_a_table_without_a_head_is_decided_without_looking() -> None:
    assert decide(model("a", [1], status="kept", new=0), None, None, Personal(()), trusted=True) is Move.REPLACE
