"""What is wrong with a contract that only compiling it shows: patterns, rules, declared values, formats, bounds, constants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import duckdb

from penstock.conform.batch import Conformer
from penstock.conform.columns import SYSTEM
from penstock.conform.rules import row_check
from penstock.errors import DeclarationError
from penstock.spec.contract import Classification, Contract, Dedupe, LogicalType
from penstock.spec.source import Reading
from penstock.sql.names import quote

_TIMES = (LogicalType.DATE, LogicalType.TIMESTAMP)


def problems(
    connection: duckdb.DuckDBPyConnection, contract: Contract, reading: Reading | None = None
) -> tuple[DeclarationError, ...]:
    """Every column and rule that cannot be compiled for deliveries read as `reading` says, and senseless dedupe."""
    found = tuple(_parts(connection, contract, reading or Reading()))
    constants = () if found or reading is None else _constants(connection, contract, reading)
    return (*found, *constants, *_dedupe(contract))


def _parts(connection: duckdb.DuckDBPyConnection, contract: Contract, reading: Reading) -> Iterator[DeclarationError]:
    """Compile each column alone, then each rule alone over all columns without their constraints."""
    alone = replace(contract, key=(), dedupe=Dedupe(), rules=(), references=(), partitions=())
    for column in contract.columns:
        part = replace(alone, columns=(column,))
        yield from _compiled(connection, part, reading, _where(contract, f"column {column.name}"))
    plain = tuple(
        replace(column, enum=None, minimum=None, maximum=None, pattern=None, format=None)
        for column in contract.columns
        if not column.name.startswith("_")
    )
    for rule in contract.rules:
        part = replace(alone, columns=plain, rules=(rule,))
        yield from _compiled(connection, part, reading, _where(contract, f"rule {rule.name}"))


def _constants(
    connection: duckdb.DuckDBPyConnection, contract: Contract, reading: Reading
) -> Iterator[DeclarationError]:
    """Hold one row of constants to each column that has one, and to each rule over such columns alone: what would
    refuse every row of the source."""
    alone = replace(contract, key=(), dedupe=Dedupe(), rules=(), references=(), partitions=())
    constant = {column.name: column for column in contract.columns if reading.constant(column.name) is not None}
    for name, column in tuple(constant.items()):
        if _refuses(connection, replace(alone, columns=(column,)), reading):
            del constant[name]  # a rule over it says nothing more
            yield _broken(f"The constant for `{name}`", _where(contract, f"column {name}"))
    for rule in contract.rules:
        names = row_check(rule, contract).columns
        if names and all(name in constant for name in names):
            part = replace(alone, columns=tuple(constant[name] for name in names), rules=(rule,))
            if _refuses(connection, part, reading):
                yield _broken(f"What the constants make of rule `{rule.name}`", _where(contract, f"rule {rule.name}"))


def _where(contract: Contract, part: str) -> str:
    return f"{contract.places.get(part, contract.path)}: {part}"


def _refuses(connection: duckdb.DuckDBPyConnection, part: Contract, reading: Reading) -> bool:
    system = (f"{'1' if name in ('_file_id', '_line') else 'NULL'} AS {quote(name)}" for name in SYSTEM)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW validated AS SELECT {', '.join(system)}")
    conformed = Conformer(part, reading, tenant="", pseudonym_key=b"").check(connection, "validated")
    conformed.drop(connection)
    return conformed.counts.quarantined > 0


def _broken(what: str, where: str) -> DeclarationError:
    remedy = "Correct it under `constants` of the source, or the contract: as it is, every row would be refused."
    return DeclarationError(f"{what} is not what the contract says", where=where, remedy=remedy)


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
    where = _where(contract, "dedupe")
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
