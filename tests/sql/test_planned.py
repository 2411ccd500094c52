"""A query is planned once, and run over whatever rows come."""

from __future__ import annotations

import pyarrow as pa
import pytest

from penstock.sql.connection import connect
from penstock.sql.planned import PlannedQuery

ROWS = pa.schema([pa.field("n", pa.int64())])


def test_it_is_planned_once_and_sees_the_rows_of_each_time() -> None:
    made: list[str] = []

    def query(rows: str) -> str:
        made.append(rows)
        return f"SELECT sum(n) AS total, count(*) AS many FROM {rows}"

    with connect() as connection:
        planned = PlannedQuery(connection, ROWS, query)
        other = PlannedQuery(connection, ROWS, lambda rows: f"SELECT n * 2 AS n FROM {rows}")
        found = []
        for count in (3, 0, 100_000):
            connection.register("chunk", pa.table({"n": [count]}))  # what else the connection learns is no matter
            rows = other.over(pa.table({"n": pa.array(range(count), pa.int64())}))
            found.append(tuple(planned.over(rows).to_pylist()[0].values()))

    assert found == [(6, 3), (None, 0), (100_000 * 99_999, 100_000)]
    assert len(made) == 1


def test_it_keeps_no_rows_and_no_name() -> None:
    with connect() as connection:
        planned = PlannedQuery(connection, ROWS, lambda rows: f"SELECT n FROM {rows}")
        before = pa.total_allocated_bytes()
        assert planned.over(pa.table({"n": pa.array(range(100_000), pa.int64())})).num_rows == 100_000
        assert pa.total_allocated_bytes() - before < 100_000

        planned.close()

        with pytest.raises(Exception, match="planned"):
            planned.over(ROWS.empty_table())
        assert connection.sql("SELECT count(*) FROM duckdb_views() WHERE view_name LIKE 'held%'").fetchall() == [(0,)]
