"""Which columns of a query's result may show personal values. When in doubt, a column is hidden."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import sqlglot
from sqlglot import exp

from penstock.quality.result import MASK
from penstock.spec.contract import Classification
from penstock.spec.project import Project
from penstock.spec.stream import LIVE_PREFIX
from penstock.sql.personal import personal_of_dataset, personal_outputs

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


def personal_read(
    project: Project, queries: Iterable[str], gold: Mapping[str, Iterable[str]], *, catalogue: str = ""
) -> frozenset[str]:
    """Names, in lower case, of personal columns of the tables that queries read: a name may be personal in one table
    and not in another. `gold` tells them of models. Where any table is another one, all that `personal_columns` and
    `gold` know. Tables may be written with `catalogue`.
    """
    read = [table for sql in queries for table in _tables(sql, catalogue)]
    known = [_personal_of(project, layer, name, gold) for layer, name in read]
    found = [names for names in known if names is not None]
    if len(found) < len(known) or not read:
        return personal_columns(project) | _names(*personal_outputs(project).values(), *gold.values())
    return _names(*found)


def _tables(sql: str, catalogue: str) -> Iterator[tuple[str, str]]:
    """Schema and name of every table in a query; nothing that could be a table is left out."""
    try:
        tree = sqlglot.parse_one(sql, dialect=_DIALECT)
    except sqlglot.errors.SqlglotError:
        yield "", ""
        return
    own = {one.alias.lower() for one in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if table.catalog or table.db or table.name.lower() not in own:
            yield "" if table.catalog not in ("", catalogue) else table.db.lower(), table.name.lower()


def _personal_of(project: Project, layer: str, name: str, gold: Mapping[str, Iterable[str]]) -> Iterable[str] | None:
    match layer:
        case "silver" if name in project.contracts:
            return personal_of_dataset(project, name)
        case "gold":
            return gold.get(name)
        case "live":
            return personal_outputs(project).get(f"{LIVE_PREFIX}{name}")
    return None


def _names(*several: Iterable[str]) -> frozenset[str]:
    return frozenset(name.lower() for names in several for name in names)


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
