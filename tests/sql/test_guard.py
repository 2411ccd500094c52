"""A user's SQL reads the tables it was given, and nothing else happens."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from penstock.errors import UsageError
from penstock.sql.connection import connect
from penstock.sql.guard import check_query, lock_down


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    connection = connect(threads=1)
    connection.execute("CREATE SCHEMA gold; CREATE TABLE gold.sales AS SELECT 1 AS amount, 'a' AS code")
    return connection


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM gold.sales",
        "WITH x AS (SELECT amount FROM gold.sales) SELECT sum(amount) FROM x;",
        "WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r WHERE i < 3) SELECT * FROM r",
        "FROM gold.sales SELECT amount",
        "DESCRIBE gold.sales",
        "SHOW ALL TABLES",
        "SUMMARIZE gold.sales",
        "EXPLAIN SELECT * FROM gold.sales",
        "/* why */ EXPLAIN ANALYZE SELECT 1",
        "EXPLAIN/**/SELECT 1",
        "explain--why\nselect 1",
        "EXPLAIN(FORMAT json)SELECT 1",
        "VALUES (1), (2)",
        "SELECT * FROM range(3), (SELECT unnest([1, 2]))",
        "FROM (PIVOT gold.sales ON code IN ('a') USING sum(amount))",
    ],
)
def test_reading_is_allowed(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    connection.execute(check_query(connection, sql)).fetchall()


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "SELEC 1",
        "SELECT 1; DROP TABLE gold.sales",
        "DELETE FROM gold.sales",
        "CREATE TABLE t AS SELECT 1",
        "COPY gold.sales TO 'out.csv'",
        "ATTACH 'other.db'",
        "INSTALL httpfs",
        "SET threads = 1",
        "PRAGMA database_list",
        "CALL pragma_version()",
        "EXPLAIN ANALYZE DELETE FROM gold.sales",
        "EXPLAIN/**/ANALYZE/**/DELETE FROM gold.sales",
        "EXPLAIN",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT (SELECT count(*) FROM read_text('/etc/passwd'))",
        "SELECT * FROM '/etc/passwd.csv'",
        "DESCRIBE 'file.parquet'",
        "SELECT * FROM query('DROP TABLE gold.sales')",
        "SELECT * FROM duckdb_settings()",
        "SELECT getenv('HOME')",
        "SELECT * FROM gold.nothing",
    ],
)
def test_anything_else_is_refused_with_a_sentence(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    with pytest.raises(UsageError) as refusal:
        check_query(connection, sql)
    assert refusal.value.remedy is not None


def test_a_locked_connection_reads_its_files_only_and_cannot_be_unlocked(tmp_path: Path) -> None:
    connection = connect(threads=1)
    inside, outside = str(tmp_path / "in.parquet"), str(tmp_path / "out.parquet")
    for path in (inside, outside):
        connection.execute(f"COPY (SELECT 1 AS a) TO '{path}'")
    connection.execute(f"CREATE VIEW v AS SELECT a FROM read_parquet('{inside}')")
    lock_down(connection, [inside])
    assert connection.execute("SELECT * FROM v").fetchall() == [(1,)]
    for sql in (
        f"SELECT * FROM '{outside}'",
        f"COPY v TO '{outside}'",
        "SET enable_external_access = true",
        f"ATTACH '{tmp_path}/other.db'",
        "LOAD httpfs",
    ):
        with pytest.raises(duckdb.Error):
            connection.execute(sql)
