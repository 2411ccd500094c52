"""Small projects and databases for the tests of the gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from penstock.quality.checks import run_checks
from penstock.quality.result import CheckResult
from penstock.spec.contract import Classification, Column, Contract, Dedupe, Evolution, LogicalType, Reference
from penstock.spec.project import Check, CheckKind, Project, Retention, Severity
from penstock.sql.connection import connect

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class StoppedClock:
    """Always the same moment; a millisecond passes at every look at the stopwatch."""

    def __init__(self, now: datetime = NOW) -> None:
        self._now, self._ticks = now, 0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        self._ticks += 1
        return self._ticks / 1000

    def sleep(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


LOANS = Contract(
    dataset="loans",
    version="1.0.0",
    description="Books lent",
    owner="library",
    columns=(
        Column(id="loan", name="loan_id", type=LogicalType.INTEGER, required=True),
        Column(id="book", name="book_id", type=LogicalType.INTEGER),
        Column(id="mail", name="mail", type=LogicalType.STRING, classification=Classification.PERSONAL),
    ),
    key=("loan_id",),
    dedupe=Dedupe(),
    evolution=Evolution.EVOLVE,
    partitions=(),
    rules=(),
    references=(Reference(("book_id",), "books", ("book_id",)),),
    freshness=timedelta(days=2),
    path=Path("contracts/loans.yml"),
    fingerprint="f" * 64,
)
BOOKS = replace(
    LOANS,
    dataset="books",
    columns=(Column(id="book", name="book_id", type=LogicalType.INTEGER, required=True),),
    key=("book_id",),
    references=(),
    freshness=None,
    path=Path("contracts/books.yml"),
)


def project(*checks: Check, contracts: tuple[Contract, ...] = (), target: float = 99.9, alert: float = 95.0) -> Project:
    return Project(
        root=Path("library"),
        name="library",
        tenant="default",
        description="",
        contracts={contract.dataset: contract for contract in contracts},
        sources={},
        checks=checks,
        models=None,
        models_fingerprint="m" * 64,
        retention=Retention(),
        quality_target=target,
        quality_alert=alert,
        fingerprint="p" * 64,
    )


def check(kind: CheckKind, sql: str, **fields: Any) -> Check:
    plain = Check(
        name="a_rule",
        kind=kind,
        severity=Severity.ERROR,
        sql=sql,
        against=None,
        minimum=None,
        maximum=None,
        description="",
        path=Path("checks/gate.yml"),
        fingerprint="c" * 64,
    )
    return replace(plain, **fields)


def library(
    loans: Sequence[tuple[int | None, int | None, str | None]] = (),
    *,
    books: Sequence[int] = (),
    quarantined: int = 0,
    ingested_at: datetime = NOW,
) -> duckdb.DuckDBPyConnection:
    """Silver loans (loan_id, book_id, mail) and books, a quarantine of loans, one line per row in one file."""
    connection = connect()
    for schema in ("silver", "quarantine", "gold"):
        connection.execute(f"CREATE SCHEMA {schema}")
    place = "_file VARCHAR, _line BIGINT, _ingested_at TIMESTAMPTZ, _file_id VARCHAR"
    connection.execute(f"CREATE TABLE silver.loans (loan_id BIGINT, book_id BIGINT, mail VARCHAR, {place})")
    connection.execute(f"CREATE TABLE silver.books (book_id BIGINT, {place})")
    connection.execute("CREATE TABLE quarantine.loans (status VARCHAR, row VARCHAR)")
    for line, loan in enumerate(loans, start=2):
        connection.execute(
            "INSERT INTO silver.loans VALUES (?, ?, ?, 'loans.csv', ?, ?, 'l')", [*loan, line, ingested_at]
        )
    for line, book in enumerate(books, start=2):
        connection.execute("INSERT INTO silver.books VALUES (?, 'books.csv', ?, ?, 'b')", [book, line, ingested_at])
    for number in range(quarantined):
        connection.execute("INSERT INTO quarantine.loans VALUES ('open', ?)", [f"row {number}"])
    return connection


def run_one(connection: duckdb.DuckDBPyConnection, declared: Check) -> CheckResult:
    (result,) = run_checks(project(declared), connection, clock=StoppedClock())
    return result
