"""Cutting the statement for some dimensions out of the statement for all of them.

Names of dimensions are unique in MetricFlow's SQL and are the same at every level, so a dimension that nobody asked
for is left out where rows are aggregated: from the select list and the grouping; and then, upwards, wherever the
column that is now missing was passed on, joined on or partitioned by. What remains is the statement that MetricFlow
makes for the smaller request; the tests hold the two equal. Joins that nothing needs any more go as well.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from sqlglot import exp

from penstock.metrics.template import RANGE, WHERE, sources

Condition = Callable[[Mapping[str, exp.Expr]], exp.Expr]
"""From dimension name to the column that holds it here, to the filter."""
InRange = Callable[[exp.Expr, int], exp.Expr]
"""From a column and days to look back further (-1: without beginning) to the filter on time."""


class NotSeparable(Exception):
    """Dimensions cannot be left out, because the statement needs them for more than grouping; `names` may be among
    them."""

    def __init__(self, why: str, names: Collection[str]) -> None:
        self.names = frozenset(names)
        super().__init__(why)


def specialise(
    tree: exp.Select,
    *,
    dimensions: Sequence[str],
    by: Collection[str],
    filtered: Collection[str],
    condition: Condition | None,
    in_range: InRange,
) -> exp.Select:
    """A copy of the template `tree` that groups by `by` alone, with its marks filled in.

    `dimensions` are all names in the order of the filter's arguments, `filtered` those that `condition` needs.
    """
    tree = tree.copy()
    _Cut(dimensions, frozenset(by)).through(tree)
    for mark in list(tree.find_all(exp.Anonymous)):
        if mark.name == WHERE:
            mark.replace(_filter(mark, dimensions, filtered, condition))
        elif mark.name == RANGE:
            mark.replace(in_range(mark.expressions[0].copy(), int(mark.expressions[1].to_py())))
    for select in list(tree.find_all(exp.Select)):
        _without_true(select)
    _drop_unused(tree)
    for cte in tree.find_all(exp.CTE):  # held in memory, rows would be cut and filtered only afterwards
        cte.set("materialized", False)
    return tree


def check_separable(tree: exp.Select, dimensions: Sequence[str]) -> None:
    """Every dimension of the template can be left out, else NotSeparable: tried when it is made, rather than when somebody
    asks. The tree is cut."""
    _Cut(dimensions, frozenset()).through(tree)


def _filter(
    mark: exp.Anonymous, dimensions: Sequence[str], filtered: Collection[str], condition: Condition | None
) -> exp.Expr:
    """After rows are filled in from the calendar MetricFlow filters again, by what is still there to filter on."""
    columns = dict(zip(dimensions, mark.expressions, strict=True))
    if condition is None or any(isinstance(columns[name], exp.Null) for name in filtered):
        return exp.true()
    return exp.paren(condition(columns))


class _Cut:
    """Leaves dimensions out of a statement, inside first."""

    def __init__(self, dimensions: Collection[str], by: Collection[str]) -> None:
        self._dimensions = frozenset(dimensions)
        self._unasked = self._dimensions - frozenset(by)
        self._ctes: dict[str, frozenset[str]] = {}

    def through(self, select: exp.Select) -> frozenset[str]:
        """Change `select` in place; the names of the columns that it gives no more."""
        for cte in select.ctes:
            self._ctes[cte.alias] = self.through(cte.this)
        gone = dict(map(self._source, sources(select)))
        missing = _missing(gone)
        lost = self._cut_columns(select, missing)
        self._cut_grouping(select, missing)
        self._cut_joins(select, missing)
        self._cut_filters(select, missing)
        return lost

    def _source(self, source: exp.Expr) -> tuple[str, frozenset[str]]:
        if isinstance(source, exp.Subquery):
            return source.alias, self.through(source.this)
        return source.alias_or_name, self._ctes.get(source.name, frozenset())

    def _cut_columns(self, select: exp.Select, missing: Callable[[exp.Expr], bool]) -> frozenset[str]:
        aggregates = select.args.get("group") is not None or select.args.get("distinct") is not None
        lost: set[str] = set()
        kept = []
        for column in select.expressions:
            _repartition(column, missing)
            name = column.alias_or_name
            if aggregates and name in self._unasked:
                lost.add(name)
            elif missing(column):
                if name not in self._dimensions:
                    raise NotSeparable(f"{name} is computed from a dimension", _names(column))
                lost.add(name)
            else:
                kept.append(column)
        select.set("expressions", kept)
        return frozenset(lost)

    def _cut_grouping(self, select: exp.Select, missing: Callable[[exp.Expr], bool]) -> None:
        group = select.args.get("group")
        if group is None:
            return
        kept = [key for key in group.expressions if not missing(key) and not self._is_unasked(key)]
        select.set("group", exp.Group(expressions=kept) if kept else None)

    def _is_unasked(self, key: exp.Expr) -> bool:
        """Whether a grouping key is a dimension nobody asked for: a column, or COALESCE of the same of both sides."""
        names = {column.name for column in key.find_all(exp.Column)}
        return isinstance(key, exp.Column | exp.Coalesce) and len(names) == 1 and names <= self._unasked

    def _cut_joins(self, select: exp.Select, missing: Callable[[exp.Expr], bool]) -> None:
        for join in select.args.get("joins") or ():
            on = join.args.get("on")
            if on is None:
                continue
            kept = [part for part in on.flatten() if not missing(part)] if isinstance(on, exp.And) else [on]
            kept = [part for part in kept if not missing(part)]
            _check_sides(on, missing)
            if kept:
                join.set("on", exp.and_(*kept, copy=False))
            else:
                for name in ("on", "side"):
                    join.set(name, None)
                join.set("kind", "CROSS")

    def _cut_filters(self, select: exp.Select, missing: Callable[[exp.Expr], bool]) -> None:
        """A filter on what is not there any more belongs to the rows below, where it was applied already."""
        where = select.args.get("where")
        if where is None:
            return
        for part in _conjuncts(where.this):
            inner = part.unnest()
            if isinstance(inner, exp.Anonymous) and inner.name == WHERE:
                for argument in list(inner.expressions):
                    if missing(argument):
                        argument.replace(exp.null())
            elif missing(part):
                part.replace(exp.true())


def _missing(gone: Mapping[str, frozenset[str]]) -> Callable[[exp.Expr], bool]:
    """Whether an expression reads a column that its source gives no more; `gone` is by source."""
    every = frozenset[str]().union(*gone.values())

    def missing(expression: exp.Expr) -> bool:
        return any(
            column.name in (gone.get(column.table, frozenset()) if column.table else every)
            for column in expression.find_all(exp.Column)
        )

    return missing


def _check_sides(on: exp.Expr, missing: Callable[[exp.Expr], bool]) -> None:
    """Both sides of an equation of dimensions go together; else rows would be joined that do not belong together."""
    for equation in on.find_all(exp.EQ):
        if missing(equation.this) != missing(equation.expression):
            raise NotSeparable(f"{equation.sql()} joins on a dimension", _names(equation))


def _names(expression: exp.Expr) -> set[str]:
    return {column.name for column in expression.find_all(exp.Column)}


def _repartition(column: exp.Expr, missing: Callable[[exp.Expr], bool]) -> None:
    for window in column.find_all(exp.Window):
        window.set("partition_by", [key for key in window.args.get("partition_by") or () if not missing(key)])


def _conjuncts(condition: exp.Expr) -> list[exp.Expr]:
    """MetricFlow puts each filter in brackets when there are several; one alone has none."""
    parts = list(condition.flatten(unnest=False)) if isinstance(condition, exp.And) else [condition]
    return parts if all(isinstance(part, exp.Paren) for part in parts) else [condition]


def _without_true(select: exp.Select) -> None:
    where = select.args.get("where")
    if where is None:
        return
    parts = where.this.flatten() if isinstance(where.this, exp.And) else [where.this]
    kept = [part for part in parts if not (isinstance(part.unnest(), exp.Boolean) and part.unnest().this)]
    select.set("where", exp.Where(this=exp.and_(*kept, copy=False)) if kept else None)


def _drop_unused(tree: exp.Select) -> None:
    """Take out columns nobody reads and then outer joins nobody needs, from the outside in."""
    needed: dict[str, set[str]] = {cte.alias: set() for cte in tree.ctes}
    _prune(tree, None, needed)
    for cte in reversed(tree.ctes):
        _prune(cte.this, needed[cte.alias], needed)


def _prune(select: exp.Select, wanted: Collection[str] | None, ctes: dict[str, set[str]]) -> None:
    if wanted is not None and select.args.get("distinct") is None:
        kept = [column for column in select.expressions if column.alias_or_name in wanted]
        if kept:
            select.set("expressions", kept)
    joins = list(select.args.get("joins") or ())
    for join in reversed(joins):
        if join.side == "LEFT" and not _reads(select, join.this.alias_or_name, apart_from=join):
            joins.remove(join)
            select.set("joins", joins)
    for source in sources(select):
        names = _read_of(select, source.alias_or_name)
        if isinstance(source, exp.Subquery):
            _prune(source.this, names, ctes)
        elif source.name in ctes:
            ctes[source.name] |= names


def _own_columns(select: exp.Select) -> list[exp.Column]:
    """Columns of this level alone."""
    return [column for column in select.find_all(exp.Column) if column.find_ancestor(exp.Select) is select]


def _reads(select: exp.Select, source: str, *, apart_from: exp.Join) -> bool:
    return any(
        column.table in ("", source) and column.find_ancestor(exp.Join) is not apart_from
        for column in _own_columns(select)
    )


def _read_of(select: exp.Select, source: str) -> set[str]:
    return {column.name for column in _own_columns(select) if column.table in ("", source)}
