"""Constraints of a column and rules over a row, as SQL conditions that are true when violated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from penstock.conform.codes import Code
from penstock.conform.formats import PATTERNS
from penstock.conform.literals import comparison, typed_literal
from penstock.conform.values import matches
from penstock.spec.contract import Column, Contract, LogicalType, RowRule
from penstock.sql.expression import row_expression
from penstock.sql.names import literal

SHOWN = 200


@dataclass(frozen=True)
class Check:
    """A constraint on the value of one column. `condition` is true for the values that violate it."""

    code: Code
    expected: str
    condition: str


@dataclass(frozen=True)
class RowCheck:
    """A rule over a row: `holds` is SQL over the typed columns `columns`."""

    name: str
    expected: str
    holds: str
    columns: tuple[str, ...]

    @property
    def condition(self) -> str:
        """True when the rule is false, and when it cannot be computed for the row (overflow, for one)."""
        return f"coalesce(NOT TRY(coalesce(CAST(({self.holds}) AS BOOLEAN), TRUE)), TRUE)"


def checks(column: Column, v: str) -> tuple[Check, ...]:
    """The constraints of a column on its typed value `v`."""
    return (*_enum(column, v), *_bounds(column, v), *_text_checks(column, v))


def row_check(rule: RowRule, contract: Contract) -> RowCheck:
    """Compile a rule; DeclarationError unless it uses only the contract's columns and functions of one row."""
    where = f"{contract.path}: rule {rule.name}"
    names = [column.name for column in contract.columns]
    compiled = row_expression(rule.expression, names, kind="rule", where=where)
    return RowCheck(rule.name, f"{rule.name}: {rule.expression}", compiled.sql, compiled.columns)


def _enum(column: Column, v: str) -> Iterator[Check]:
    if column.enum is not None:
        values = [typed_literal(column, text) for text in column.enum]
        listed = ", ".join(value for value in values if value is not None)
        condition = f"{v} NOT IN ({listed})" if listed else f"{v} IS NOT NULL"
        yield Check(Code.ENUM, _shortened("one of " + ", ".join(column.enum)), condition)


def _bounds(column: Column, v: str) -> Iterator[Check]:
    if column.minimum is not None:
        sign, words = ("<=", "more than") if column.exclusive_minimum else ("<", "at least")
        yield Check(Code.MINIMUM, f"{words} {column.minimum}", comparison(column, v, sign, column.minimum))
    if column.maximum is not None:
        sign, words = (">=", "less than") if column.exclusive_maximum else (">", "at most")
        yield Check(Code.MAXIMUM, f"{words} {column.maximum}", comparison(column, v, sign, column.maximum))


def _text_checks(column: Column, v: str) -> Iterator[Check]:
    text = v if column.type is LogicalType.STRING else f"CAST({v} AS VARCHAR)"
    if column.min_length is not None:
        words = f"at least {column.min_length} characters"
        yield Check(Code.MIN_LENGTH, words, f"length({text}) < {column.min_length}")
    if column.max_length is not None:
        words = f"at most {column.max_length} characters"
        yield Check(Code.MAX_LENGTH, words, f"length({text}) > {column.max_length}")
    if column.pattern is not None:
        condition = f"NOT regexp_matches({text}, {literal(column.pattern)})"
        yield Check(Code.PATTERN, _shortened(f"text like {column.pattern}"), condition)
    if column.format is not None:
        yield Check(Code.FORMAT, f"format {column.format.value}", f"NOT {matches(text, PATTERNS[column.format])}")


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
