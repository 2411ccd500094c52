"""Live tables: the latest row of every key, in one transaction with the position."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.checkpoint import Checkpointer
from penstock.errors import StorageError
from penstock.store import live_changes, live_table
from penstock.store.live_changes import DELETED, latest
from penstock.store.live_file import live_tables
from penstock.store.live_reader import open_live
from penstock.store.live_shape import LiveShape
from penstock.store.live_table import LiveTable

SCHEMA = pa.schema(
    [
        ("member", pa.string()),
        ("hour", pa.timestamp("us", tz="UTC")),
        ("paid", pa.decimal128(38, 2)),
        ("mean", pa.float64()),
        ("on", pa.date32()),
        ("odd", pa.bool_()),
        ("titles", pa.list_(pa.string())),
    ]
)
HOUR = datetime(2026, 1, 1, 5, tzinfo=UTC)


def row(member: str, paid: str, *, hour: datetime = HOUR) -> dict[str, object]:
    return {
        "member": member,
        "hour": hour,
        "paid": Decimal(paid),
        "mean": 0.5,
        "on": date(2026, 1, 1),
        "odd": True,
        "titles": ["é"],
    }


def table(folder: Path, *, version: str = "1") -> LiveTable:
    return LiveTable(folder, LiveShape.of("hours", SCHEMA, ["member", "hour"], version=version))


def changes(*rows: dict[str, object], schema: pa.Schema = SCHEMA) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=schema)


def test_the_last_row_of_a_key_counts_and_the_position_moves_with_it(tmp_path: Path) -> None:
    hours = table(tmp_path)

    hours.apply(changes(row("a", "1.00"), row("b", "2.00"), row("a", "3.00")), "here")

    reader = open_live(tmp_path, "hours")
    assert [(one["member"], one["paid"]) for one in reader.rows()] == [("a", 300), ("b", 200)]
    assert (reader.position(), reader.count(), live_tables(tmp_path)) == ("here", 2, ("hours",))


def test_values_are_kept_so_that_they_compare_as_they_should(tmp_path: Path) -> None:
    table(tmp_path).apply(changes(row("a", "12.34")), "p")

    (found,) = open_live(tmp_path, "hours").rows()

    micros = int(HOUR.timestamp() * 1_000_000)
    assert found == {"member": "a", "hour": micros, "paid": 1234, "mean": 0.5, "on": 20454, "odd": 1, "titles": '["é"]'}


def test_changes_that_cannot_be_stored_leave_rows_and_position_as_they_were(tmp_path: Path) -> None:
    hours = table(tmp_path)
    hours.apply(changes(row("a", "1.00")), "before")

    with pytest.raises(StorageError):
        hours.apply(changes(row("b", "1.00"), row("c", "9" * 30)), "after")

    reader = open_live(tmp_path, "hours")
    assert (reader.position(), reader.count()) == ("before", 1)


def test_another_declaration_makes_the_table_anew(tmp_path: Path) -> None:
    table(tmp_path).apply(changes(row("a", "1.00")), "p")

    again = table(tmp_path, version="2")

    assert again.position() is None
    assert open_live(tmp_path, "hours").count() == 0


def test_rows_come_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    table(tmp_path).apply(changes(row("a", "1.00"), row("b", "3.00"), row("c", "2.00")), "p")

    reader = open_live(tmp_path, "hours")

    assert [one["member"] for one in reader.rows(order=[("paid", True)], limit=2)] == ["b", "c"]
    assert [one["member"] for one in reader.page([("member", "=", "c")]).rows] == ["c"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 9), st.booleans()), max_size=9), max_size=5)
)
def test_any_history_of_changes_leaves_the_rows_that_a_dictionary_would(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    history: list[list[tuple[str, int, bool]]],
) -> None:
    monkeypatch.setattr(live_table, "_VALUES", 2 * len(SCHEMA))  # of two rows
    monkeypatch.setattr(live_table, "_PIECE", 3)
    folder = tmp_path_factory.mktemp("live")
    hours, oracle = table(folder), dict[str, int]()
    schema = SCHEMA.append(pa.field(DELETED, pa.bool_()))
    for number, batch in enumerate(history):
        rows = [{**row(member, f"{paid}.00"), DELETED: gone} for member, paid, gone in batch]
        hours.apply(changes(*rows, schema=schema), str(number))
        for member, paid, gone in batch:
            oracle[member] = paid * 100
            if gone:
                del oracle[member]

    assert {one["member"]: one["paid"] for one in open_live(folder, "hours").rows()} == oracle


WORDS = {
    pa.string(): st.sampled_from(["", "a", "B", "é", "ab", "member-1"]),
    pa.timestamp("us", tz="UTC"): st.integers(-(2**62), 2**62),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.sampled_from([-1.5, 0.0, 2.0]),
}


@pytest.mark.parametrize("few", [0, 100], ids=["by numbers", "by texts"])
def test_the_last_row_of_each_key_stands_in_the_order_of_the_keys(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_changes, "_FEW", few)

    @given(st.data(), st.lists(st.sampled_from(list(WORDS)), min_size=1, max_size=3))
    def holds(data: st.DataObject, kinds: list[pa.DataType]) -> None:
        keys = data.draw(st.lists(st.tuples(*(WORDS[kind] for kind in kinds)), max_size=20))
        names = [f"key {number}" for number in range(len(kinds))]
        columns = [pa.array([key[number] for key in keys], kind) for number, kind in enumerate(kinds)]
        rows = pa.table([*columns, list(range(len(keys)))], names=[*names, "n"])

        found = latest(pa.concat_tables([rows.slice(0, 3), rows.slice(3)]), names)

        last = {key: number for number, key in enumerate(keys)}
        by_text = sorted(last, key=lambda key: tuple(one.encode() if isinstance(one, str) else one for one in key))
        assert found["n"].to_pylist() == [last[key] for key in by_text]

    holds()


def test_what_waits_beside_the_file_of_a_live_table_stays_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_table, "DUE_BYTES", 1 << 16)
    monkeypatch.setattr(live_table, "MOST_BYTES", 1 << 20)
    hours = table(tmp_path)

    for first in range(0, 40_000, 1000):  # about 8 MB of changed pages
        hours.apply(
            changes(*(row(f"m{(7919 * n) % 40_000:05}", "1.00") for n in range(first, first + 1000))), str(first)
        )

    assert (tmp_path / "hours.live-wal").stat().st_size < 2 << 20
    hours.close()
    assert open_live(tmp_path, "hours").count() == 40_000


def test_changes_of_a_live_table_are_synced_a_little_at_a_time_until_they_are_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_table, "_SYNC_BYTES", 1 << 16)
    monkeypatch.setattr(live_table, "DUE_BYTES", 1 << 18)
    asked = list[str]()
    monkeypatch.setattr(Checkpointer, "soon", lambda _: asked.append("sync"))
    monkeypatch.setattr(Checkpointer, "due", lambda _: asked.append("take over"))
    hours = table(tmp_path)

    for number in range(20):
        hours.apply(changes(*(row(f"m{one:05}", "1.00") for one in range(1000))), str(number))

    assert asked[0] == "sync"
    assert "take over" in asked


def indexes(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "hours.live")) as db:
        found = db.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name")
        return [name for (name,) in found]


def indexed(folder: Path, *names: str) -> LiveTable:
    return LiveTable(folder, LiveShape.of("hours", SCHEMA, ["member", "hour"], version="1", indexed=names))


def test_indexes_come_and_go_and_rows_stay(tmp_path: Path) -> None:
    table(tmp_path).apply(changes(row("a", "1.00")), "here")

    indexed(tmp_path, "member", "hour", "paid").close()
    first = indexes(tmp_path)
    indexed(tmp_path, "hour").close()

    assert first == ["by hour", "by paid"]  # the first of the key has one
    assert indexes(tmp_path) == ["by hour"]
    reader = open_live(tmp_path, "hours")
    assert (reader.position(), reader.count()) == ("here", 1)


def test_rows_of_an_indexed_value_are_found_without_reading_all(tmp_path: Path) -> None:
    indexed(tmp_path, "hour").apply(changes(row("a", "1.00")), "here")

    with closing(sqlite3.connect(tmp_path / "hours.live")) as db:
        plan = db.execute("EXPLAIN QUERY PLAN SELECT * FROM rows WHERE hour = 1").fetchall()

    assert plan[0][-1] == "SEARCH rows USING INDEX by hour (hour=?)"


@given(st.lists(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2), st.booleans()), max_size=6), max_size=5))
@settings(max_examples=25, deadline=None)
def test_an_indexed_table_holds_what_a_plain_one_holds(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[tuple[str, int, bool]]]
) -> None:
    with_deleted = SCHEMA.append(pa.field(DELETED, pa.bool_()))
    folders = tmp_path_factory.mktemp("plain"), tmp_path_factory.mktemp("indexed")
    tables = table(folders[0]), indexed(folders[1], "hour", "paid")

    for number, batch in enumerate(batches):
        rows = [{**row(member, f"{paid}.00"), DELETED: gone} for member, paid, gone in batch]
        for one in tables:
            one.apply(changes(*rows, schema=with_deleted), str(number))

    plain, other = (open_live(folder, "hours").rows(order=[("paid", True)]) for folder in folders)
    assert plain == other
