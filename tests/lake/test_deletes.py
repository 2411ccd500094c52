"""Rows are taken out of files that stay: every reader leaves them out, and earlier snapshots keep them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table

from penstock.lake.doctor import adopt
from penstock.lake.lake import Lake
from penstock.lake.lease import Lease
from penstock.lake.records import read_heads, read_table_summary
from penstock.lake.relocate import relocate
from penstock.lake.table import Head, TableColumn
from penstock.lake.upkeep import Retention, expire, files_of
from penstock.sql.connection import connect
from penstock.sql.scan import read_scan
from tests.lake.lake_shapes import LOANS, RETURNS, append, files_below, loans, read, returns, still_world, writing
from tests.lake.plain_reader import read_tables


def places_in(lake: Lake, *numbers: int, table: str = RETURNS.name) -> pa.Table:
    """Where these loans stand among the returns, or in another table."""
    scan = lake.scan(table)
    with connect() as connection:
        stored = read_scan(scan.files, scan.columns, origin="file_path", place="pos")
        wanted = ", ".join(map(str, numbers))
        return connection.sql(f"SELECT file_path, pos FROM ({stored}) WHERE loan IN ({wanted})").to_arrow_table()


def take_out(lake: Lake, lease: Lease, numbers: Sequence[int], *, added: Sequence[int] = (), whole: int = 0) -> Head:
    """Take loans out, write others, and remove so many of the oldest files, in one commit."""
    head = lake.head(RETURNS.name)
    assert head is not None
    with lake.stage(lease=lease, token=f"{head.snapshot_id}") as commit:
        change = commit.table(head)
        change.remove(lake.scan(RETURNS.name).files[:whole])
        if numbers:
            change.take_out(places_in(lake, *numbers))
        change.append(returns(*added))
        there = change.live_rows()
        moved = commit.apply()[RETURNS.name]
    assert lake.scan(RETURNS.name).rows == there
    return moved


def stock_rows(root: Path, snapshot: int | None = None, *, name: str = RETURNS.name) -> list[int]:
    with stock(root, name) as table:
        return sorted(table.scan(snapshot_id=snapshot).to_arrow()["loan"].to_pylist())


@contextmanager
def stock(root: Path, name: str = RETURNS.name) -> Iterator[Table]:
    """A table, by default the returns, as stock PyIceberg opens it."""
    catalog = SqlCatalog("penstock", uri=f"sqlite:///{root / 'catalog.db'}")
    yield catalog.load_table(name)
    catalog.engine.dispose()


def test_every_reader_leaves_out_what_was_taken_out_and_the_snapshot_before_has_it(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = append(lake, lease, lake.ensure(RETURNS, lease=lease), returns(1, 2, 3), "1")
        before = append(lake, lease, head, returns(4, 5, 6), "2")
        head = take_out(lake, lease, [2, 4, 6], added=[7])
        assert sorted(row[0] for row in read(lake.scan(RETURNS.name))) == [1, 3, 5, 7]
        assert len(read(lake.scan(RETURNS.name, snapshot_id=before.snapshot_id))) == 6
        assert (lake.scan(RETURNS.name).rows, read_table_summary(head.metadata_location).rows) == (4, 4)
    assert sorted(row["loan"] for row in read_tables(tmp_path)[RETURNS.name].rows) == [1, 3, 5, 7]
    assert stock_rows(tmp_path) == [1, 3, 5, 7]
    assert stock_rows(tmp_path, before.snapshot_id) == [1, 2, 3, 4, 5, 6]


@given(
    steps=st.lists(st.tuples(st.sets(st.integers(0, 30)), st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=6)
)
@settings(max_examples=15, deadline=None)
def test_whatever_is_taken_out_added_and_removed_the_rows_are_those_that_stay(
    steps: list[tuple[set[int], int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    number = 4
    with writing(tmp_path_factory.mktemp("lake")) as (lake, lease):
        append(lake, lease, lake.ensure(RETURNS, lease=lease), returns(0, 1, 2, 3), "1")
        for out, count, whole in steps:
            scan = lake.scan(RETURNS.name)
            listed = [read(replace(scan, files=(file,))) for file in scan.files]
            gone = {row[0] for rows in listed[:whole] for row in rows}
            there = {row[0] for rows in listed for row in rows}
            out &= there - gone
            added = list(range(number, number + count))
            number += count
            take_out(lake, lease, sorted(out), added=added, whole=whole)
            scan = lake.scan(RETURNS.name)
            expected = sorted([*(there - gone - out), *added])
            assert sorted(row[0] for row in read(scan)) == expected
            assert (scan.rows, len(scan.deletes) <= 1) == (len(expected), True)
            for since in lake.metadata(lake.heads()[RETURNS.name]).snapshots:
                changes = lake.changes(RETURNS.name, since.snapshot_id)
                rows = Counter(read(lake.scan(RETURNS.name, snapshot_id=since.snapshot_id)))
                rows.subtract(Counter(read(changes.gone)))
                assert min(rows.values(), default=0) >= 0
                assert sorted((rows + Counter(read(changes.added))).elements()) == sorted(read(scan))


def test_deletes_name_a_file_of_another_engine_as_its_manifest_does(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new place"
    with writing(old) as (lake, lease):
        append(lake, lease, lake.ensure(RETURNS, lease=lease), returns(1, 2, 3), "1")
        with stock(old) as table:
            with_scheme = {"write.data.path": f"file://{table.location()}/data"}
            table.transaction().set_properties(with_scheme).commit_transaction()
            table.append(returns(4, 5, 6, 7))
        adopt(lake, RETURNS.name, lease=lease)
        take_out(lake, lease, [2, 5])
        take_out(lake, lease, [6])
        assert sorted(row[0] for row in read(lake.scan(RETURNS.name))) == stock_rows(old) == [1, 3, 4, 7]
    old.rename(new)
    relocate(new, still_world(), holder="a test")
    assert stock_rows(new) == [1, 3, 4, 7]


def test_a_file_that_another_engine_named_with_a_scheme_can_be_removed(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        lake.ensure(RETURNS, lease=lease)
        with stock(tmp_path) as table:
            with_scheme = {"write.data.path": f"file://{table.location()}/data"}
            table.transaction().set_properties(with_scheme).commit_transaction()
            table.append(returns(1, 2))
        take_out(lake, lease, [], added=[3], whole=1)
        assert sorted(row[0] for row in read(lake.scan(RETURNS.name))) == stock_rows(tmp_path) == [3]


def test_a_file_with_deletes_names_no_row_of_a_file_that_went(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = append(lake, lease, lake.ensure(RETURNS, lease=lease), returns(1, 2), "1")
        append(lake, lease, head, returns(3, 4), "2")
        take_out(lake, lease, [1, 3])
        first = next(file for file in lake.scan(RETURNS.name).files if read_loans(file.path) == [1, 2])
        newest = lake.head(RETURNS.name)
        assert newest is not None
        with lake.stage(lease=lease, token="x") as commit:
            commit.table(newest).remove([first])
            commit.apply()
        (deletes,) = lake.scan(RETURNS.name).deletes
        assert (deletes.rows, lake.scan(RETURNS.name).rows, len(read(lake.scan(RETURNS.name)))) == (1, 1, 1)
        with lake.stage(lease=lease, token="y") as commit:
            commit.table(lake.heads()[RETURNS.name]).remove(lake.scan(RETURNS.name).files)
            commit.apply()
        assert (lake.scan(RETURNS.name).files, lake.scan(RETURNS.name).deletes) == ((), ())


def read_loans(path: str) -> list[int]:
    return pq.read_table(path)["loan"].to_pylist()


def test_of_a_file_that_stays_those_rows_went_that_were_taken_out_since(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        append(lake, lease, lake.ensure(RETURNS, lease=lease), returns(1, 2, 3, 4), "1")
        before = take_out(lake, lease, [1])
        take_out(lake, lease, [2], added=[5])
        take_out(lake, lease, [3], added=[6])
        changes = lake.changes(RETURNS.name, before.snapshot_id)
        assert changes.removed
        assert sorted(row[0] for row in read(changes.gone)) == [2, 3]
        assert sorted(row[0] for row in read(changes.added)) == [5, 6]


def test_what_went_is_told_of_files_that_stay_and_of_those_that_went(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = append(lake, lease, lake.ensure(RETURNS, lease=lease), returns(1, 2), "1")
        before = append(lake, lease, head, returns(3, 4), "2")
        newest, _ = (read_loans(file.path) for file in lake.scan(RETURNS.name).files)
        assert newest == [3, 4]
        take_out(lake, lease, [1], whole=1)
        assert sorted(row[0] for row in read(lake.changes(RETURNS.name, before.snapshot_id).gone)) == [1, 3, 4]


def test_of_a_file_whose_neighbours_alone_lost_rows_nothing_went_when_these_go(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = lake.ensure(RETURNS, lease=lease)
        for numbers in ((1, 2), (3, 4), (5, 6)):
            head = append(lake, lease, head, returns(*numbers), f"{numbers}")
        files = sorted(lake.scan(RETURNS.name).files, key=lambda file: file.path)
        first, between, last = (read_loans(file.path) for file in files)
        before = take_out(lake, lease, [first[0], last[0]])
        assert all(file.deletes for file in lake.scan(RETURNS.name).files)
        with lake.stage(lease=lease, token="x") as commit:
            commit.table(before).remove(files[2:])
            commit.apply()
        assert {row[0] for row in read(lake.scan(RETURNS.name))} == {first[1], *between}
        assert [row[0] for row in read(lake.changes(RETURNS.name, before.snapshot_id).gone)] == [last[1]]


def test_rows_that_a_table_has_again_when_it_went_back_are_told_as_rows_that_came(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        then = append(lake, lease, lake.ensure(RETURNS, lease=lease), returns(1, 2, 3), "1")
        since = take_out(lake, lease, [1, 2])
        with stock(tmp_path) as table:
            table.manage_snapshots().rollback_to_snapshot(then.snapshot_id or 0).commit()
        take_out(lake, lease, [2, 3])
        changes = lake.changes(RETURNS.name, since.snapshot_id)
        came, went = ([row[0] for row in read(scan)] for scan in (changes.added, changes.gone))
        assert (came, went) == ([1], [3])


def test_what_was_taken_out_stays_out_when_the_directory_moves(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new place"
    with writing(old) as (lake, lease):
        head = append(lake, lease, lake.ensure(RETURNS, lease=lease), returns(1, 2, 3), "1")
        early = take_out(lake, lease, [1])
        take_out(lake, lease, [3], added=[4])
    assert head.snapshot_id is not None
    old.rename(new)
    assert relocate(new, still_world(), holder="a test") == (RETURNS.name,)
    with writing(new) as (lake, lease):
        assert sorted(row[0] for row in read(lake.scan(RETURNS.name))) == [2, 4]
        assert sorted(row[0] for row in read(lake.scan(RETURNS.name, snapshot_id=early.snapshot_id))) == [2, 3]
        take_out(lake, lease, [2])
        expire(lake, Retention(1, 0, timedelta(0)), lease=lease, pinned={})
        assert files_below(new) == {path for one in lake.heads().values() for path in files_of(lake, one)}
        assert [row[0] for row in read(lake.scan(RETURNS.name))] == [4]
    assert stock_rows(new) == [4]


def test_files_with_deletes_go_with_the_last_snapshot_that_needs_them(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        append(lake, lease, lake.ensure(RETURNS, lease=lease), returns(*range(9)), "1")
        heads = [take_out(lake, lease, [number]) for number in range(5)]
        expire(lake, Retention(1, 0, timedelta(0)), lease=lease, pinned={RETURNS.name: {heads[2].snapshot_id or 0}})
        assert [row[0] for row in read(lake.scan(RETURNS.name, snapshot_id=heads[2].snapshot_id))] == [3, 4, 5, 6, 7, 8]
        assert len([path for path in files_below(tmp_path) if path.endswith("-deletes.parquet")]) == 2
        expire(lake, Retention(1, 0, timedelta(0)), lease=lease, pinned={})
        assert len([path for path in files_below(tmp_path) if path.endswith("-deletes.parquet")]) == 1
        assert files_below(tmp_path) == {path for one in lake.heads().values() for path in files_of(lake, one)}
        assert [row[0] for row in read(lake.scan(RETURNS.name))] == [5, 6, 7, 8]


def test_no_row_is_taken_out_twice(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = append(lake, lease, lake.ensure(RETURNS, lease=lease), returns(1, 2), "1")
        place = places_in(lake, 1)
        with lake.stage(lease=lease, token="x") as commit:
            commit.table(head).take_out(pa.concat_tables([place, place]))
            with pytest.raises(ValueError, match="twice"):
                commit.apply()
        assert len(read(lake.scan(RETURNS.name))) == 2


def test_of_a_table_with_partitions_each_names_its_own_rows_and_a_change_writes_those_that_it_concerns(
    tmp_path: Path,
) -> None:
    with writing(tmp_path) as (lake, lease):
        head = lake.ensure(LOANS, lease=lease)
        for month in (1, 2, 3):
            head = append(lake, lease, head, loans(*range(10 * month, 10 * month + 4), month=month), f"{month}")
        head = lend_no_more(lake, lease, head, [11, 21])
        early = lake.scan(LOANS.name).deletes
        head = lend_no_more(lake, lease, head, [12, 33])
        scan = lake.scan(LOANS.name)
        assert (len(early), len(scan.deletes), len({*early} & {*scan.deletes})) == (2, 3, 1)
        assert all(len(file.deletes) == 1 for file in scan.files)
        expected = [10, 13, 20, 22, 23, 30, 31, 32]
        assert sorted(row[0] for row in read(scan)) == expected
        assert (scan.rows, read_table_summary(head.metadata_location).rows) == (8, 8)
        changes = lake.changes(LOANS.name, lake.metadata(head).snapshots[-2].snapshot_id)
        assert sorted(row[0] for row in read(changes.gone)) == [12, 33]
    assert sorted(row["loan"] for row in read_tables(tmp_path)[LOANS.name].rows) == expected
    assert stock_rows(tmp_path, name=LOANS.name) == expected


def test_rows_taken_out_of_partitions_stay_out_when_the_directory_moves(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new place"
    with writing(old) as (lake, lease):
        head = append(lake, lease, lake.ensure(LOANS, lease=lease), loans(1, 2, 3), "1")
        head = append(lake, lease, head, loans(4, 5, 6, month=2), "2")
        lend_no_more(lake, lease, head, [1, 4])
    old.rename(new)
    relocate(new, still_world(), holder="a test")
    with writing(new) as (lake, lease):
        assert sorted(row[0] for row in read(lake.scan(LOANS.name))) == [2, 3, 5, 6]
        head = lake.heads()[LOANS.name]
        lend_no_more(lake, lease, head, [2, 5])
    assert stock_rows(new, name=LOANS.name) == [3, 6]


def lend_no_more(lake: Lake, lease: Lease, head: Head, numbers: Sequence[int]) -> Head:
    with lake.stage(lease=lease, token=f"{head.snapshot_id}") as commit:
        commit.table(head).take_out(places_in(lake, *numbers, table=LOANS.name))
        return commit.apply()[LOANS.name]


@pytest.mark.parametrize("left", [0, 2])
def test_what_names_rows_of_files_that_another_engine_took_away_goes_when_its_table_is_adopted(
    left: int, tmp_path: Path
) -> None:
    with writing(tmp_path) as (lake, lease):
        append(lake, lease, lake.ensure(RETURNS, lease=lease), returns(1, 2, 3), "1")
        take_out(lake, lease, [1, 2])
        with stock(tmp_path) as table:
            table.overwrite(returns(8, 9)[:left])
        head = adopt(lake, RETURNS.name, lease=lease)
        assert (lake.scan(RETURNS.name).deletes, read_table_summary(head.metadata_location).rows) == ((), left)
        append(lake, lease, head, returns(4, 5, 6), "2")
        assert lake.scan(RETURNS.name).rows == len(read(lake.scan(RETURNS.name))) == left + 3


@pytest.mark.parametrize(("rule", "left"), [("loan = 2", [3, 5, 6]), ("loan < 4", [5, 6]), ("loan > 0", [])])
def test_rows_are_counted_as_a_reader_finds_them_when_another_engine_wrote_files_anew(
    rule: str, left: list[int], tmp_path: Path
) -> None:
    with writing(tmp_path) as (lake, lease):
        head = append(lake, lease, lake.ensure(RETURNS, lease=lease), returns(1, 2, 3), "1")
        append(lake, lease, head, returns(4, 5, 6), "2")
        take_out(lake, lease, [1, 4])
        with stock(tmp_path) as table:
            table.delete(rule)
        assert stock_rows(tmp_path) == left
        assert read_table_summary(read_heads(tmp_path)[RETURNS.name]).rows == len(left)
        assert sorted(row[0] for row in read(lake.scan(RETURNS.name))) == left


def test_no_row_is_taken_out_of_a_file_that_goes(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = append(lake, lease, lake.ensure(RETURNS, lease=lease), returns(1, 2), "1")
        with lake.stage(lease=lease, token="x") as commit:
            change = commit.table(head)
            change.take_out(places_in(lake, 1))
            change.remove(lake.scan(RETURNS.name).files)
            with pytest.raises(ValueError, match="files that stay"):
                commit.apply()


def test_what_was_taken_out_stays_out_when_columns_are_renamed_and_added(tmp_path: Path) -> None:
    loan, note = RETURNS.columns
    later = replace(RETURNS, columns=(loan, replace(note, name="remark"), TableColumn("note.2", "note", "string")))
    with writing(tmp_path) as (lake, lease):
        append(lake, lease, lake.ensure(RETURNS, lease=lease), returns(1, 2, 3), "1")
        take_out(lake, lease, [2])
        lake.ensure(later, lease=lease)
        assert read(lake.scan(RETURNS.name)) == [(1, "note 1", None), (3, "note 3", None)]
    assert stock_rows(tmp_path) == [1, 3]


def test_what_was_taken_out_stays_out_of_a_table_with_a_column_of_the_name_that_duckdb_has_for_places(
    tmp_path: Path,
) -> None:
    numbered = replace(RETURNS, columns=(*RETURNS.columns, TableColumn("row", "file_row_number", "string")))
    with writing(tmp_path) as (lake, lease):
        append(lake, lease, lake.ensure(RETURNS, lease=lease), returns(1, 2, 3), "1")
        take_out(lake, lease, [2])
        head = lake.ensure(numbered, lease=lease)
        more = returns(4, 5).append_column("file_row_number", pa.array(["a", "b"]))
        append(lake, lease, head, more, "2")
        with lake.stage(lease=lease, token="x") as commit:
            commit.table(lake.heads()[RETURNS.name]).take_out(places_in(lake, 3, 4))
            commit.apply()
        scan = lake.scan(RETURNS.name)
        assert sorted(read(scan)) == [(1, "note 1", None), (5, "note 5", "b")]
        assert sorted(read(replace(scan, columns=scan.columns[:1]))) == [(1,), (5,)]
    assert stock_rows(tmp_path) == [1, 5]


def test_a_table_that_went_back_has_the_rows_of_then_and_those_may_be_taken_out_again(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        append(lake, lease, lake.ensure(RETURNS, lease=lease), returns(1, 2, 3, 4), "1")
        then = append(lake, lease, take_out(lake, lease, [1]), None, "2")
        take_out(lake, lease, [2], added=[5])
        with stock(tmp_path) as table:
            table.manage_snapshots().rollback_to_snapshot(then.snapshot_id or 0).commit()
        assert [row[0] for row in read(lake.scan(RETURNS.name))] == [2, 3, 4]
        take_out(lake, lease, [2])
        assert [row[0] for row in read(lake.scan(RETURNS.name))] == stock_rows(tmp_path) == [3, 4]
