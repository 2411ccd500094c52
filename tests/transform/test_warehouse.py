"""The warehouse file: copied, thrown away, promoted, and compared by content."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from subprocess import PIPE, Popen

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import StorageError
from penstock.sql.connection import connect
from penstock.transform import warehouse
from penstock.transform.content import Content, content_of
from penstock.transform.state import WarehouseState
from penstock.world import LocalDisk

ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.text(max_size=5),
        st.none() | st.decimals(-999, 999, places=2),
    ),
    max_size=6,
)
Row = tuple[int | None, str | None, Decimal | None]


TABLE = "a BIGINT, b VARCHAR, c DECIMAL(5,2)"


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(threads=1) as connection:
        connection.execute("ATTACH ':memory:' AS warehouse")
        connection.execute("CREATE SCHEMA warehouse.gold")
        yield connection


def hashed(connection: duckdb.DuckDBPyConnection, rows: Sequence[Row], columns: str = TABLE) -> Content:
    connection.execute(f"CREATE OR REPLACE TABLE warehouse.gold.t ({columns})")
    if rows:
        connection.executemany("INSERT INTO warehouse.gold.t VALUES (?, ?, ?)", [list(row) for row in rows])
    return content_of(connection, "gold.t")


@settings(max_examples=40)
@given(left=ROWS, right=ROWS)
def test_tables_have_one_content_hash_exactly_when_their_rows_are_the_same(
    connection: duckdb.DuckDBPyConnection, left: list[Row], right: list[Row]
) -> None:
    same = sorted(left, key=repr) == sorted(right, key=repr)
    assert (hashed(connection, left) == hashed(connection, right)) is same


@settings(max_examples=40)
@given(both=ROWS.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))))
def test_the_order_of_rows_does_not_touch_the_content_hash(
    connection: duckdb.DuckDBPyConnection, both: tuple[list[Row], list[Row]]
) -> None:
    assert hashed(connection, both[0]) == hashed(connection, both[1])


def test_a_row_twice_is_other_content_than_a_row_once(connection: duckdb.DuckDBPyConnection) -> None:
    row: Row = (1, "a", None)
    assert hashed(connection, [row, row]) != hashed(connection, [row])


def test_a_renamed_or_wider_column_is_other_content(connection: duckdb.DuckDBPyConnection) -> None:
    forms = [TABLE, "a BIGINT, x VARCHAR, c DECIMAL(5,2)", "a BIGINT, b VARCHAR, c DECIMAL(6,2)"]
    assert len({hashed(connection, [], form) for form in forms}) == 3


def test_the_content_hash_of_a_version_of_the_engine_is_golden(connection: duckdb.DuckDBPyConnection) -> None:
    rows: list[Row] = [(1, "a", Decimal("1.50")), (None, "", None)]
    golden = f"8912dd0dc92adc2f-2-{27218884837676761603:x}-{21547991958202812570:x}"
    assert str(hashed(connection, rows)) == golden
    assert Content.from_text(golden) == hashed(connection, rows)


@settings(max_examples=20)
@given(kept=ROWS, came=ROWS, gone=ROWS)
def test_a_content_follows_what_came_and_what_went(
    connection: duckdb.DuckDBPyConnection, kept: list[Row], came: list[Row], gone: list[Row]
) -> None:
    before, after = hashed(connection, kept + gone), hashed(connection, kept + came)
    assert before.moved(came=hashed(connection, came), gone=hashed(connection, gone)) == after


def test_columns_that_tell_how_a_row_came_are_no_content(connection: duckdb.DuckDBPyConnection) -> None:
    hashes = set()
    for source in ("first.csv", "second.csv"):
        connection.execute(f"CREATE OR REPLACE TABLE warehouse.gold.t AS SELECT 1 AS a, '{source}' AS record_source")
        hashes.add(content_of(connection, "gold.t", without=["record_source"]))
    assert len(hashes) == 1


@settings(max_examples=20)
@given(rows=ROWS, cut=st.integers(0, 6))
def test_other_batches_of_the_same_rows_are_the_same_content(
    connection: duckdb.DuckDBPyConnection, rows: list[Row], cut: int
) -> None:
    whole = hashed(connection, rows)
    hashed(connection, rows[:cut])
    if rows[cut:]:
        connection.executemany("INSERT INTO warehouse.gold.t VALUES (?, ?, ?)", [list(row) for row in rows[cut:]])
    assert content_of(connection, "gold.t") == whole


def written(path: Path) -> Path:
    with warehouse.opened(path) as connection:
        warehouse.write_state(connection, WarehouseState("engine"))
    return path


def test_a_copy_holds_what_its_base_held_and_leaves_it_alone(tmp_path: Path) -> None:
    base = written(tmp_path / "base.duckdb")
    before = base.read_bytes()
    target = tmp_path / "deep" / "copy.duckdb"
    warehouse.copy(base, target)
    with warehouse.opened(target) as connection:
        connection.execute("CREATE TABLE warehouse.other (x INTEGER)")
    assert warehouse.read_state(target) == WarehouseState("engine")
    assert base.read_bytes() == before


def test_what_goes_before_a_warehouse_is_closed_never_reaches_its_file(tmp_path: Path) -> None:
    path = written(tmp_path / "w.duckdb")
    before = path.stat().st_size
    with warehouse.opened(path) as connection:
        for place in range(8):  # each is kept beside the file, all together are more than DuckDB keeps there by itself
            connection.execute(f"CREATE TABLE warehouse.t{place} AS SELECT uuid()::VARCHAR AS word FROM range(120_000)")
        assert path.stat().st_size == before
        warehouse.drop(connection, [f"main.t{place}" for place in range(8)])
    assert path.stat().st_size < before + 1_000_000
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == ["w.duckdb"]


@pytest.mark.parametrize(
    ("rows", "gone", "joined"), [(700_000, 123_000, False), (600_000, 123_000, True), (200_000, 100_000, False)]
)
def test_groups_that_lost_rows_are_joined_when_much_was_lost(
    tmp_path: Path, rows: int, gone: int, joined: bool
) -> None:
    path = tmp_path / "w.duckdb"
    with warehouse.opened(path) as connection:
        warehouse.make_schema(connection, "gold")
        connection.execute(f"CREATE TABLE warehouse.gold.t AS SELECT range AS n FROM range({rows})")
    with warehouse.opened(path) as connection:
        connection.execute("DELETE FROM warehouse.gold.t WHERE n BETWEEN 61_440 AND $1", [61_439 + gone])
    with warehouse.opened(path, read_only=True) as connection:
        ((places,),) = connection.execute("SELECT sum(estimated_size) FROM duckdb_tables()").fetchall()
        ((held, last),) = connection.execute("SELECT count(*), max(n) FROM warehouse.gold.t").fetchall()
    assert (held, last) == (rows - gone, rows - 1)
    assert places == (held if joined else rows)


def test_a_disk_that_is_full_while_a_file_is_put_in_order_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise duckdb.IOException("no space left on device")

    monkeypatch.setattr(warehouse, "put_in_order", full)

    with (
        pytest.raises(StorageError, match="no space left"),
        warehouse.opened(tmp_path / "warehouse.duckdb"),
    ):
        pass


WRITING = """
import sys, time
from pathlib import Path
from penstock.transform import warehouse

