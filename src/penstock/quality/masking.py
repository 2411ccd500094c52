"""Which columns of a query's result may show personal values. When in doubt, a column is hidden."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import sqlglot
from sqlglot import exp

from penstock.quality.result import MASK
from penstock.spec.contract import Classification
from penstock.spec.project import Project

QUARANTINE_COLUMNS = frozenset({"raw", "row", "reasons"})  # hold what was delivered, before any masking
_PLAIN_NAME = re.compile(r"\w+")
_DIALECT = "duckdb"


def personal_columns(project: Project) -> frozenset[str]:
    """Names, in lower case, that stand for personal values in silver, quarantine and models that keep the name.

    A personal key column is not among them: silver holds its pseudonym.
    """
    named = {
        column.name.lower()
        for contract in project.contracts.values()
        for column in contract.columns
        if column.classification is Classification.PERSONAL and column.name not in contract.key
    }
    return frozenset(named) | QUARANTINE_COLUMNS


def hidden_columns(sql: str, names: Sequence[str], personal: frozenset[str]) -> frozenset[str]:
    """The result columns `names` of `sql` that may carry a value of a personal column, under any alias.

    >>> sorted(hidden_columns("SELECT lower(mail) AS m, city FROM t", ["m", "city"], frozenset({"mail"})))
    ['m']
    """
    try:
        tree = sqlglot.parse_one(sql, dialect=_DIALECT)
    except sqlglot.errors.SqlglotError:
        return frozenset(names)
    tainted = _tainted_names(tree, personal)
    mentions = _mentions(tree, tainted)
    if mentions and any(tree.find_all(exp.SetOperation, exp.Pivot)):
        return frozenset(names)
    return frozenset(
        name for name in names if name.lower() in tainted or (mentions and not _PLAIN_NAME.fullmatch(name))
    )


def masked(row: Mapping[str, str | None], hidden: frozenset[str]) -> dict[str, str | None]:
    """The row with the values of hidden columns replaced; null stays null."""
    return {name: MASK if name in hidden and value is not None else value for name, value in row.items()}


def _tainted_names(tree: exp.Expr, personal: frozenset[str]) -> frozenset[str]:
    """Grow the set of names by every alias whose expression mentions one of them, until it stands still.

    A table's own name or alias used as a column is its whole row, so it is tainted from the start.
    """
    tainted = personal | {source.alias_or_name.lower() for source in tree.find_all(exp.Table, exp.Subquery)}
    while True:
        grown = tainted | set(_renamings(tree, tainted))
        if grown == tainted:
            return frozenset(tainted)
        tainted = grown


def _renamings(tree: exp.Expr, tainted: frozenset[str]) -> Iterator[str]:
    for alias in tree.find_all(exp.Alias):
        if _mentions(alias.this, tainted):
            yield alias.alias.lower()
    for table_alias in tree.find_all(exp.TableAlias):
        if table_alias.columns and table_alias.parent is not None and _mentions(table_alias.parent, tainted):
            yield from (column.name.lower() for column in table_alias.columns)


def _mentions(tree: exp.Expr, names: frozenset[str]) -> bool:
    """Whether a value of one of `names` can pass through the expression; a count of values cannot show them."""
    for node in tree.walk(prune=lambda node: isinstance(node, exp.Count)):
        if isinstance(node, exp.Star | exp.Columns):
            return True
        if isinstance(node, exp.Column) and node.name.lower() in names:
            return True
    return False
