"""What is wrong with a contract that only compiling it shows: patterns, rules, declared values, formats, bounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import duckdb

from penstock.conform.batch import Conformer
from penstock.conform.columns import SYSTEM
from penstock.errors import DeclarationError
from penstock.spec.contract import Classification, Contract, Dedupe, LogicalType
from penstock.spec.source import Reading
from penstock.sql.names import quote

_TIMES = (LogicalType.DATE, LogicalType.TIMESTAMP)


def problems(
    connection: duckdb.DuckDBPyConnection, contract: Contract, reading: Reading | None = None
) -> tuple[DeclarationError, ...]:
    """Every column and rule that cannot be compiled for deliveries read as `reading` says, and senseless dedupe."""
    return (*_parts(connection, contract, reading or Reading()), *_dedupe(contract))


def _parts(connection: duckdb.DuckDBPyConnection, contract: Contract, reading: Reading) -> Iterator[DeclarationError]:
    """Compile each column alone, then each rule alone over all columns without their constraints."""
    alone = replace(contract, key=(), dedupe=Dedupe(), rules=(), references=(), partitions=())
    for column in contract.columns:
        part = replace(alone, columns=(column,))
        yield from _compiled(connection, part, reading, f"{contract.path}: column {column.name}")
    plain = tuple(
        replace(column, enum=None, minimum=None, maximum=None, pattern=None, format=None)
        for column in contract.columns
        if not column.name.startswith("_")
    )
    for rule in contract.rules:
        part = replace(alone, columns=plain, rules=(rule,))
        yield from _compiled(connection, part, reading, f"{contract.path}: rule {rule.name}")


def _compiled(
    connection: duckdb.DuckDBPyConnection, part: Contract, reading: Reading, where: str
) -> Iterator[DeclarationError]:
    names = (*SYSTEM, *(column.name for column in part.columns))
    empty = "SELECT " + ", ".join(f"CAST(NULL AS VARCHAR) AS {quote(name)}" for name in names) + " WHERE FALSE"
    connection.execute(f"CREATE OR REPLACE TEMP VIEW validated AS {empty}")
    conformer = Conformer(part, reading, tenant="", pseudonym_key=b"")
    try:
        conformer.check(connection, "validated").drop(connection)
    except DeclarationError as error:
        yield DeclarationError(error.what, where=where, expected=error.expected, found=error.found, remedy=error.remedy)


def _dedupe(contract: Contract) -> Iterator[DeclarationError]:
    order_by, horizon = contract.dedupe.order_by, contract.dedupe.horizon
    where = f"{contract.path}: dedupe"
    if horizon is not None and order_by is None:
        yield DeclarationError("A horizon needs a column that orders the versions", where=where)
    if order_by is None:
        return
    column = contract.column(order_by)
    if horizon is not None and column.type not in _TIMES:
        yield DeclarationError(
            "A horizon needs an order in time", where=where, expected="a date or timestamp", found=column.type.value
        )
    if order_by in contract.key and column.classification is Classification.PERSONAL:
        yield DeclarationError("A pseudonym has no order", where=where, found=order_by)