with warehouse.opened(Path(sys.argv[1])) as connection:
    for turn in range(int(sys.argv[2])):
        connection.execute("DELETE FROM warehouse.t WHERE n % 3 = 0")
        connection.execute("INSERT INTO warehouse.t SELECT range, uuid()::VARCHAR FROM range(300_000)")
        connection.execute("CREATE OR REPLACE TABLE warehouse.u AS FROM warehouse.t")
    print(flush=True)
    time.sleep(600)
"""


@contextmanager
def written_by_another(path: Path, turns: int = 3) -> Iterator[Popen[str]]:
    """A process that wrote much into the file, and did not end."""
    with Popen([sys.executable, "-c", WRITING, str(path), str(turns)], stdout=PIPE, text=True) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        try:
            yield writer
        finally:
            writer.kill()


def large(path: Path) -> tuple[object, ...]:
    with warehouse.opened(path) as connection:
        connection.execute(
            "CREATE TABLE warehouse.u AS SELECT range AS n, md5(range::VARCHAR) AS w FROM range(400_000)"
        )
        connection.execute("CREATE TABLE warehouse.t AS FROM warehouse.u")
    return contents(path)


def contents(path: Path) -> tuple[object, ...]:
    with warehouse.opened(path, read_only=True) as connection:
        return tuple(
            connection.execute(f"SELECT count(*), sum(hash(n, w)) FROM warehouse.{t}").fetchone() for t in "tu"
        )


def test_a_process_that_is_killed_while_it_writes_leaves_what_the_file_held(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    held = large(path)

    for _ in range(2):  # the second finds what the first left in free blocks
        with written_by_another(path) as writer:
            writer.kill()
        assert contents(path) == held

    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == ["warehouse.duckdb"]


def test_what_a_file_held_is_read_from_a_copy_while_another_process_writes(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    held = large(path)
    with warehouse.unlocked(path) as free:
        assert free == path

    with written_by_another(path), warehouse.unlocked(path) as free:
        assert free != path
        assert contents(free) == held

    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == ["warehouse.duckdb"]


def test_a_copy_that_cannot_be_made_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="could not be copied"):
        warehouse.copy(tmp_path / "missing.duckdb", tmp_path / "copy.duckdb")
    assert not (tmp_path / "copy.duckdb").exists()


def test_discarding_takes_the_log_of_the_file_too_and_may_be_done_twice(tmp_path: Path) -> None:
    target, log = tmp_path / "x.duckdb", tmp_path / "x.duckdb.wal"
    target.touch()
    log.touch()
    warehouse.discard(target)
    warehouse.discard(target)
    assert not target.exists()
    assert not log.exists()


def test_a_promoted_copy_replaces_the_warehouse(tmp_path: Path) -> None:
    target, place = written(tmp_path / "copy.duckdb"), tmp_path / "warehouse-7.duckdb"
    place.write_text("the old one")
    warehouse.promote(target, place, LocalDisk())
    assert warehouse.read_state(place) is not None
    assert not target.exists()


@pytest.mark.parametrize("content", [b"", b"not a database", b"\x00" * 5000])
def test_a_damaged_warehouse_has_no_state(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "damaged.duckdb"
    path.write_bytes(content)
    assert warehouse.read_state(path) is None


def test_a_warehouse_that_is_not_there_has_no_state(tmp_path: Path) -> None:
    assert warehouse.read_state(tmp_path / "missing.duckdb") is None
    assert not (tmp_path / "missing.duckdb").exists()


def test_opening_what_is_no_database_names_file_and_remedy(tmp_path: Path) -> None:
    path = tmp_path / "damaged.duckdb"
    path.write_bytes(b"not a database")
    with pytest.raises(StorageError, match=r"damaged\.duckdb: .* remove it"), warehouse.opened(path):
        pass
