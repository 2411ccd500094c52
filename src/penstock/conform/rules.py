"""Constraints of a column and rules over a row, as SQL conditions that are true when violated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from penstock.conform.codes import Code
from penstock.conform.formats import PATTERNS
from penstock.conform.literals import comparison, typed_literal
from penstock.conform.values import matches
from penstock.errors import DeclarationError
from penstock.spec.contract import Column, Contract, LogicalType, RowRule
from penstock.sql.names import literal

SHOWN = 200
FUNCTIONS = frozenset(
    [
        "abs",
        "ceil",
        "ceiling",
        "coalesce",
        "concat",
        "contains",
        "date_diff",
        "date_part",
        "date_sub",
        "date_trunc",
        "day",
        "dayofweek",
        "dayofyear",
        "ends_with",
        "epoch",
        "floor",
        "greatest",
        "hour",
        "if",
        "ifnull",
        "instr",
        "isfinite",
        "isnan",
        "least",
        "left",
        "length",
        "ln",
        "log",
        "log10",
        "lower",
        "lpad",
        "ltrim",
        "make_date",
        "minute",
        "mod",
        "month",
        "nullif",
        "position",
        "pow",
        "power",
        "quarter",
        "regexp_full_match",
        "regexp_matches",
        "replace",
        "right",
        "round",
        "rpad",
        "rtrim",
        "second",
        "sign",
        "sqrt",
        "starts_with",
        "strlen",
        "strpos",
        "substr",
        "substring",
        "suffix",
        "prefix",
        "trim",
        "trunc",
        "upper",
        "week",
        "weekday",
        "year",
    ]
)
_PLAIN = (
    exp.And, exp.Or, exp.Not, exp.Paren, exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Neg,
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Is, exp.In, exp.Between,
    exp.Like, exp.ILike, exp.Escape, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.DPipe, exp.Case,
    exp.If, exp.Cast, exp.TryCast, exp.DataType, exp.DataTypeParam, exp.Interval, exp.Var, exp.Extract, exp.Tuple,
)  # fmt: skip


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
    try:
        tree = sqlglot.parse_one(rule.expression, dialect="duckdb")
    except SqlglotError as error:
        reason = str(error).splitlines()[0]
        raise DeclarationError("The rule is not a SQL expression", where=where, found=reason) from error
    names = {column.name.lower(): column.name for column in contract.columns}
    used: dict[str, None] = {}
    for node in tree.walk():
        _check_node(node, where)
        if isinstance(node, exp.Column):
            used[_column_name(node, names, where)] = None
    for node in tree.find_all(exp.Identifier):
        node.set("quoted", True)
    return RowCheck(rule.name, f"{rule.name}: {rule.expression}", tree.sql(dialect="duckdb"), tuple(used))


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


def _check_node(node: exp.Expr, where: str) -> None:
    if isinstance(node, _PLAIN):
        return
    name = _function_name(node)
    if name is None or name not in FUNCTIONS:
        raise DeclarationError(
            "The rule uses something that is not allowed in a rule",
            where=where,
            expected="columns of the contract, operators and functions of one row",
            found=node.sql(dialect="duckdb"),
        )


def _function_name(node: exp.Expr) -> str | None:
    """The function as DuckDB will see it; sqlglot's own name may differ."""
    if isinstance(node, exp.Anonymous):
        return str(node.this).lower()
    if isinstance(node, exp.AggFunc) or not isinstance(node, exp.Func):
        return None
    return node.sql(dialect="duckdb").split("(", 1)[0].strip().lower()


def _column_name(node: exp.Column, names: dict[str, str], where: str) -> str:
    name = node.name
    if node.table or name.lower() not in names:
        raise DeclarationError(
            "The rule names a column that the contract does not have",
            where=where,
            expected=", ".join(names.values()),
            found=node.sql(dialect="duckdb"),
        )
    return names[name.lower()]


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
