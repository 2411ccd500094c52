"""The columns of bronze: every column that ever came, under the name it came with first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyarrow as pa

from penstock.conform.columns import SYSTEM, resolve
from penstock.errors import SourceError
from penstock.lake.table import TableSpec
from penstock.spec.contract import Contract, Evolution
from penstock.spec.source import Source


def source_columns(bronze: TableSpec | None) -> tuple[str, ...]:
    """The columns of bronze that came with files; none before the first commit."""
    return () if bronze is None else tuple(column.name for column in bronze.columns if column.name not in SYSTEM)


def spelled(columns: Iterable[str], headers: Iterable[str]) -> tuple[str, ...]:
    """All columns of bronze; a header that differs from a known one in capitals alone is the same column.

    >>> spelled(["Title"], ["TITLE", "fee"])
    ('Title', 'fee')
    """
    found: dict[str, str] = {}
    for name in (*columns, *headers):
        found.setdefault(name.lower(), name)
    return tuple(found.values())


def renamed(rows: pa.Table, columns: Iterable[str]) -> pa.Table:
    """The rows with each column named as bronze names it."""
    names = {name.lower(): name for name in columns}
    return rows.rename_columns([names.get(name.lower(), name) for name in rows.column_names])


def check_frozen(contract: Contract, source: Source, names: Sequence[str], *, where: str) -> None:
    """A contract that is frozen refuses columns it does not name."""
    unknown = resolve(contract, source.reading, names).unknown
    if unknown and contract.evolution is Evolution.FREEZE:
        raise SourceError(
            "The file has columns that the contract does not name, and its evolution is `freeze`",
            where=where,
            expected=", ".join(column.name for column in contract.columns),
            found=", ".join(unknown),
            remedy=f"Add them to {contract.path.name}, or declare another `penstock.evolution`.",
        )


def check_known(contract: Contract, source: Source, names: Sequence[str], *, where: str) -> None:
    """A file that has none of the contract's columns is another file, or is read with another delimiter."""
    found = resolve(contract, source.reading, names)
    if names and not any(found.sources.values()):
        wanted = dict.fromkeys(column.name for column in contract.columns) | dict(source.reading.mapping)
        raise SourceError(
            "The file has none of the columns of the contract",
            where=where,
            expected=f"one of {', '.join(wanted[name] or name for name in wanted)}",
            found=", ".join(names)[:200],
            remedy="Correct `files`, `csv.delimiter` or `reading.columns` of the source. Nothing of it was taken.",
        )
