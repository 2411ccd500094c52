"""`streams/*.yml`: topics, and what is done with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType

from penstock.spec import stream_keys as keys
from penstock.spec.document import Node, Place
from penstock.spec.fingerprint import fingerprint
from penstock.spec.problems import Problems
from penstock.spec.shape import Fields
from penstock.spec.stream import EventTime, Output, Score, ScoringModel, Step, Streams, Topic, Topology
from penstock.spec.stream_operation import read_operation


@dataclass(frozen=True)
class DeclaredStreams:
    """A file as declared: each topic, and each topology with its steps, None for a step that is wrong by itself."""

    path: Path
    topics: tuple[Fields, ...]
    topologies: tuple[tuple[Fields, tuple[Step | None, ...], tuple[Output | None, ...]], ...]
    models: tuple[Fields, ...] = ()


def read_streams(root: Node, path: Path, problems: Problems) -> DeclaredStreams | None:
    """The file, judged by itself: names that other files declare are not looked up yet."""
    fields = keys.STREAM_FILE.read(root, "", problems)
    if fields is None:
        return None
    topologies = tuple(_read_topology(one, problems) for one in fields.get(keys.TOPOLOGIES) or ())
    return DeclaredStreams(path, fields.get(keys.TOPICS) or (), topologies, fields.get(keys.SCORING_MODELS) or ())


def make_topic(fields: Fields, path: Path, contract: str | None) -> Topic | None:
    """The topic, once its fields and its contract (by fingerprint) are known to be right."""
    if contract is None or not fields.complete:
        return None
    topic = Topic(
        name=fields[keys.TOPIC_NAME],
        dataset=fields[keys.DATASET],
        key=fields[keys.TOPIC_KEY],
        time=fields[keys.TIME_COLUMN],
        partitions=fields[keys.PARTITIONS],
        retention=fields[keys.RETENTION],
        max_bytes=fields[keys.MAX_BYTES],
        format=fields[keys.FORMAT],
        lake=fields[keys.LAKE],
        description=fields[keys.TOPIC_DESCRIPTION],
        path=path,
        fingerprint="",
    )
    kept = {"retention", "max_bytes", "description", "path", "fingerprint", "lake"}  # do not change what rows mean
    meaning = {name: value for name, value in asdict(topic).items() if name not in kept}
    return replace(topic, fingerprint=fingerprint("topic", meaning, [contract]))


def make_streams(
    files: Sequence[DeclaredStreams], contracts: Mapping[str, str], models: Mapping[str, ScoringModel]
) -> Streams | None:
    """All topics and topologies, once everything is known to be right; `contracts` are fingerprints by dataset."""
    topics = [
        make_topic(fields, file.path, contracts.get(fields.get(keys.DATASET) or ""))
        for file in files
        for fields in file.topics
    ]
    drafts = [_draft(*topology, file.path, models) for file in files for topology in file.topologies]
    if None in topics or None in drafts:
        return None
    made = {topic.name: topic for topic in topics if topic is not None}
    declared = {draft.name: draft for draft in drafts if draft is not None}
    producers = {output.topic: draft for draft in declared.values() for output in draft.outputs}

    def finished(draft: Topology) -> str:
        parents = [made[one].fingerprint if one in made else finished(producers[one]) for one in draft.inputs()]
        return fingerprint("topology", _meaning(draft), parents)

    return Streams(
        MappingProxyType(dict(sorted(made.items()))),
        MappingProxyType(
            {name: replace(draft, fingerprint=finished(draft)) for name, draft in sorted(declared.items())}
        ),
        MappingProxyType(dict(sorted(models.items()))),
    )


def _draft(
    fields: Fields,
    steps: Sequence[Step | None],
    outputs: Sequence[Output | None],
    path: Path,
    models: Mapping[str, ScoringModel],
) -> Topology | None:
    """The topology without its fingerprint."""
    right_steps, right_outputs = (tuple(step for step in steps if step), tuple(one for one in outputs if one))
    if not fields.complete or len(right_steps) != len(steps) or len(right_outputs) != len(outputs):
        return None
    return Topology(
        name=fields[keys.TOPOLOGY_NAME],
        input=fields[keys.INPUT],
        time=_time(fields[keys.TIME_KEY]),
        steps=with_versions(right_steps, models),
        outputs=right_outputs,
        path=path,
        fingerprint="",
        description=fields[keys.TOPOLOGY_DESCRIPTION],
    )


def with_versions(steps: Iterable[Step], models: Mapping[str, ScoringModel]) -> tuple[Step, ...]:
    """Steps that say of which version their model is."""
    return tuple(
        replace(step, operation=replace(step.operation, version=models[step.operation.model].fingerprint))
        if isinstance(step.operation, Score)
        else step
        for step in steps
    )


def _meaning(topology: Topology) -> dict[str, object]:
    return {
        "name": topology.name,
        "input": topology.input,
        "time": asdict(topology.time),
        "steps": [step_meaning(step) for step in topology.steps],
        "outputs": [_without(asdict(output), "description", "place", "retention") for output in topology.outputs],
    }


def step_meaning(step: Step) -> dict[str, object]:
    """What decides the rows of a step."""
    kind = type(step.operation).__name__.lower()
    return {"name": step.name, "source": step.source, "kind": kind, "operation": asdict(step.operation)}


def _without(facts: Mapping[str, object], *names: str) -> dict[str, object]:
    return {name: value for name, value in facts.items() if name not in names}


def _time(section: Fields | None) -> EventTime:
    if section is None:
        return EventTime()
    return EventTime(section[keys.LATENESS], section[keys.SKEW], section[keys.IDLE])


def _read_topology(
    fields: Fields, problems: Problems
) -> tuple[Fields, tuple[Step | None, ...], tuple[Output | None, ...]]:
    before = fields.get(keys.INPUT) or ""
    steps: list[Step | None] = []
    places: dict[str, Place] = {}
    for declared in fields.get(keys.STEPS) or ():
        operation = read_operation(declared, problems)
        if operation is None:
            steps.append(None)
            before = step_name(declared)
            continue
        name = declared.get(keys.STEP_NAME) or type(operation).__name__.lower()
        _refuse_twice(name, declared, places, problems)
        source = (declared[keys.FROM] if declared.valid(keys.FROM) else None) or before
        steps.append(Step(name, source, operation, str(declared.node.place)))
        before = name
    return fields, tuple(steps), tuple(_output(one, before, problems) for one in fields.get(keys.OUTPUTS) or ())


def step_name(declared: Fields) -> str:
    """What a step that is wrong by itself is called; nobody else is called like its place."""
    name: str | None = declared.get(keys.STEP_NAME)
    return name or str(declared.node.place)


def _refuse_twice(name: str, declared: Fields, places: dict[str, Place], problems: Problems) -> None:
    place = declared.place(keys.STEP_NAME)
    first = places.setdefault(name, place)
    if first is not place:
        problems.add(
            place,
            f"The step `{name}` is declared twice",
            found=f"the first at {first}",
            remedy="Give each of them a `name` of its own.",
        )


def _output(fields: Fields, before: str, problems: Problems) -> Output | None:
    topic, live = fields.get(keys.OUT_TOPIC), fields.get(keys.OUT_LIVE)
    if fields.valid(keys.OUT_TOPIC, keys.OUT_LIVE) and (topic is None) == (live is None):
        problems.add(
            fields.node.place,
            "An output is a topic or a live table",
            subject="topic",
            expected="`topic` or `live`",
            found="neither" if topic is None else "both",
            remedy="Name one of them.",
        )
        return None
    if live is not None and not fields.get(keys.OUT_KEY):
        problems.add(
            fields.node.place,
            "A live table has no key",
            subject="key",
            expected="`key`",
            remedy="Name the columns whose equal values replace each other.",
        )
        return None
    if not fields.complete:
        return None
    return Output(
        name=live or topic or "",
        source=fields[keys.FROM] or before,
        live=live is not None,
        key=fields[keys.OUT_KEY],
        where=fields[keys.WHERE],
        columns=fields[keys.OUT_COLUMNS],
        retention=fields[keys.OUT_RETENTION],
        description=fields[keys.OUT_DESCRIPTION],
        place=str(fields.node.place),
    )
