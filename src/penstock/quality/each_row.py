"""Queries that judge each row by itself: asked of the rows that came, they find what came to be found."""

from __future__ import annotations

from collections.abc import Collection

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from penstock.quality.growth import CAME, CAME_GOLD
from penstock.sql.expression import is_of_one_row

_CAME = {"silver": CAME, "gold": CAME_GOLD}


def of_rows_that_came(sql: str, datasets: Collection[str], gold: Collection[str] = ()) -> str | None:
    """The query over the rows that came to `datasets` and to tables of `gold`; None unless it reads these alone, and what
    it makes of a row depends neither on other rows nor on when it is asked.

    >>> of_rows_that_came("SELECT fee FROM silver.loans WHERE fee < 0", {"loans"})
    'SELECT fee FROM came.loans WHERE fee < 0'
    >>> of_rows_that_came("SELECT sum(fee) FROM silver.loans", {"loans"})
    """
    try:
        tree = sqlglot.parse_one(sql, dialect="duckdb")
    except SqlglotError:
        return None
    if not _each_row(tree):
        return None
    for table in tree.find_all(exp.Table):
        if table.name not in {"silver": datasets, "gold": gold}.get(table.db, ()):
            return None
        table.set("db", exp.to_identifier(_CAME[table.db]))
    return tree.sql(dialect="duckdb")


def _each_row(tree: object) -> bool:
    """Whether a relation gives rows of tables, one by one."""
    match tree:
        case exp.Select():
            return _has_only(tree, "expressions", "from_", "where", "order") and _of_one_relation(tree)
        case exp.Union():
            return _has_only(tree, "this", "expression") and _each_row(tree.this) and _each_row(tree.expression)
        case exp.Subquery():
            return _has_only(tree, "this", "alias") and _each_row(tree.this)
        case exp.Table():
            return _has_only(tree, "this", "db", "alias")
    return False


def _of_one_relation(select: exp.Select) -> bool:
    """Whether a SELECT makes at most one row of each of what it reads."""
    source, where, order = select.args.get("from_"), select.args.get("where"), select.args.get("order")
    shown = [one.this if isinstance(one, exp.Alias) else one for one in select.expressions]
    asked = [] if where is None else [where.this]
    ordered = [] if order is None else [one.this for one in order.expressions]
    return (
        source is not None
        and _each_row(source.this)
        and all(_is_whole_row(one) or is_of_one_row(one) for one in [*shown, *asked, *ordered])
    )


def _is_whole_row(node: exp.Expr) -> bool:
    return isinstance(node, exp.Star) and _has_only(node)


def _has_only(node: exp.Expr, *names: str) -> bool:
    return {name for name, value in node.args.items() if value} <= {*names}
