"""What streams say of contracts and of each other: topics, steps and columns that must be there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock.spec import stream_keys as keys
from penstock.spec.agreement import Datasets
from penstock.spec.contract import LogicalType
from penstock.spec.document import Place
from penstock.spec.problems import Problems, listed
from penstock.spec.shape import Fields, Key
from penstock.spec.stream import (
    Deduplicate,
    Join,
    Output,
    Running,
    Step,
    Window,
)
from penstock.spec.stream_columns import Columns, StepColumns
from penstock.spec.stream_file import DeclaredStreams, step_name


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

    def __post_init__(self) -> None:
        self._columns = StepColumns(self.problems)

    def topic(self, fields: Fields) -> None:
        _refuse_twice("topic", fields, keys.TOPIC_NAME, self.places, self.problems)
        name, dataset = fields.get(keys.TOPIC_NAME), fields.get(keys.DATASET)
        contract = None
        if dataset is not None:
            contract = self.datasets.find(dataset, fields.place(keys.DATASET), self.problems)
        columns = contract.column_names() if contract is not None and contract.knows_its_columns() else None
        if name is not None:
            self.topics[name] = columns
        self._columns.find_items(fields, keys.TOPIC_KEY, columns)
        time = fields.get(keys.TIME_COLUMN)
        if time is None or contract is None or not self._columns.find(time, columns, fields.place(keys.TIME_COLUMN)):
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
            self._columns.find_source(name, self.topics, fields.place(keys.INPUT), "topic")
            known.setdefault(name, None)
        for declared, step in zip(fields.get(keys.STEPS) or (), steps, strict=True):
            if step is None:
                known[step_name(declared)] = None
                continue
            place = declared.place(keys.FROM)
            columns = (
                known.get(step.source)
                if self._columns.find_source(step.source, known, place, "topic or step")
                else None
            )
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
            made = self._columns.made_by(step, columns, known, declared)
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
        self._columns.find_source(output.source, known, declared.place(keys.FROM), "topic or step")
        columns = known.get(output.source)
        for key in (keys.OUT_KEY, keys.OUT_COLUMNS):
            self._columns.find_items(declared, key, columns)
        shown = output.columns or columns
        for name, place in declared.items(keys.OUT_KEY):
            if shown is not None and columns is not None and name in columns and name not in shown:
                self.problems.add(place, f"The key `{name}` is not among `columns`", remedy="Add it to `columns`.")
        if not output.live:
            self.topics[output.name] = shown
