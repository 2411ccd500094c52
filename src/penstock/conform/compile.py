"""Contract and reading to the plan that checks a batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from penstock.conform.codes import Code
from penstock.conform.columns import (
    OPENED,
    ROW_HASH,
    SYSTEM,
    VERSION,
    Resolution,
    decimal_size,
    has_opened,
    resolve,
    sql_type,
)
from penstock.conform.literals import typed_literal
from penstock.conform.plan import Plan, Violation
from penstock.conform.rules import Check, RowCheck, checks, row_check
from penstock.conform.values import BLANKS, Reader, reader
from penstock.errors import DeclarationError
from penstock.spec.contract import Classification, Column, Contract, Evolution, LogicalType
from penstock.spec.source import Reading
from penstock.sql.canonical import HashField, row_hash_expression
from penstock.sql.names import literal, quote
from penstock.sql.pseudonym import pseudonym_expression

FOUND_SHOWN = 100
HIDDEN = "(hidden)"


@dataclass(frozen=True)
class Pseudonyms:
    """What makes a pseudonym: the secret, and for each pseudonymous column the column id whose value it is."""

    key: bytes
    domains: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Pseudonyms(key={HIDDEN}, domains={dict(self.domains)})"


@dataclass(frozen=True)
class _Cell:
    """A column on its way: the names of its text and of its typed value, and how one becomes the other."""

    column: Column
    index: int
    text: str
    reader: Reader | None
    value: str
    pseudonym: str
    missing: bool
    required: bool
    hidden: bool
    checks: tuple[Check, ...]
    constant: str | None = None  # SQL of the one value of every row


def compile_plan(
    contract: Contract,
    reading: Reading,
    available: Sequence[str],
    *,
    tenant: str,
    pseudonyms: Pseudonyms,
    typed: bool = False,
) -> Plan:
    """Compile for relations with the columns `available`; DeclarationError when the contract cannot be compiled.

    `typed`: the relation's columns have the types of the contract already, and are taken as they are.
    """
    _refuse_reserved(contract)
    resolution = resolve(contract, reading, available)
    cells = tuple(_cell(contract, reading, resolution, index, typed) for index in range(len(contract.columns)))
    rules = tuple(row_check(rule, contract) for rule in contract.rules)
    values = {cell.column.name: cell.pseudonym if _is_pseudonym(cell, pseudonyms) else cell.value for cell in cells}
    extra = _key_columns(contract, values, tenant, pseudonyms)
    return Plan(
        columns=(*values, *SYSTEM, *extra),
        resolution=resolution,
        texts=tuple(f"{_text(cell, reading, resolution, typed)} AS {cell.text}" for cell in cells),
        layers=(*_layers(cells, rules), *_pseudonym_layer(cells, tenant, pseudonyms)),
        silver=(
            *(f"{sql} AS {quote(name)}" for name, sql in values.items()),
            *SYSTEM,
            *(f"{sql} AS {name}" for name, sql in extra.items()),
        ),
        violated=_violated(cells, rules),
        discarded=_discarded(contract, reading, resolution),
        violations=(
            *(violation for cell in cells for violation in _violations(cell)),
            *(_rule_violation(rule, cells) for rule in rules),
        ),
        row=_row([name for name in available if name not in (*SYSTEM, VERSION)]),
        fingerprint=contract.fingerprint,
    )


def has_value(source_column: str, reading: Reading) -> str:
    """SQL: the source column holds something other than a null literal."""
    name = quote(source_column)
    nulls = ", ".join(map(literal, reading.null_values))
    return f"({name} IS NOT NULL AND {name} NOT IN ({nulls}))" if nulls else f"({name} IS NOT NULL)"


def _refuse_reserved(contract: Contract) -> None:
    for column in contract.columns:
        if column.name.startswith("_"):
            raise DeclarationError(
                f"The column name {column.name} is reserved",
                where=str(contract.path),
                expected="a name that does not begin with an underscore",
                remedy="Rename the column; source columns of any name can be mapped to it.",
            )


def _cell(contract: Contract, reading: Reading, resolution: Resolution, index: int, typed: bool) -> _Cell:
    column = contract.columns[index]
    text = f"__t{index}"
    declared = reading.constant(column.name)
    constant = None if declared is None else typed_literal(column, declared)
    is_version = resolution.sources.get(column.name) == (VERSION,)
    if is_version:
        reading = replace(reading, timestamp_format=reading.version_format, date_format=reading.version_format)
    read = None if typed or constant is not None else reader(column, reading, text, lambda k: f"__s{index}_{k}")
    value = text if read is None else f"__v{index}"
    return _Cell(
        column=column,
        index=index,
        text=text,
        reader=read,
        value=value,
        pseudonym=f"__p{index}",
        missing=column.name not in resolution.sources and constant is None,
        required=column.required or column.name in contract.identity,
        hidden=column.classification is Classification.PERSONAL,
        checks=checks(column, value),
        constant=constant,
    )


def _text(cell: _Cell, reading: Reading, resolution: Resolution, typed: bool) -> str:
    """The text of a column, null where it is one of the null literals; blanks around it go unless it is a string."""
    if cell.constant is not None:
        return cell.constant
    if typed:
        names = [quote(name) for name in resolution.sources.get(cell.column.name, ())]
        return f"coalesce({', '.join(names)})" if names else f"CAST(NULL AS {sql_type(cell.column)})"
    texts = [f"CAST({quote(name)} AS VARCHAR)" for name in resolution.sources.get(cell.column.name, ())]
    if cell.column.type is not LogicalType.STRING:
        texts = [_trimmed(text) for text in texts]
    if reading.null_values:
        nulls = ", ".join(map(literal, reading.null_values))
        texts = [f"CASE WHEN {text} NOT IN ({nulls}) THEN {text} END" for text in texts]
    if len(texts) == 1:
        return texts[0]
    return f"coalesce({', '.join(texts)})" if texts else "CAST(NULL AS VARCHAR)"


def _trimmed(text: str) -> str:
    """Without the blanks around it. Most texts have none, and finding that out costs less than trimming: no blank is
    above the space."""
    bare = f"left({text}, 1) > ' ' AND right({text}, 1) > ' '"
    return f"CASE WHEN {bare} THEN {text} ELSE trim({text}, {literal(BLANKS)}) END"


def _layers(cells: Sequence[_Cell], rules: Sequence[RowCheck]) -> Iterator[tuple[str, ...]]:
    """The steps of all columns, then their values, then the values under the names that rules use."""
    readers = [(cell, cell.reader) for cell in cells if cell.reader is not None]
    for k in range(max((len(read.steps) for _, read in readers), default=0)):
        yield tuple(f"{read.steps[k]} AS __s{cell.index}_{k}" for cell, read in readers if k < len(read.steps))
    if readers:
        yield tuple(f"{read.value} AS {cell.value}" for cell, read in readers)
    used = {name for rule in rules for name in rule.columns}
    if used:
        yield tuple(f"{cell.value} AS {quote(cell.column.name)}" for cell in cells if cell.column.name in used)


def _is_pseudonym(cell: _Cell, pseudonyms: Pseudonyms) -> bool:
    return cell.column.name in pseudonyms.domains


def _pseudonym_layer(cells: Sequence[_Cell], tenant: str, pseudonyms: Pseudonyms) -> Iterator[tuple[str, ...]]:
    made = {
        cell.pseudonym: pseudonym_expression(
            pseudonyms.key,
            tenant=tenant,
            domain=pseudonyms.domains[cell.column.name],
            type=cell.column.type,
            expression=cell.value,
        )
        for cell in cells
        if _is_pseudonym(cell, pseudonyms)
    }
    if made:
        yield tuple(f"{sql} AS {name}" for name, sql in made.items())


def _key_columns(contract: Contract, values: Mapping[str, str], tenant: str, pseudonyms: Pseudonyms) -> dict[str, str]:
    """Row hash and `_opened`, where the contract has them. The hash is of what silver holds, pseudonyms included."""
    if not contract.identity:
        return {}
    fields = [
        HashField(
            column.id,
            LogicalType.STRING if column.name in pseudonyms.domains else column.type,
            values[column.name],
            decimal_size(column) if column.type is LogicalType.DECIMAL else None,
        )
        for column in contract.columns
    ]
    extra = {ROW_HASH: row_hash_expression(tenant, fields)}
    if has_opened(contract):
        extra[OPENED] = values[contract.dedupe.order_by or ""]
    return extra


def _violated(cells: Sequence[_Cell], rules: Sequence[RowCheck]) -> str:
    """Whether a row breaks any rule. Which rule of a type it is matters only for rejected rows."""
    unreadable = [f"({cell.text} IS NOT NULL AND {cell.value} IS NULL)" for cell in cells if cell.reader is not None]
    absent = [f"{cell.text} IS NULL" for cell in cells if cell.required]
    constraints = [f"({check.condition})" for cell in cells for check in cell.checks]
    broken = [rule.condition for rule in rules]
    return f"coalesce({' OR '.join([*unreadable, *absent, *constraints, *broken]) or 'FALSE'}, FALSE)"


def _violations(cell: _Cell) -> Iterator[Violation]:
    name, none = cell.column.name, "CAST(NULL AS VARCHAR)"
    found = literal(HIDDEN) if cell.hidden else _shown(cell.text)
    if cell.required and cell.missing:
        names = ", ".join((name, *cell.column.aliases))
        yield Violation(Code.MISSING_COLUMN, name, f"a column {names}", "TRUE", none)
    elif cell.required:
        yield Violation(Code.REQUIRED, name, "a value", f"{cell.text} IS NULL", none)
    for fault in () if cell.reader is None else cell.reader.faults:
        yield Violation(fault.code, name, fault.expected, f"{cell.text} IS NOT NULL AND {fault.condition}", found)
    for check in cell.checks:
        yield Violation(check.code, name, check.expected, check.condition, found)


def _rule_violation(rule: RowCheck, cells: Sequence[_Cell]) -> Violation:
    """Shows the values the rule saw, except personal ones."""
    shown = [
        f"{literal(cell.column.name + '=')} || coalesce({_shown(cell.text)}, 'null')"
        for cell in cells
        if cell.column.name in rule.columns and not cell.hidden
    ]
    found = f"concat_ws(', ', {', '.join(shown)})" if shown else literal(HIDDEN)
    return Violation(Code.RULE, rule.name, rule.expected, rule.condition, found)


def _shown(text: str) -> str:
    text = f"CAST({text} AS VARCHAR)"
    return f"CASE WHEN length({text}) > {FOUND_SHOWN} THEN left({text}, {FOUND_SHOWN - 1}) || '…' ELSE {text} END"


def _discarded(contract: Contract, reading: Reading, resolution: Resolution) -> str:
    """Whether drift filters the row: the contract says discard_row and a column it does not name has a value."""
    if contract.evolution is not Evolution.DISCARD_ROW or not resolution.unknown:
        return "FALSE"
    return f"({' OR '.join(has_value(name, reading) for name in resolution.unknown)})"


def _row(names: Sequence[str]) -> str:
    """JSON of the row as read: source column -> text, nulls included."""
    pairs = ", ".join(f"{literal(name)}, {quote(name)}" for name in names)
    return f"CAST(json_object({pairs}) AS VARCHAR)"
