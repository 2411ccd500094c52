"""No sampled row shows a personal value, whatever the query calls it."""

from __future__ import annotations

import pytest

from penstock.quality.checks import run_checks
from penstock.quality.masking import hidden_columns, personal_columns, personal_read
from penstock.quality.result import MASK
from penstock.spec.project import CheckKind
from tests.quality.quality_shapes import BOOKS, LOANS, NOW, StoppedClock, check, library, project

SECRET = "ada@example.org"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT mail FROM silver.loans",
        "SELECT * FROM silver.loans",
        "SELECT MAIL AS city FROM silver.loans",
        "SELECT lower(mail) FROM silver.loans",
        "SELECT 'x' || mail AS x FROM silver.loans",
        "SELECT m FROM (SELECT mail AS m FROM silver.loans) s",
        "WITH w AS (SELECT mail AS m FROM silver.loans) SELECT m || '' AS n FROM w",
        "WITH w(a, b) AS (SELECT loan_id, mail FROM silver.loans) SELECT b FROM w",
        "SELECT b FROM (SELECT loan_id, mail FROM silver.loans) s(a, b)",
        "SELECT loan_id::VARCHAR AS n FROM silver.loans UNION ALL SELECT mail FROM silver.loans",
        "SELECT l FROM silver.loans AS l",
        "SELECT loans AS everything FROM silver.loans",
        "SELECT list(mail) AS found FROM silver.loans",
        "SELECT max(mail) AS found FROM silver.loans",
        "SELECT CASE WHEN true THEN mail END FROM silver.loans",
        "SELECT (SELECT max(mail) FROM silver.loans) AS found",
        "SELECT COLUMNS('ma.*') AS found FROM silver.loans",
        "SELECT loan_id, value FROM (SELECT loan_id, mail FROM silver.loans) UNPIVOT (value FOR name IN (mail))",
        "SELECT row FROM quarantine.loans",
        "FROM silver.loans",
    ],
)
def test_a_personal_value_never_leaves_by_a_sample(sql: str) -> None:
    connection = library([(1, 2, SECRET)])
    connection.execute("INSERT INTO quarantine.loans VALUES ('open', ?)", [SECRET])
    declared = check(CheckKind.ROWS, sql)
    results = run_checks(project(declared, contracts=(LOANS, BOOKS)), connection, clock=StoppedClock(NOW))
    assert results[0].value is not None, results[0].message
    assert int(results[0].value) >= 1, results[0].message
    assert SECRET not in str(results)
    assert MASK in str(results[0].sample)


def test_columns_that_are_not_personal_are_shown() -> None:
    sql = "SELECT loan_id, count(DISTINCT mail) AS readers, book_id + 1 AS next FROM silver.loans GROUP BY ALL"
    assert hidden_columns(sql, ["loan_id", "readers", "next"], frozenset({"mail"})) == frozenset()


def test_sql_that_cannot_be_understood_shows_nothing() -> None:
    assert hidden_columns("SELECT FROM WHERE", ["a", "b"], frozenset()) == {"a", "b"}


def test_a_personal_key_is_shown_because_silver_holds_its_pseudonym() -> None:
    keyed = project(contracts=(LOANS,)).contracts["loans"]
    assert "mail" in personal_columns(project(contracts=(keyed,)))
    assert "loan_id" not in personal_columns(project(contracts=(keyed,)))


@pytest.mark.parametrize(
    ("sql", "personal"),
    [
        ("SELECT mail FROM silver.loans", {"mail"}),
        ("SELECT mail FROM silver.books", set()),
        ("SELECT mail FROM gold.desks", set()),
        ("SELECT mail FROM gold.letters", {"address"}),
        ("SELECT mail FROM gold.desks JOIN silver.loans USING (loan_id)", {"mail"}),
        ("WITH desks AS (FROM gold.desks) SELECT mail FROM desks", set()),
    ],
)
def test_a_name_is_personal_where_it_is_so_in_a_table_that_is_read(sql: str, personal: set[str]) -> None:
    gold = {"desks": (), "letters": ("Address",)}
    assert personal_read(project(contracts=(LOANS, BOOKS)), [sql], gold) == personal


def test_a_model_test_reads_tables_of_the_warehouse() -> None:
    sql = 'SELECT mail FROM "warehouse"."gold"."letters"'
    known = project(contracts=(LOANS, BOOKS))
    assert personal_read(known, [sql], {"letters": ("Address",)}, catalogue="warehouse") == {"address"}


def test_what_only_a_model_calls_personal_is_hidden_where_tables_are_not_known() -> None:
    known = project(contracts=(LOANS, BOOKS))
    assert personal_read(known, ["FROM staging.letters"], {"letters": ("Address",)}) >= {"address", "mail"}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT mail FROM gold.unknown",
        "SELECT mail FROM quarantine.books",
        "SELECT mail FROM desks",
        "SELECT mail FROM elsewhere.gold.desks",
        "SELECT mail FROM 'file.parquet'",
        "SELECT mail FROM read_csv('file.csv')",
        "SELECT mail FROM gold.desks, query_table('silver.loans')",
        "SELECT FROM WHERE",
        "SELECT 1",
    ],
)
def test_where_tables_are_not_known_every_personal_name_counts(sql: str) -> None:
    known = project(contracts=(LOANS, BOOKS))
    assert personal_read(known, [sql], {"desks": ()}) == personal_columns(known)


def test_a_column_that_is_personal_elsewhere_alone_is_shown() -> None:
    connection = library([(1, 2, SECRET)])
    connection.execute("CREATE TABLE gold.desks AS SELECT 'at the door' AS mail")
    declared = check(CheckKind.ROWS, "SELECT mail FROM gold.desks")
    known = project(declared, contracts=(LOANS, BOOKS))

    shown, hidden = (
        run_checks(known, connection, clock=StoppedClock(NOW), personal=gold)[0].sample
        for gold in ({"desks": ()}, {"desks": ("mail",)})
    )

    assert (shown, hidden) == (({"mail": "at the door"},), ({"mail": MASK},))
