"""The type that a contract gives a column, and values of it that stand in the contract."""

from __future__ import annotations

import re
from dataclasses import dataclass

from penstock.spec import contract_keys as keys
from penstock.spec.contract import LogicalType
from penstock.spec.document import Node, Scalar, describe
from penstock.spec.problems import Problems
from penstock.spec.shape import Fields
from penstock.spec.typed_text import TypedText, typed_text

_DECIMAL = re.compile(r"(?:decimal|numeric)\s*(?:\(\s*(\d{1,3})\s*(?:,\s*(\d{1,3})\s*)?\))?", flags=re.IGNORECASE)


@dataclass(frozen=True)
class ColumnType:
    """A logical type, of an exact decimal with its digits."""

    kind: LogicalType
    precision: int | None = None
    scale: int | None = None

    def __str__(self) -> str:
        return f"decimal({self.precision},{self.scale})" if self.kind is LogicalType.DECIMAL else self.kind.value

    def value(self, text: str) -> TypedText | None:
        return typed_text(self.kind, text, precision=self.precision, scale=self.scale)


def read_type(fields: Fields, problems: Problems) -> ColumnType | None:
    """The type of a column; None where it is wrong or not said."""
    kind = fields.get(keys.LOGICAL_TYPE)
    physical = fields.get(keys.PHYSICAL_TYPE)
    match = _DECIMAL.fullmatch(physical.strip()) if physical is not None else None
    if kind is None or match is None:
        return None if kind is None else ColumnType(kind)
    place = fields.place(keys.PHYSICAL_TYPE)
    if kind is not LogicalType.NUMBER:
        problems.add(
            place,
            f"`physicalType` is an exact decimal, but the column is of logicalType `{kind}`",
            expected="logicalType `number`",
            found=f"`{physical}`",
            remedy="Correct one of them.",
        )
        return None
    precision, scale = int(match[1] or 0), int(match[2] or 0)
    if not 1 <= precision <= 38 or scale > precision:
        problems.add(
            place,
            "An exact decimal needs its digits",
            expected="`decimal(P,S)` with at most 38 digits, S of them after the point",
            found=f"`{physical}`",
            remedy="Write for example `decimal(18,4)`.",
        )
        return None
    return ColumnType(LogicalType.DECIMAL, precision, scale)


def declared_value(node: Node, kind: ColumnType, name: str, problems: Problems) -> TypedText | None:
    """A value that the contract names; None, and a problem, where the column cannot have it."""
    value = None
    if isinstance(node, Scalar) and node.value is not None:
        quoted = kind.kind in (LogicalType.STRING, LogicalType.DATE, LogicalType.TIMESTAMP)
        if isinstance(node.value, str) or not quoted:
            value = kind.value(node.text.lower() if isinstance(node.value, bool) else node.text)
    if value is None:
        problems.add(
            node.place,
            f"`{name}` is not a value of the column",
            expected=f"a value of type {kind}",
            found=describe(node),
            remedy="Put it in quotes." if kind.kind is LogicalType.STRING else "Correct it, or the type of the column.",
        )
    return value
