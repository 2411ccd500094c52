"""Summing days before months: the same numbers, and left alone where that is not certain."""

from __future__ import annotations

import pytest
import sqlglot

from penstock.metrics.by_day import sum_days_first
from penstock.metrics.template import parse, text
from penstock.sql.connection import connect

LOANS = "SELECT DATE_TRUNC('MONTH', lent_on) AS metric_time__month, branch, fee AS f FROM loans"


def by_day(sql: str) -> str:
    tree = parse(sql)
    sum_days_first(tree)
    return text(tree)


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT metric_time__month, SUM(f) AS fees FROM ({LOANS}) AS l GROUP BY metric_time__month",
        (
            "SELECT l.metric_time__month AS metric_time__month, l.branch AS branch, SUM(l.f) AS fees "
            f"FROM ({LOANS}) AS l WHERE NOT l.branch IS NULL GROUP BY l.metric_time__month, l.branch"
        ),
        (
            f"WITH c AS ({LOANS}) SELECT a.metric_time__month, a.fees, b.most FROM (SELECT metric_time__month, "
            "SUM(f) AS fees FROM c GROUP BY metric_time__month) AS a JOIN (SELECT metric_time__month, SUM(f) AS most "
            "FROM (SELECT metric_time__month, f FROM c WHERE f > 3) AS d GROUP BY metric_time__month) AS b "
            "USING (metric_time__month)"
        ),
    ],
    ids=["alone", "with a dimension", "two over one selection"],
)
def test_days_are_summed_first_and_give_the_same(sql: str) -> None:
    connection = connect()
    connection.execute(
        "CREATE TABLE loans AS SELECT CASE WHEN i % 50 > 0 THEN DATE '2024-01-01' + CAST(i % 90 AS INTEGER) END AS lent_on, "
        "nullif(i % 3, 2) AS branch, CASE WHEN i % 7 > 0 THEN CAST(i % 11 AS DECIMAL(18, 2)) END AS fee "
        "FROM range(1000) AS r (i)"
    )
    changed = by_day(sql)
    assert changed.count(") AS by_day GROUP BY") == sql.count("GROUP BY")
    assert sorted(connection.execute(changed).fetchall(), key=repr) == sorted(
        connection.execute(sql).fetchall(), key=repr
    )


@pytest.mark.parametrize(
    "sql",
    [
        LOANS,
        f"SELECT metric_time__month, COUNT(DISTINCT f) AS n FROM ({LOANS}) AS l GROUP BY metric_time__month",
        f"SELECT metric_time__month, SUM(DISTINCT f) AS n FROM ({LOANS}) AS l GROUP BY metric_time__month",
        f"SELECT metric_time__month, SUM(f) AS n FROM ({LOANS}) AS l GROUP BY metric_time__month HAVING SUM(f) > 1",
        (
            "SELECT metric_time__day, SUM(f) AS n FROM (SELECT DATE_TRUNC('DAY', lent_on) AS metric_time__day, "
            "fee AS f FROM loans) AS l GROUP BY metric_time__day"
        ),
        (
            "SELECT metric_time__month, SUM(f) AS n FROM (SELECT metric_time__month, MAX(f) AS f FROM "
            f"({LOANS}) AS l GROUP BY metric_time__month, branch) AS m GROUP BY metric_time__month"
        ),
        (
            f"SELECT metric_time__month, SUM(f) AS n FROM ({LOANS}) AS l WHERE metric_time__month > "
            "DATE '2024-02-01' GROUP BY metric_time__month"
        ),
    ],
    ids=[
        "no sum",
        "different values",
        "sum of different values",
        "groups chosen",
        "by day",
        "of groups",
        "months chosen",
    ],
)
def test_what_is_not_a_sum_of_rows_stays(sql: str) -> None:
    assert by_day(sql) == sqlglot.parse_one(sql, dialect="duckdb").sql(dialect="duckdb")
