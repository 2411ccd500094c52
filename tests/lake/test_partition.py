"""Partition values against a plain oracle of Python dates, and rows cut by them."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyiceberg.schema import Schema

from penstock.lake.partition import cut, transform
from penstock.lake.schema import new_shape
from penstock.lake.table import Partition, TableColumn, TableSpec
from tests.lake.lake_shapes import LOANS

MOMENTS = st.none() | st.datetimes().map(lambda moment: moment.replace(tzinfo=UTC))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def oracle(moment: datetime | None, name: str) -> int | None:
    if moment is None:
        return None
    return {
        "year": moment.year - 1970,
        "month": (moment.year - 1970) * 12 + moment.month - 1,
        "day": (moment - EPOCH) // timedelta(days=1),
        "hour": (moment - EPOCH) // timedelta(hours=1),
    }[name]


@pytest.mark.parametrize("name", ["year", "month", "day", "hour"])
@given(moments=st.lists(MOMENTS, max_size=20))
def test_values_of_timestamps_are_those_of_the_iceberg_specification(name: str, moments: list[datetime | None]) -> None:
    values = pa.chunked_array([moments], pa.timestamp("us", "UTC"))
    assert transform(values, name).to_pylist() == [oracle(moment, name) for moment in moments]


@pytest.mark.parametrize("name", ["year", "month", "day"])
@given(days=st.lists(st.none() | st.dates(), max_size=20))
def test_values_of_dates_are_those_of_the_iceberg_specification(name: str, days: list[date | None]) -> None:
    moments = [None if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC) for day in days]
    values = pa.chunked_array([days], pa.date32())
    assert transform(values, name).to_pylist() == [oracle(moment, name) for moment in moments]


TWO = TableSpec(
    "silver.two",
    (
        TableColumn("1", "shelf", "string"),
        TableColumn("2", "at", "timestamptz"),
        TableColumn("3", "open", "boolean"),
        TableColumn("4", "number", "long"),
    ),
    (Partition("shelf", "identity"), Partition("at", "day"), Partition("open", "identity")),
)


@given(
    rows=st.lists(
        st.tuples(st.none() | st.sampled_from(["", "a", "b/..", "é=1"]), MOMENTS, st.none() | st.booleans()),
        min_size=1,
        max_size=40,
    )
)
def test_rows_are_cut_by_their_values_and_keep_their_order(
    rows: list[tuple[str | None, datetime | None, bool | None]],
) -> None:
    expected: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for number, (shelf, moment, opened) in enumerate(rows):
        expected[(shelf, oracle(moment, "day"), opened)].append(number)
    shelves, moments, opened_ones = zip(*rows, strict=True)
    table = pa.table(
        {
            "shelf": pa.array(shelves, pa.string()),
            "at": pa.array(moments, pa.timestamp("us", "UTC")),
            "open": pa.array(opened_ones, pa.bool_()),
            "number": pa.array(range(len(rows)), pa.int64()),
        }
    )
    shape = new_shape(TWO)
    parts = list(cut(table, shape.schema, shape.partitioning))
    assert {part.values: part.rows["number"].to_pylist() for part in parts} == expected
    assert all(part.folder.count("/") == 2 and "=" not in part.folder for part in parts)


def test_a_table_without_partitions_is_one_part() -> None:
    shape = new_shape(TableSpec("silver.flat", LOANS.columns))
    (part,) = cut(pa.table({"loan": [1]}), Schema(), shape.partitioning)
    assert (part.values, part.folder) == ((), "")
