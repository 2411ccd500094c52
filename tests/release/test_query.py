"""A person's SQL: answers, limits, and errors that say what to do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from penstock.errors import UsageError
from penstock.release.query import nearest, query, stream
from penstock.release.reader import Reader, open_reader
from tests.release.release_shapes import House, ModelColumn, model


@pytest.fixture
def reader(house: House) -> Iterator[Reader]:
    house.silver("loans", [1, 2, 3])
    house.release(model("fact_loans", [(1, "a"), (2, "b")], ModelColumn("n"), ModelColumn("name", "string")))
    with open_reader(house.root, house.world) as opened:
        yield opened


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT n FROM gold.fact_loans ORDER BY n DESC;", [{"n": 2}, {"n": 1}]),
        ("WITH x AS (SELECT count(*) AS c FROM silver.loans) SELECT c FROM x", [{"c": 3}]),
        ("VALUES (1)", [{"col0": 1}]),
        ("FROM gold.fact_loans WHERE n = 1", [{"n": 1, "name": "a"}]),
        ("SELECT 1 AS one -- and a comment", [{"one": 1}]),
    ],
)
def test_a_statement_that_reads_is_answered(reader: Reader, sql: str, rows: list[dict[str, object]]) -> None:
    answer = query(reader, sql)
    assert (answer.rows.to_pylist(), answer.complete) == (rows, True)


@pytest.mark.parametrize(
    "sql", ["DESCRIBE gold.fact_loans", "SHOW ALL TABLES", "SUMMARIZE gold.fact_loans", "EXPLAIN SELECT 1"]
)
def test_looking_around_is_answered(reader: Reader, sql: str) -> None:
    assert query(reader, sql).rows.num_rows > 0


@pytest.mark.parametrize(("limit", "rows", "complete"), [(0, 0, False), (1, 1, False), (2, 2, True), (None, 2, True)])
def test_a_limit_says_whether_rows_were_left_out(reader: Reader, limit: int | None, rows: int, complete: bool) -> None:
    answer = query(reader, "FROM gold.fact_loans", limit=limit)
    assert (answer.rows.num_rows, answer.complete) == (rows, complete)


def test_an_answer_without_rows_has_its_columns(reader: Reader) -> None:
    answer = query(reader, "SELECT n, name FROM gold.fact_loans WHERE false")
    assert (answer.rows.num_rows, answer.rows.column_names) == (0, ["n", "name"])


def test_a_query_may_be_asked_while_another_is_read(reader: Reader) -> None:
    first = stream(reader, "SELECT i FROM range(200000) t(i)")
    first.read_next_batch()
    assert query(reader, "SELECT 1 AS one").rows.to_pylist() == [{"one": 1}]
    assert sum(batch.num_rows for batch in first) == 150_000


@pytest.mark.parametrize(
    "sql", ["SELECT * FROM fact_loans", "SELECT * FROM gold.fact_loan", "SELECT * FROM gold.fact_lonas"]
)
def test_a_table_spelled_wrongly_is_suggested_and_all_are_listed(reader: Reader, sql: str) -> None:
    with pytest.raises(
        UsageError, match=r"Did you mean gold.fact_loans\? Tables: gold.fact_loans, quality.results, silver.loans"
    ):
        query(reader, sql)


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELEC 1", "SELEC"),
        ("SELECT nam FROM gold.fact_loans", '"name"'),
        ("SELECT n FROM gold.fact_loans WHERE", "syntax error"),
        ("SELECT 'x'::INTEGER", "Could not convert string 'x'"),
        ("", "statement"),
        ("SELECT 1; SELECT 2", "2 statements"),
        ("DROP TABLE gold.fact_loans", "only reads"),
        ("CREATE TABLE x AS SELECT 1", "only reads"),
        ("SELECT * FROM read_csv('a.csv')", "read_csv"),
        ("SELECT * FROM 'a.csv'", "a.csv"),
        ("SELECT getenv('HOME')", "getenv"),
    ],
)
def test_everything_wrong_with_the_sql_is_the_users_error(reader: Reader, sql: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        query(reader, sql)
    assert says in str(caught.value)
    assert caught.value.exit_code == 2


def test_the_place_in_the_sql_is_shown(reader: Reader) -> None:
    with pytest.raises(UsageError) as caught:
        query(reader, "SELECT n,\n       nam\nFROM gold.fact_loans")
    assert "line 2" in str(caught.value).lower()


def test_an_exact_name_in_another_layer_is_nearer_than_a_similar_one() -> None:
    tables = ["bronze.loans", "gold.loan", "silver.loans"]
    assert nearest("loans", tables) == ["silver.loans", "bronze.loans"]
    assert nearest("nothing_like_it", tables) == []
