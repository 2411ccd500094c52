"""Which columns that topologies make may show personal values: followed from the contracts through every step.

A column is personal when it is made of a personal one, whatever it is called. Only counts of values and what a hash
makes of one (`md5`, `sha256`) are not: whoever declares that says that a pseudonym is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from penstock.spec.contract import Classification
from penstock.spec.project import Project
from penstock.spec.stream import (
    Derive,
    Join,
    Lookup,
    Measure,
    Operation,
    Output,
    Running,
    Score,
    Step,
    Streams,
    Topology,
    Union,
    Window,
)
from penstock.sql.expression import shown_columns

Personal = Mapping[str, str]
"""Personal columns, each with the column of a dataset or table that it is made of."""
_COUNTS = (Measure.COUNT, Measure.DISTINCT)


def personal_of_dataset(project: Project, dataset: str) -> Personal:
    """The columns of a dataset that hold personal values in silver and on topics; those of the key are pseudonyms."""
    contract = project.contracts[dataset]
    return {
        column.name: f"{dataset}.{column.name}"
        for column in contract.columns
        if column.classification is Classification.PERSONAL and column.name not in contract.key
    }


def personal_outputs(
    project: Project, *, is_personal: Callable[[str, str], bool] | None = None
) -> Mapping[str, Personal]:
    """The personal columns of every topic that a topology writes, that of a live table (`live.NAME`) included.

    `is_personal` says so of a column of a table that is looked up; without it, names of the contracts do.
    """
    following = _Following(project, is_personal or _by_name(project))
    return {
        output.topic: following.topic(output.topic)
        for topology in project.streams.topologies.values()
        for output in topology.outputs
    }


def _by_name(project: Project) -> Callable[[str, str], bool]:
    everywhere = {name.lower() for dataset in project.contracts for name in personal_of_dataset(project, dataset)}

    def is_personal(table: str, column: str) -> bool:
        layer, _, dataset = table.partition(".")
        if layer == "silver" and dataset in project.contracts:
            return column in personal_of_dataset(project, dataset)
        return column.lower() in everywhere

    return is_personal


@dataclass
class _Following:
    project: Project
    is_personal: Callable[[str, str], bool]
    made: dict[str, Personal] = field(default_factory=dict)

    @property
    def streams(self) -> Streams:
        return self.project.streams

    def topic(self, name: str) -> Personal:
        """Of a topic, declared or made by a topology; topologies do not read what is made of their own rows."""
        if name in self.streams.topics:
            return personal_of_dataset(self.project, self.streams.topics[name].dataset)
        if name not in self.made:
            for topology in self.streams.topologies.values():
                if any(output.topic == name for output in topology.outputs):
                    self._follow(topology)
        return self.made[name]

    def _follow(self, topology: Topology) -> None:
        known = {name: self.topic(name) for name in topology.inputs()}
        for step in topology.steps:
            known[step.name] = self._after(step, known)
        self.made |= {output.topic: _shown(output, known[output.source]) for output in topology.outputs}

    def _after(self, step: Step, known: Mapping[str, Personal]) -> Personal:
        """The personal columns of what a step makes."""
        before = known[step.source]
        if isinstance(step.operation, Window):
            return _of_window(step.operation, before)
        return {**before, **self._added(step.operation, before, known)}

    def _added(self, operation: Operation, before: Personal, known: Mapping[str, Personal]) -> Personal:
        match operation:
            case Derive(columns):
                found = dict(before)
                for name, expression in columns:  # a later column may use an earlier one
                    found |= _made_of(name, shown_columns(expression), found)
                return found
            case Lookup(table, _, columns):
                return {name: f"{table}.{theirs}" for name, theirs in columns if self.is_personal(table, theirs)}
            case Running() as running:
                names = (running.mean, running.deviation, running.score, running.flag)
                return {name: before[running.value] for name in names if name and running.value in before}
            case Join() as join:
                other = known[join.other]
                return {name: other[theirs] for name, theirs in join.columns if theirs in other}
            case Union(others):
                return {name: made_of for other in others for name, made_of in known[other].items()}
            case Score() as score:
                return _made_of(score.into, score.columns, before)
        return {}


def _of_window(window: Window, before: Personal) -> Personal:
    found = {name: before[name] for name in window.by if name in before}
    for one in window.aggregates:
        if one.measure not in _COUNTS and one.column is not None:
            found |= _made_of(one.name, (one.column,), before)
    return found


def _made_of(name: str, columns: Iterable[str], before: Personal) -> Personal:
    """The column `name` with what the first personal one of `columns` is made of; nothing where none of them is."""
    by_name = {one.lower(): made_of for one, made_of in before.items()}
    return next(({name: by_name[one.lower()]} for one in columns if one.lower() in by_name), {})


def _shown(output: Output, known: Personal) -> Personal:
    return {name: made_of for name, made_of in known.items() if not output.columns or name in output.columns}
