"""New keys are looked for in the files that may hold them alone; which these are, the footers tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.lake.spans import MOST_VALUES, SPANS, spans_of
from penstock.lake.table import DataFile, FieldColumn
from penstock.load import near as near_module
from penstock.load.near import near
from penstock.sql.connection import connect
from penstock.sql.scan import read_scan
from tests.load.load_shapes import Road, contract, road
from tests.load.test_silver import damage

BY_TITLE = contract(key=("title", "loan"), order_by="at")
COLUMNS = (FieldColumn(1, "title", "VARCHAR"), FieldColumn(2, "loan", "VARCHAR"))
TEXT = st.sampled_from(["", "a", "b", "ab", "é", "z", "\U0001f600", "O0000009", "O0000010", "'"])
KEYS = st.lists(st.tuples(TEXT, TEXT), max_size=6)


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_module, "MANY", 0)


@pytest.fixture
def titled(tmp_path: Path) -> Iterator[Road]:
    with road(tmp_path, BY_TITLE) as way:
        yield way


def rows_of(keys: Sequence[tuple[str, str]]) -> pa.Table:
    schema = pa.schema(
        [
            pa.field(column.name, pa.string(), metadata={b"PARQUET:field_id": str(column.field_id).encode()})
            for column in COLUMNS
        ]
    )
    return pa.Table.from_pylist([{"title": title, "loan": loan} for title, loan in keys], schema=schema)


def own(folder: Path, number: int) -> Path:
    """A file that is called as the lake calls its own."""
    return folder / f"{number:032x}-00000.parquet"


def written(path: Path, keys: Sequence[tuple[str, str]], *, told: bool = True) -> DataFile:
    rows = rows_of(keys)
    with pq.ParquetWriter(path, rows.schema, store_schema=False) as writer:  # as the lake does
        writer.write_table(rows)
        if told:
            writer.add_key_value_metadata({SPANS: spans_of(rows, (1, 2)) or ""})
    return DataFile(str(path), rows.num_rows, path.stat().st_size)


@settings(max_examples=60, deadline=None)
@given(files=st.lists(KEYS, min_size=1, max_size=3), keys=KEYS)
def test_no_file_that_holds_a_key_is_left_out(files: list[list[tuple[str, str]]], keys: list[tuple[str, str]]) -> None:
    with TemporaryDirectory() as folder, connect(threads=1) as connection:
        given = [written(own(Path(folder), number), held) for number, held in enumerate(files)]
        connection.register("keys", rows_of(keys))
        found = near(connection, BY_TITLE, given, COLUMNS, "keys")
    for file, held in zip(given, files, strict=True):
        ranges = {title: [loan for other, loan in held if other == title] for title, _ in held}
        within = any(min(ranges[title]) <= loan <= max(ranges[title]) for title, loan in keys if title in ranges)
        assert (file in found) == within


@settings(max_examples=60, deadline=None)
@given(files=st.lists(KEYS, min_size=1, max_size=3), keys=KEYS)
def test_every_row_with_one_of_the_keys_is_found(
    files: list[list[tuple[str, str]]], keys: list[tuple[str, str]]
) -> None:
    with TemporaryDirectory() as folder, connect(threads=1) as connection:
        given = [written(own(Path(folder), number), held) for number, held in enumerate(files)]
        connection.register("keys", rows_of(keys))
        found = near(connection, BY_TITLE, given, COLUMNS, "keys")
        rows = connection.execute(read_scan(found, COLUMNS)).fetchall()
    for key in keys:
        assert rows.count(key) == sum(held.count(key) for held in files)


def test_a_file_that_tells_nothing_may_hold_every_key(tmp_path: Path) -> None:
    files = [written(own(tmp_path, 1), [("x", "1")], told=False), written(own(tmp_path, 2), [("x", "2")])]
    with connect(threads=1) as connection:
        connection.register("keys", rows_of([("x", "9")]))
        assert list(near(connection, BY_TITLE, files, COLUMNS, "keys")) == files[:1]


def test_spans_of_other_columns_tell_nothing(tmp_path: Path) -> None:
    files = [written(own(tmp_path, 1), [("x", "1")])]
    renumbered = [FieldColumn(column.field_id + 1, column.name, "VARCHAR") for column in COLUMNS]
    with connect(threads=1) as connection:
        connection.register("keys", rows_of([("x", "9")]))
        assert near(connection, BY_TITLE, files, renumbered, "keys") == files


@pytest.mark.parametrize("loans", [("1", "9"), ("9",)], ids=["joined", "changed"])
def test_what_another_engine_wrote_may_hold_every_key_whatever_its_footer_tells(
    tmp_path: Path, loans: Sequence[str]
) -> None:
    ours = written(own(tmp_path, 1), [("x", "1")])
    rows = rows_of([("x", loan) for loan in loans])
    pq.write_table(rows.replace_schema_metadata(pq.read_schema(ours.path).metadata), tmp_path / "part-0.parquet")
    theirs = DataFile(str(tmp_path / "part-0.parquet"), rows.num_rows, (tmp_path / "part-0.parquet").stat().st_size)
    with connect(threads=1) as connection:
        connection.register("keys", rows_of([("x", "9")]))
        assert list(near(connection, BY_TITLE, [ours, theirs], COLUMNS, "keys")) == [theirs]
        assert list(near(connection, BY_TITLE, [theirs], COLUMNS, "keys")) == [theirs]


def test_of_many_values_no_spans_are_kept() -> None:
    assert spans_of(rows_of([(str(number), "1") for number in range(MOST_VALUES)]), (1, 2)) is not None
    assert spans_of(rows_of([(str(number), "1") for number in range(MOST_VALUES + 1)]), (1, 2)) is None


def test_a_column_may_be_called_as_the_least_of_the_other() -> None:
    rows = rows_of([("x", "1"), ("x", "3"), ("y", "2")])
    named = pa.Table.from_arrays(
        rows.columns,
        schema=pa.schema([rows.schema.field("title").with_name("loan_min"), rows.schema.field("loan")]),
    )
    assert spans_of(named, (1, 2)) == spans_of(rows, (1, 2))


def test_of_a_file_without_a_near_key_nothing_is_read(titled: Road) -> None:
    titled.deliver("a.csv", "100,Dune,,2024-01-01", "500,Emma,,2024-01-01")
    titled.run()
    (file,) = titled.lake.scan("silver.loans").files
    damage(Path(file.path), "loan")
    titled.deliver("b.csv", "200,Dune,,2024-01-02", "300,Emma,,2024-01-02", "100,Ulysses,,2024-01-02")
    (settled,) = titled.run()
    assert settled.counts.accepted == 3
    titled.deliver("c.csv", "100,Dune,,2024-01-03")
    with pytest.raises(duckdb.Error):
        titled.run()


def test_a_better_version_finds_the_one_it_replaces_in_any_file(titled: Road) -> None:
    titled.deliver("a.csv", "100,Dune,1,2024-01-01", "500,Emma,1,2024-01-01")
    titled.run()
    titled.deliver("b.csv", "500,Emma,2,2024-01-02", "600,Emma,2,2024-01-02")
    titled.run()
    titled.deliver("c.csv", "500,Emma,1,2024-01-01", "600,Emma,3,2024-01-03", "050,Dune,3,2024-01-03")
    (settled,) = titled.run()
    assert (settled.counts.accepted, settled.counts.duplicate + settled.counts.superseded) == (2, 1)
    values = titled.values("silver.loans", "title", "loan", "fee")
    assert sorted(values) == [("Dune", "050", 3), ("Dune", "100", 1), ("Emma", "500", 2), ("Emma", "600", 3)]
