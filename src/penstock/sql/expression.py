"""Expressions of users over the columns of one row: what they may use, and their SQL with every name quoted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError

from penstock.errors import DeclarationError
from penstock.spec.problems import did_you_mean

# Functions whose answer depends on nothing but the values of the row.
FUNCTIONS = frozenset((
    "abs", "ceil", "ceiling", "coalesce", "concat", "concat_ws", "contains", "date_diff", "date_part", "date_sub",
    "date_trunc", "day", "dayofweek", "dayofyear", "ends_with", "epoch", "floor", "greatest", "hour", "if", "ifnull",
    "instr", "isfinite", "isnan", "least", "left", "length", "ln", "log", "log10", "lower", "lpad", "ltrim",
    "make_date", "md5", "minute", "mod", "month", "nullif", "position", "pow", "power", "prefix", "quarter",
    "regexp_extract", "regexp_full_match", "regexp_matches", "regexp_replace", "replace", "right", "round", "rpad",
    "rtrim", "second", "sha256", "sign", "split_part", "sqrt", "starts_with", "strftime", "strlen", "strpos",
    "substr", "substring", "suffix", "timezone", "trim", "trunc", "upper", "week", "weekday", "year",
))  # fmt: skip
HASHES = frozenset(("md5", "sha256"))  # what they make of a value does not show it
_PLAIN = (
    exp.And, exp.Or, exp.Not, exp.Paren, exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Neg,
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Is, exp.In, exp.Between,
    exp.Like, exp.ILike, exp.Escape, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.DPipe, exp.Case,
    exp.If, exp.Cast, exp.TryCast, exp.DataType, exp.DataTypeParam, exp.Interval, exp.Var, exp.Extract, exp.Tuple,
)  # fmt: skip


@dataclass(frozen=True)
class RowExpression:
    """`sql` over the columns `columns`, in the order in which they are first named."""

    sql: str
    columns: tuple[str, ...]


def row_expression(text: str, names: Iterable[str], *, kind: str, where: str) -> RowExpression:
    """Compile an expression over columns `names`; DeclarationError, which calls it a `kind`, unless it uses only them,
    operators and functions of one row.

    >>> row_expression("Fee * 2 > 5", ["fee"], kind="filter", where="streams/desk.yml:4:9").sql
    '"fee" * 2 > 5'
    """
    try:
        tree = sqlglot.parse_one(text, dialect="duckdb")
    except SqlglotError as error:
        raise DeclarationError(f"The {kind} is not a SQL expression", where=where, found=_odd(text, error)) from error
    known = {name.lower(): name for name in names}
    used: dict[str, None] = {}
    for node in tree.walk():
        _check_node(node, kind, where)
        if isinstance(node, exp.Column):
            used[_column_name(node, known, kind, where)] = None
    for node in tree.find_all(exp.Identifier):
        node.set("this", known.get(node.name.lower(), node.name))
        node.set("quoted", True)
    return RowExpression(tree.sql(dialect="duckdb"), tuple(used))


def shown_columns(text: str) -> tuple[str, ...]:
    """The columns whose values the result of an expression may show, as they are written; what is hashed is not shown.
    None of what is no expression: it is refused where it is compiled.

    >>> shown_columns("concat(name, sha256(mail), lower(CITY))")
    ('name', 'CITY')
    """
    try:
        tree = sqlglot.parse_one(text, dialect="duckdb")
    except SqlglotError:
        return ()
    walked = tree.walk(prune=lambda node: _function_name(node) in HASHES)
    return tuple(dict.fromkeys(node.name for node in walked if isinstance(node, exp.Column)))


def is_of_one_row(tree: exp.Expr) -> bool:
    """Whether an expression consists of columns, operators and functions of one row.

    >>> is_of_one_row(sqlglot.parse_one("fee > 2 * paid")), is_of_one_row(sqlglot.parse_one("fee > sum(paid)"))
    (True, False)
    """
    return all(_is_allowed(node) and not (isinstance(node, exp.Column) and node.db) for node in tree.walk())


def _odd(text: str, error: SqlglotError) -> str:
    """The text, and the word at which it stops to be an expression.

    >>> _odd("fee > * 2", ParseError("?", errors=[{"highlight": "2"}]))
    '`fee > * 2`, wrong at `2`'
    """
    word = error.errors[0].get("highlight") if isinstance(error, ParseError) and error.errors else None
    return f"`{text.strip()}`" + (f", wrong at `{word}`" if word else "")


def _is_allowed(node: exp.Expr) -> bool:
    return isinstance(node, _PLAIN) or _function_name(node) in FUNCTIONS


def _check_node(node: exp.Expr, kind: str, where: str) -> None:
    if not _is_allowed(node):
        raise DeclarationError(
            f"The {kind} uses something that is not allowed in a {kind}",
            where=where,
            expected="columns, operators and functions of one row",
            found=node.sql(dialect="duckdb"),
        )


def _function_name(node: exp.Expr) -> str | None:
    """The function as DuckDB will see it; sqlglot's own name may differ."""
    if isinstance(node, exp.Anonymous):
        return str(node.this).lower()
    if isinstance(node, exp.AggFunc) or not isinstance(node, exp.Func):
        return None
    return node.sql(dialect="duckdb").split("(", 1)[0].strip().lower()


def _column_name(node: exp.Column, names: dict[str, str], kind: str, where: str) -> str:
    name = node.name
    if node.table or name.lower() not in names:
        raise DeclarationError(
            f"The {kind} names a column that is not there",
            where=where,
            expected=", ".join(names.values()),
            found=node.sql(dialect="duckdb"),
            remedy=did_you_mean(name, names.values()),
        )
    return names[name.lower()]
