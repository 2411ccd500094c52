"""What fills the columns of a contract besides the files: constants, other columns, and versions in file names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from penstock.spec import delivery_file
from penstock.spec import source_file as keys
from penstock.spec.contract import Column, LogicalType
from penstock.spec.contract_file import DeclaredContract
from penstock.spec.document import Entries, Place
from penstock.spec.problems import Problems, did_you_mean
from penstock.spec.shape import Fields, Key
from penstock.spec.source import DeliveryMode
from penstock.spec.typed_text import TypedText, typed_text

_MOMENTS = (LogicalType.DATE, LogicalType.TIMESTAMP)
_ORDERED = (*_MOMENTS, LogicalType.INTEGER, LogicalType.DECIMAL, LogicalType.STRING)


def judge_filling(fields: Fields, contract: DeclaredContract, mapping: dict[str, str], problems: Problems) -> None:
    """Hold constants, `same_as` and `version` of a source against the contract, and against each other."""
    reading, delivery = fields.get(keys.READING_KEY), fields.get(keys.DELIVERY_KEY)
    filled = {column: f"`{origin}` under `columns`" for column, origin in mapping.items()}
    if delivery is not None:
        _judge_version(delivery, contract, filled, problems)
    if reading is None:
        return
    copies, constants = _pairs(reading, keys.SAME_AS), _pairs(reading, keys.CONSTANTS)
    for name, place in _named(reading, keys.SAME_AS.name):
        _fill(name, place, f"`{copies.get(name)}` under `same_as`", contract, filled, problems)
        _judge_copy(name, copies.get(name), place, copies, contract, problems)
    for name, place in _named(reading, keys.CONSTANTS.name):
        _fill(name, place, f"`{constants.get(name)}` under `constants`", contract, filled, problems)
        declared = contract.column(name)
        if declared is not None and declared.column is not None and name in constants:
            _judge_constant(declared.column, constants[name], place, problems)


def _pairs(section: Fields, key: Key[tuple[tuple[str, str], ...] | None]) -> dict[str, str]:
    pairs = section.get(key)
    return {} if pairs is None else dict(pairs)


def _named(section: Fields, key: str) -> Iterator[tuple[str, Place]]:
    node = section.node.get(key)
    yield from node.keys.items() if isinstance(node, Entries) else ()


def _fill(
    name: str, place: Place, origin: str, contract: DeclaredContract, filled: dict[str, str], problems: Problems
) -> None:
    """Note where a column comes from; nothing may fill it twice."""
    if contract.column(name) is None and contract.knows_its_columns():
        problems.add(
            place,
            f"The contract of `{contract.name}` has no column `{name}`",
            remedy=did_you_mean(name, contract.column_names()) or "Name a column of the contract.",
        )
    elif name in filled:
        problems.add(
            place,
            f"The column `{name}` is filled twice",
            expected="one origin of its values",
            found=f"{filled[name]} and {origin}",
            remedy="Remove one of them.",
        )
    filled.setdefault(name, origin)


def _judge_copy(
    name: str, origin: str | None, place: Place, copies: dict[str, str], contract: DeclaredContract, problems: Problems
) -> None:
    if origin is None:
        return
    own, other = contract.column(name), contract.column(origin)
    if other is None and contract.knows_its_columns():
        problems.add(
            place,
            f"The contract of `{contract.name}` has no column `{origin}`",
            subject=origin,
            remedy=did_you_mean(origin, contract.column_names()) or "Name a column of the contract.",
        )
    elif origin in copies:
        problems.add(
            place,
            f"`{origin}` takes its value from another column itself",
            expected="a column that the files fill",
            remedy="Name the column that the files fill.",
        )
        return
    first, second = None if own is None else own.column, None if other is None else other.column
    if first is not None and second is not None and first.type is not second.type:
        problems.add(
            place,
            f"`{name}` and `{origin}` are of different types",
            expected=f"a column of type {first.type}",
            found=str(second.type),
            remedy="Name another column, or map one of the files.",
        )


def _judge_constant(column: Column, text: str, place: Place, problems: Problems) -> None:
    """Patterns are tried as far as they mean the same here; compiling the contract tries the rest."""
    value = typed_text(column.type, text, precision=column.precision, scale=column.scale)
    expected = f"a value of type {column.type}" if value is None else _violated(column, value)
    if expected is not None:
        problems.add(
            place,
            f"The constant for `{column.name}` is not what the contract says",
            expected=expected,
            found=f"`{text}`",
            remedy="Correct it, or the contract.",
        )


def _violated(column: Column, value: TypedText) -> str | None:
    """What the contract expects of the column and the value is not."""
    if column.enum is not None and value.text not in column.enum:
        return f"one of {', '.join(f'`{one}`' for one in column.enum)}"
    low = None if column.minimum is None else typed_text(column.type, column.minimum)
    high = None if column.maximum is None else typed_text(column.type, column.maximum)
    if low is not None and (value.value < low.value or (column.exclusive_minimum and value.value == low.value)):
        return f"more than {low.text}" if column.exclusive_minimum else f"at least {low.text}"
    if high is not None and (value.value > high.value or (column.exclusive_maximum and value.value == high.value)):
        return f"less than {high.text}" if column.exclusive_maximum else f"at most {high.text}"
    if column.min_length is not None and len(value.text) < column.min_length:
        return f"at least {column.min_length} characters"
    if column.max_length is not None and len(value.text) > column.max_length:
        return f"at most {column.max_length} characters"
    return f"text like `{column.pattern}`" if column.pattern and not _matches(column.pattern, value.text) else None


def _matches(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return True


def _judge_version(delivery: Fields, contract: DeclaredContract, filled: dict[str, str], problems: Problems) -> None:
    name, mode = delivery.get(delivery_file.VERSION), delivery.get(delivery_file.MODE)
    if name is None or mode is None or not mode.keeps_versions:
        return
    place = delivery.place(delivery_file.VERSION)
    if delivery.given(delivery_file.PATTERN):
        _fill(name, place, "the name of the file", contract, filled, problems)
    elif contract.column(name) is None and contract.knows_its_columns():
        _fill(name, place, "", contract, {}, problems)
    allowed = _MOMENTS if mode is DeliveryMode.SNAPSHOT else _ORDERED
    declared = contract.column(name)
    column = None if declared is None else declared.column
    if column is not None and column.type not in allowed:
        problems.add(
            place,
            f"`{name}` cannot be the version",
            expected="a moment, of type date or timestamp" if allowed is _MOMENTS else "a column with an exact order",
            found=str(column.type),
            remedy="Name another column of the contract.",
        )
    if not contract.key:
        problems.add(
            place,
            f"`{contract.name}` has no key of which there could be versions",
            remedy="Declare `primaryKey` in the contract.",
        )
    elif name in contract.key:
        problems.add(
            place,
            f"`{name}` is part of the key, so no key has two versions",
            expected="a key without the version",
            found=", ".join(contract.key),
            remedy=f"Take `primaryKey` from `{name}` in the contract.",
        )
