"""What streams say of contracts and of each other: topics, steps and columns that must be there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock.spec import stream_keys as keys
from penstock.spec.agreement import Datasets
from penstock.spec.contract import LogicalType
from penstock.spec.document import Entries, Items, Node, Place
from penstock.spec.problems import Problems, did_you_mean, listed
from penstock.spec.shape import Fields, Key
from penstock.spec.stream import (
    FINAL,
    VERSION,
    WINDOW_END,
    WINDOW_START,
    Deduplicate,
    Derive,
    Join,
    Lookup,
    Output,
    Running,
    Score,
    Step,
    Union,
    Window,
)
from penstock.spec.stream_file import DeclaredStreams, step_name

Columns = tuple[str, ...] | None
"""The columns of a topic or step; None where a mistake elsewhere hides them."""


def judge_streams(files: Sequence[DeclaredStreams], datasets: Datasets, problems: Problems) -> None:
    """Record everything that is wrong between the files."""
    judging = _Judging(datasets, problems)
    for file in files:
        for topic in file.topics:
            judging.topic(topic)
    names: dict[str, Place] = {}
    for file in files:
        for fields, _, outputs in file.topologies:
            _refuse_twice("topology", fields, keys.TOPOLOGY_NAME, names, problems)
            judging.declare_outputs(fields, outputs)
    waiting = [topology for file in files for topology in file.topologies]
    while waiting:  # those whose input another topology makes come after it
        ready = [one for one in waiting if judging.is_ready(one)]
        for fields, steps, outputs in ready:
            judging.topology(fields, steps, outputs)
        if not ready:
            judging.refuse_circle([fields for fields, _, _ in waiting])
            return
        waiting = [one for one in waiting if one not in ready]


def _refuse_twice(what: str, fields: Fields, key: Key[Any], seen: dict[str, Place], problems: Problems) -> None:
    name, place = fields.get(key), fields.place(key)
    if name is None:
        return
    first = seen.setdefault(name, place)
    if first is not place:
        problems.add(
            place,
            f"The {what} `{name}` is declared twice",
            found=f"the first at {first}",
            remedy="Rename one of them.",
        )


@dataclass
class _Judging:
    datasets: Datasets
    problems: Problems
    topics: dict[str, Columns] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)  # derived topic -> topology
    lives: dict[str, Place] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)

    def topic(self, fields: Fields) -> None:
        _refuse_twice("topic", fields, keys.TOPIC_NAME, self.places, self.problems)
        name, dataset = fields.get(keys.TOPIC_NAME), fields.get(keys.DATASET)
        contract = None
        if dataset is not None:
            contract = self.datasets.find(dataset, fields.place(keys.DATASET), self.problems)
        columns = contract.column_names() if contract is not None and contract.knows_its_columns() else None
        if name is not None:
            self.topics[name] = columns
        for column, place in _items(fields, keys.TOPIC_KEY):
            self._find(column, columns, place)
        time = fields.get(keys.TIME_COLUMN)
        if time is None or contract is None or not self._find(time, columns, fields.place(keys.TIME_COLUMN)):
            return
        declared = contract.column(time)
        made = None if declared is None else declared.column
        if made is not None and (made.type is not LogicalType.TIMESTAMP or not made.required):
            self.problems.add(
                fields.place(keys.TIME_COLUMN),
                f"`{time}` does not say of every row when it happened",
                expected="a required timestamp",
                found=f"{'a required' if made.required else 'an optional'} {made.type}",
                remedy="Name another column, or change the contract.",
            )

    def declare_outputs(self, fields: Fields, outputs: Sequence[Output | None]) -> None:
        nodes = fields.get(keys.OUTPUTS) or ()
        for declared, output in zip(nodes, outputs, strict=True):
            if output is None:
                self.topics.update({name: None for name in (declared.get(keys.OUT_TOPIC),) if name is not None})
                continue
            key = keys.OUT_LIVE if output.live else keys.OUT_TOPIC
            seen = self.lives if output.live else self.places
            _refuse_twice("live table" if output.live else "topic", declared, key, seen, self.problems)
            if not output.live and output.name not in self.topics:
                self.topics[output.name] = None
                self.made[output.name] = fields.get(keys.TOPOLOGY_NAME) or ""

    def is_ready(self, topology: tuple[Fields, tuple[Step | None, ...], tuple[Output | None, ...]]) -> bool:
        fields, steps, outputs = topology
        used = {fields.get(keys.INPUT), *(name for step in steps if step for name in step.reads)}
        used |= {output.source for output in outputs if output}
        return all(self.made.get(name) in (None, *self.done) for name in used if name is not None)

    def refuse_circle(self, declared: Sequence[Fields]) -> None:
        for fields in declared:
            self.problems.add(
                fields.place(keys.TOPOLOGY_NAME),
                "The topology reads what is made of its own output",
                found=f"a circle of {listed(one.get(keys.TOPOLOGY_NAME) or '?' for one in declared)}",
                remedy="Let it read another topic, or do it in one topology.",
            )

    def topology(self, fields: Fields, steps: Sequence[Step | None], outputs: Sequence[Output | None]) -> None:
        known: dict[str, Columns] = dict(self.topics)
        corrected: set[str] = set()
        taken = {fields.get(keys.INPUT)}
        if (name := fields.get(keys.INPUT)) is not None:
            self._find_source(name, self.topics, fields.place(keys.INPUT), "topic")
            known.setdefault(name, None)
        for declared, step in zip(fields.get(keys.STEPS) or (), steps, strict=True):
            if step is None:
                known[step_name(declared)] = None
                continue
            place = declared.place(keys.FROM)
            columns = known.get(step.source) if self._find_source(step.source, known, place, "topic or step") else None
            if step.source in corrected:
                self._judge_corrected(step, declared)
            if isinstance(step.operation, Window | Join) or corrected.intersection(step.reads):
                corrected.add(step.name)
            taken.update(name for name in step.reads if name in self.topics)
            if step.name in taken:
                self.problems.add(
                    declared.place(keys.STEP_NAME),
                    f"The step `{step.name}` is called like a topic that is read",
                    remedy="Give it a `name` of its own.",
                )
            made = self._step(step, columns, known, declared)
            known[step.name] = None if step.name in known else made
        for declared, output in zip(fields.get(keys.OUTPUTS) or (), outputs, strict=True):
            if output is not None:
                self._output(output, declared, known)
        self.done.add(fields.get(keys.TOPOLOGY_NAME) or "")

    def _judge_corrected(self, step: Step, declared: Fields) -> None:
        if not isinstance(step.operation, Window | Join | Running | Deduplicate):
            return
        self.problems.add(
            declared.node.place,
            f"The rows of `{step.source}` are corrected later",
            subject="corrected",
            expected="`filter`, `derive`, `lookup`, `union` or `score` after a window or join",
            remedy="Let it read the step before the window or join with `from`.",
        )

    def _output(self, output: Output, declared: Fields, known: Mapping[str, Columns]) -> None:
        self._find_source(output.source, known, declared.place(keys.FROM), "topic or step")
        columns = known.get(output.source)
        for name, place in [*_items(declared, keys.OUT_KEY), *_items(declared, keys.OUT_COLUMNS)]:
            self._find(name, columns, place)
        shown = output.columns or columns
        for name, place in _items(declared, keys.OUT_KEY):
            if shown is not None and columns is not None and name in columns and name not in shown:
                self.problems.add(place, f"The key `{name}` is not among `columns`", remedy="Add it to `columns`.")
        if not output.live:
            self.topics[output.name] = shown

    def _find_source(self, name: str, known: Iterable[str], place: Place, what: str) -> bool:
        known = [one for one in known if one]
        if name in known:
            return True
        self.problems.add(
            place,
            f"There is no {what} `{name}`",
            remedy=did_you_mean(name, known) or "Declare it above, or name another one.",
        )
        return False

    def _find(self, name: str, columns: Columns, place: Place) -> bool:
        if columns is None or name in columns:
            return True
        self.problems.add(
            place,
            f"There is no column `{name}` here",
            expected=f"one of {listed(columns)}",
            remedy=did_you_mean(name, columns) or "Name another one.",
        )
        return False

    def _step(self, step: Step, columns: Columns, known: Mapping[str, Columns], declared: Fields) -> Columns:
        """The columns of the step, after every name in it was looked up."""
        section = _section(declared)
        match operation := step.operation:
            case Derive():
                return self._added(columns, [name for name, _ in operation.columns], _places(declared, keys.DERIVE))
            case Deduplicate():
                self._find_items(section, keys.DEDUPLICATE_KEY, columns)
            case Lookup():
                places = _places(section, keys.ON)
                for name, _ in operation.on:
                    self._find(name, columns, places.get(name, declared.node.place))
                return self._added(
                    columns, [name for name, _ in operation.columns], _places(section, keys.LOOKUP_COLUMNS)
                )
            case Running():
                self._find_items(section, keys.RUNNING_KEY, columns)
                self._find(operation.value, columns, _place(section, keys.VALUE, declared))
                return self._added(columns, operation.added, _chosen(section, keys.STATISTICS))
            case Window():
                self._find_items(section, keys.BY, columns)
                places = _places(section, keys.AGGREGATES)
                for one in operation.aggregates:
                    if one.column is not None:
                        self._find(one.column, columns, places.get(one.name, declared.node.place))
                made = (WINDOW_START, WINDOW_END, *operation.by)
                return self._added(made, [*(one.name for one in operation.aggregates), VERSION, FINAL], places)
            case Join():
                return self._join(operation, columns, known, declared)
            case Union():
                self._union(step, columns, known, declared)
            case Score():
                self._find_items(section, keys.SCORE_COLUMNS, columns)
                return self._added(columns, [operation.into], _chosen(section, (keys.INTO,)))
        return columns

    def _join(self, join: Join, columns: Columns, known: Mapping[str, Columns], declared: Fields) -> Columns:
        section = _section(declared)
        self._find_source(join.other, known, _place(section, keys.OTHER, declared), "topic or step")
        other = known.get(join.other)
        for key, pairs in ((keys.JOIN_ON, join.on), (keys.JOIN_COLUMNS, join.columns)):
            places = _places(section, key)
            for name, theirs in pairs:
                place = places.get(name, declared.node.place)
                if key is keys.JOIN_ON:
                    self._find(name, columns, place)
                self._find(theirs, other, place)
        self._find_items(section, keys.IDENTITY, columns)
        self._find_items(section, keys.TIES, other)
        names = [*(name for name, _ in join.columns), VERSION, FINAL]
        return self._added(columns, names, _places(section, keys.JOIN_COLUMNS))

    def _union(self, step: Step, columns: Columns, known: Mapping[str, Columns], declared: Fields) -> None:
        """Every other source is there, has the same columns, and is named once."""
        seen = {step.source}
        for name, place in _items(declared, keys.UNION):
            if name in seen:
                self.problems.add(place, f"The rows of `{name}` are there already", remedy="Name it once.")
            seen.add(name)
            theirs = known.get(name) if self._find_source(name, known, place, "topic or step") else None
            if columns is None or theirs is None or set(theirs) == set(columns):
                continue
            self.problems.add(
                place,
                f"`{name}` has other columns than `{step.source}`",
                expected=listed(columns),
                found=listed(theirs),
                remedy="Let both have the same columns: name them under `columns` of an output, or `derive` them.",
            )

    def _added(self, columns: Columns, names: Sequence[str], places: Mapping[str, Place]) -> Columns:
        if columns is None:
            return None
        seen = list(columns)
        for name in names:
            if name in places and name in seen:
                self.problems.add(
                    places[name], f"The column `{name}` is there already", remedy="Choose another name for it."
                )
            elif name in places and not keys.is_column(name):
                self.problems.add(
                    places[name],
                    f"No column may be called `{name}`",
                    expected="a letter, then letters, digits and `_`",
                    remedy="Choose another name for it.",
                )
            seen.append(name)
        return tuple(dict.fromkeys(seen))

    def _find_items(self, section: Fields | None, key: Key[tuple[str, ...]], columns: Columns) -> None:
        for name, place in () if section is None else _items(section, key):
            self._find(name, columns, place)


def _section(declared: Fields) -> Fields | None:
    for key in keys.OPERATIONS:
        value = declared.get(key)
        if isinstance(value, Fields):
            return value
    return None


def _place(section: Fields | None, key: Key[str], declared: Fields) -> Place:
    return declared.node.place if section is None else section.place(key)


def _chosen(section: Fields | None, given: Iterable[Key[Any]]) -> dict[str, Place]:
    """The columns that keys name, each with its place; of one that several name, that of the last."""
    if section is None:
        return {}
    return {section[key]: section.place(key) for key in given if section.get(key) is not None}


def _items(fields: Fields, key: Key[tuple[str, ...]] | Key[tuple[str, ...] | None]) -> list[tuple[str, Place]]:
    node, values = fields.node.get(key.name), fields.get(key)
    if values is None or not isinstance(node, Items):
        return []
    return list(zip(values, (item.place for item in node.items), strict=True))


def _places(fields: Fields | None, key: Key[object]) -> dict[str, Place]:
    node: Node | None = None if fields is None else fields.node.get(key.name)
    return dict(node.keys) if isinstance(node, Entries) else {}
