"""Which source column feeds which contract column, and what silver's columns are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from penstock.spec.contract import Classification, Column, Contract, LogicalType
from penstock.spec.source import Reading

SYSTEM = ("_tenant", "_source", "_file", "_line", "_file_id", "_ingested_at", "_batch")
ROW_HASH = "_row_hash"
VERSION = "_file_version"  # of a relation whose files say their version in their name: that version, as text
OPENED = "_opened"
DECIMAL_PRECISION = 38
DECIMAL_SCALE = 9

_SQL_TYPES = {
    LogicalType.STRING: "VARCHAR",
    LogicalType.INTEGER: "BIGINT",
    LogicalType.NUMBER: "DOUBLE",
    LogicalType.BOOLEAN: "BOOLEAN",
    LogicalType.DATE: "DATE",
    LogicalType.TIMESTAMP: "TIMESTAMPTZ",
}


@dataclass(frozen=True)
class Resolution:
    """`sources`: contract column -> source columns that may hold it, the first with a value counts.

    `missing`: contract columns without one. `unknown`: source columns that feed none, in their order.
    """

    sources: Mapping[str, tuple[str, ...]]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]


def resolve(contract: Contract, reading: Reading, available: Sequence[str]) -> Resolution:
    """Find contract columns among the columns of a delivery: by the mapped name, or where there is none by their own, and
    by alias. A header is the name that it equals, or else the one that it equals without case, blanks and signs
    (`Unit Price` for `unit_price`).

    Several can be there, for deliveries with different headers stand in one table: a column that feeds in one
    delivery feeds beside those of all others too, or the order of arrival would decide.
    Constants and `same_as` of the reading fill their columns alone; so does the version in the name of the file.
    System columns (`_line` and so on) are neither sources nor unknown.
    """
    names = [name for name in available if name not in (*SYSTEM, VERSION)]
    filled = _filled(contract, reading, available)
    mapping = dict(reading.mapping)
    columns = [column for column in contract.columns if column.name not in filled]
    wanted = {column.name: _wanted(column, mapping) for column in columns}
    exact = {name: tuple(one for one in wishes if one in names) for name, wishes in wanted.items()}
    taken = {name for found in exact.values() for name in found}
    free = sorted((name for name in names if name not in taken), key=str.lower)
    sources = {name: (*exact[name], *_loose(wishes, free)) for name, wishes in wanted.items()}
    if contract.history is not None and VERSION in available:
        sources[contract.history] = (VERSION,)
    sources |= {name: sources.get(origin, ()) for name, origin in reading.same_as}
    used = {name for found in sources.values() for name in found}
    return Resolution(
        sources={name: found for name, found in sources.items() if found},
        missing=tuple(name for name, found in sources.items() if not found),
        unknown=tuple(name for name in names if name not in used),
    )


@dataclass(frozen=True)
class Rivals:
    """Columns of one delivery that are ways onto the same `column` of the contract: of those `read` the first with a
    value counts, those `passed` over are not read, for another name is mapped onto it."""

    column: str
    read: tuple[str, ...]
    passed: tuple[str, ...]

    def __str__(self) -> str:
        """
        >>> str(Rivals("quantity", ("qty",), ("Quantity",)))
        '`Quantity` is not read, for `qty` is mapped onto `quantity`: deliver one of them, or correct the mapping'
        >>> str(Rivals("fee", ("fee", "paid"), ()))
        '`fee` is filled from `fee` or `paid`: in each row the first with a value counts'
        """
        if self.passed:
            verb = "is" if len(self.passed) == 1 else "are"
            mapped = f"{_named(self.read, 'and') or 'another column'} is mapped onto `{self.column}`"
            remedy = "deliver one of them, or correct the mapping"
            return f"{_named(self.passed, 'and')} {verb} not read, for {mapped}: {remedy}"
        return f"`{self.column}` is filled from {_named(self.read, 'or')}: in each row the first with a value counts"


def rivals(contract: Contract, reading: Reading, names: Sequence[str]) -> tuple[Rivals, ...]:
    """The columns of the contract onto which there is more than one way from the columns of one delivery."""
    found = resolve(contract, reading, names)
    mapped = {name for name, _ in reading.mapping}
    ways = (
        Rivals(
            name,
            found.sources.get(name, ()),
            tuple(one for one in found.unknown if name in mapped and _folded(one) == _folded(name)),
        )
        for name in (column.name for column in contract.columns)
    )
    return tuple(one for one in ways if one.passed or len(one.read) > 1)


def _named(names: Sequence[str], word: str) -> str:
    return f" {word} ".join(f"`{name}`" for name in names)


def _filled(contract: Contract, reading: Reading, available: Sequence[str]) -> set[str]:
    """Columns of the contract that no column of the files fills by its name."""
    filled = {name for name, _ in (*reading.constants, *reading.same_as)}
    return filled | ({contract.history} if contract.history is not None and VERSION in available else set())


def sql_type(column: Column) -> str:
    """The DuckDB type of the column's values before any pseudonym.

    >>> sql_type(Column(id="a", name="a", type=LogicalType.DECIMAL, precision=18, scale=4))
    'DECIMAL(18,4)'
    """
    if column.type is LogicalType.DECIMAL:
        precision, scale = decimal_size(column)
        return f"DECIMAL({precision},{scale})"
    return _SQL_TYPES[column.type]


def decimal_size(column: Column) -> tuple[int, int]:
    """(digits in all, digits after the point) of a decimal column."""
    precision = DECIMAL_PRECISION if column.precision is None else column.precision
    scale = min(DECIMAL_SCALE, precision) if column.scale is None else column.scale
    return precision, scale


def has_opened(contract: Contract) -> bool:
    """Whether silver keeps the lowest order of a key: there is a key, an order and a horizon."""
    return bool(contract.identity) and contract.dedupe.order_by is not None and contract.dedupe.horizon is not None


def pseudonym_domains(contract: Contract, others: Mapping[str, Contract] | None = None) -> dict[str, str]:
    """Columns that silver holds as pseudonyms, each with the column id whose value it is.

    Personal key columns, and personal columns that refer to a personal key of another dataset
    (`others`, by dataset): both get the same domain, so they still join.
    """
    personal = {column.name: column.id for column in contract.columns if _is_personal(column)}
    domains = {name: personal[name] for name in contract.identity if name in personal}
    for reference in contract.references:
        target = (others or {}).get(reference.dataset)
        if target is None:
            continue
        targets = pseudonym_domains(target)
        for mine, theirs in zip(reference.columns, reference.to, strict=True):
            if mine in personal and theirs in targets:
                domains[mine] = targets[theirs]
    return domains


def _is_personal(column: Column) -> bool:
    return column.classification is Classification.PERSONAL


def _wanted(column: Column, mapping: Mapping[str, str]) -> tuple[str, ...]:
    """The names a column goes by: the mapped one, or else its own, and its aliases. What is mapped to another column
    is none of them."""
    others = {_folded(origin) for name, origin in mapping.items() if name != column.name}
    names = (mapping.get(column.name, column.name), *column.aliases)
    return tuple(dict.fromkeys(name for name in names if _folded(name) not in others))


def _loose(wanted: Sequence[str], free: Sequence[str]) -> tuple[str, ...]:
    folded = {_folded(name) for name in wanted}
    return tuple(name for name in free if _folded(name) in folded)


def _folded(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()
