"""The condition of a request: a small part of SQL over dimensions, its values bound and never part of the text.

    country = 'France' AND NOT is_product
    country IN ('France', 'Norway') OR member__joined__month >= '2011-01-01'
    country LIKE 'N%' AND code IS NOT NULL AND size BETWEEN 1 AND 10

Dimensions, text, numbers, TRUE, FALSE, NULL; = <> < <= > >=, IN, BETWEEN, LIKE, IS [NOT] NULL, AND, OR, NOT and
brackets. Nothing else is SQL here: no functions, no arithmetic, no subqueries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from penstock.errors import UsageError
from penstock.metrics.metric import Dimension, DimensionKind, Metric
from penstock.metrics.request import find_dimension

Value = str | int | Decimal | bool | date

_COMPARED = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.In, exp.Between, exp.Like, exp.Is)
_MOST_VALUES = 1000
_GRAMMAR = (
    "dimensions, texts, numbers, TRUE, FALSE, NULL; = <> < <= > >=, IN, BETWEEN, LIKE, IS NULL, AND, OR, NOT, brackets"
)


@dataclass(frozen=True)
class Condition:
    """A condition that may be put into SQL: its tree over whole names of dimensions, and its values by parameter."""

    tree: exp.Expr
    dimensions: frozenset[str]
    values: Mapping[str, Value]

    def over(self, columns: Mapping[str, exp.Expr]) -> exp.Expr:
        """The condition with each dimension replaced by the expression that holds it."""

        def replaced(node: exp.Expr) -> exp.Expr:
            return columns[node.name].copy() if isinstance(node, exp.Column) else node

        return self.tree.copy().transform(replaced)


def read_condition(text: str, metric: Metric) -> Condition:
    """Parse a condition; UsageError for what is not in the grammar or not a dimension of the metric."""
    try:
        statement = sqlglot.parse(text, dialect="duckdb")
    except (SqlglotError, RecursionError) as error:
        raise _refused(text, "it cannot be parsed") from error
    if statement == [None]:
        raise _refused(text, "nothing")
    if len(statement) != 1 or statement[0] is None:
        raise _refused(text, f"{len(statement)} expressions")
    reader = _Reader(text, metric)
    tree = reader.boolean(statement[0])
    return Condition(tree, frozenset(reader.dimensions), reader.values)


class _Reader:
    """Builds the tree anew from what the grammar knows, so nothing else can be in it."""

    def __init__(self, text: str, metric: Metric) -> None:
        self._text = text
        self._metric = metric
        self.dimensions: set[str] = set()
        self.values: dict[str, Value] = {}

    def boolean(self, node: exp.Expr) -> exp.Expr:
        match node:
            case exp.And():
                return exp.And(this=self.boolean(node.this), expression=self.boolean(node.expression))
            case exp.Or():
                return exp.Or(this=self.boolean(node.this), expression=self.boolean(node.expression))
            case exp.Not():
                return exp.Not(this=exp.Paren(this=self.boolean(node.this)))
            case exp.Paren():
                return exp.Paren(this=self.boolean(node.this))
            case exp.Boolean():
                return exp.Boolean(this=bool(node.this))
            case exp.Column():
                return self._column(node)[0]
        if isinstance(node, _COMPARED):
            return self._comparison(node)
        raise _refused(self._text, node.sql(dialect="duckdb"))

    def _comparison(self, node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Is):
            if not isinstance(node.expression, exp.Null | exp.Boolean):
                raise _refused(self._text, node.sql(dialect="duckdb"))
            return exp.Is(this=self._dimension(node.this)[0], expression=node.expression.copy())
        if isinstance(node, exp.In):
            column, dimension = self._dimension(node.this)
            allowed = {"this", "expressions"}
            if any(value for key, value in node.args.items() if key not in allowed) or not node.expressions:
                raise _refused(self._text, node.sql(dialect="duckdb"))
            return exp.In(this=column, expressions=[self._value(value, dimension) for value in node.expressions])
        if isinstance(node, exp.Between):
            column, dimension = self._dimension(node.this)
            low, high = (self._value(node.args[end], dimension) for end in ("low", "high"))
            return exp.Between(this=column, low=low, high=high)
        left, right = node.this.unnest(), node.expression.unnest()
        columns = [side for side in (left, right) if isinstance(side, exp.Column)]
        compared = [self._column(side)[1] for side in columns[:1]]
        if not compared:
            raise _refused(self._text, f"{node.sql(dialect='duckdb')}, which compares no dimension")
        return type(node)(this=self._operand(left, compared[0]), expression=self._operand(right, compared[0]))

    def _operand(self, node: exp.Expr, other: Dimension) -> exp.Expr:
        if not isinstance(node, exp.Column):
            return self._value(node, other)
        try:
            return self._column(node)[0]
        except UsageError as error:
            raise self._bare(node) from error

    def _dimension(self, node: exp.Expr) -> tuple[exp.Expr, Dimension]:
        if not isinstance(node, exp.Column):
            raise _refused(self._text, node.sql(dialect="duckdb"))
        return self._column(node)

    def _column(self, node: exp.Column) -> tuple[exp.Expr, Dimension]:
        if node.table:
            raise _refused(self._text, node.sql(dialect="duckdb"))
        dimension = find_dimension(self._metric, node.name)
        self.dimensions.add(dimension.name)
        return exp.column(dimension.name), dimension

    def _value(self, node: exp.Expr, dimension: Dimension) -> exp.Expr:
        value = self._literal(node)
        if isinstance(value, str) and dimension.kind is DimensionKind.TIME:
            value = self._date(value)
        if len(self.values) >= _MOST_VALUES:
            raise UsageError("The condition has too many values", expected=f"at most {_MOST_VALUES}")
        name = f"value_{len(self.values)}"
        self.values[name] = value
        return exp.Parameter(this=exp.var(name))

    def _literal(self, node: exp.Expr) -> Value:
        negative = isinstance(node, exp.Neg)
        inner = node.this if negative else node
        if isinstance(inner, exp.Boolean) and not negative:
            return bool(inner.this)
        if isinstance(inner, exp.Literal) and inner.is_string and not negative:
            return str(inner.this)
        if isinstance(inner, exp.Literal) and not inner.is_string:
            number = Decimal(inner.this)
            whole = number == number.to_integral_value() and "." not in inner.this
            signed = -number if negative else number
            return int(signed) if whole else signed
        if isinstance(node, exp.Cast) and node.to.is_type("date") and isinstance(node.this, exp.Literal):
            return self._date(node.this.this)
        if isinstance(node, exp.Column):
            raise self._bare(node)
        raise _refused(self._text, node.sql(dialect="duckdb"))

    def _bare(self, node: exp.Column) -> UsageError:
        """A word where a value was meant: a shell takes quotes away, and SQL takes double quotes for names."""
        return UsageError(
            f"`{node.name}` is neither a dimension nor a value",
            where=self._text,
            remedy=f"A text stands in single quotes: '{node.name}'.",
        )

    def _date(self, text: str) -> date:
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise _refused(self._text, f"{text!r}, which is not a day such as 2011-12-01") from None


def _refused(text: str, found: str) -> UsageError:
    return UsageError("The condition is not allowed here", where=text or "''", expected=_GRAMMAR, found=found)
