"""`streams/*.yml`: topics, and what is done with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

from penstock.spec import stream_keys as keys
from penstock.spec.document import Node, Place
from penstock.spec.fingerprint import fingerprint
from penstock.spec.problems import Problems, listed
from penstock.spec.shape import Fields
from penstock.spec.stream import (
    Deduplicate,
    Derive,
    EventTime,
    Filter,
    Join,
    Lookup,
    Operation,
    Output,
    Running,
    Score,
    ScoringModel,
    Step,
    Streams,
    Topic,
    Topology,
    Union,
    Window,
    WindowKind,
)


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
        operation = _operation(declared, problems)
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


def _operation(fields: Fields, problems: Problems) -> Operation | None:
    given = [key for key in keys.OPERATIONS if fields.given(key)]
    if len(given) != 1:
        problems.add(
            fields.node.place,
            "A step does one thing",
            subject="operation",
            expected=f"one of {listed(key.name for key in keys.OPERATIONS)}",
            found=listed(key.name for key in given) or "none of them",
            remedy="Make each a step of its own." if given else "Say what the step does.",
        )
        return None
    value = fields.get(given[0])
    if value is None or (isinstance(value, Fields) and not value.complete):
        return None
    if isinstance(value, str):
        return Filter(value)
    union, derive = fields.get(keys.UNION), fields.get(keys.DERIVE)
    if union is not None:
        return Union(union)
    if derive is not None:
        return Derive(derive)
    return _made(given[0].name, value, problems) if isinstance(value, Fields) else None


def _made(name: str, section: Fields, problems: Problems) -> Operation | None:
    match name:
        case "running":
            return _running(section, problems)
        case "window":
            return _window(section, problems)
        case _:
            return {"deduplicate": _deduplicate, "lookup": _lookup, "join": _join, "score": _score}[name](section)


def _deduplicate(section: Fields) -> Operation:
    return Deduplicate(section[keys.DEDUPLICATE_KEY], section[keys.HORIZON])


def _lookup(section: Fields) -> Operation:
    return Lookup(section[keys.TABLE], section[keys.ON], section[keys.LOOKUP_COLUMNS])


def _running(section: Fields, problems: Problems) -> Operation | None:
    running = Running(
        key=section[keys.RUNNING_KEY],
        value=section[keys.VALUE],
        count=section[keys.INTO_COUNT],
        mean=section[keys.INTO_MEAN],
        deviation=section[keys.INTO_DEVIATION],
        score=section[keys.INTO_SCORE],
        flag=section[keys.INTO_FLAG],
        minimum=section[keys.MINIMUM],
        threshold=section[keys.THRESHOLD],
    )
    if running.added:
        return running
    problems.add(
        section.node.place,
        "The statistics go nowhere",
        subject="count",
        expected="one of `count`, `mean`, `deviation`, `score`, `flag`",
        remedy="Name the column of at least one of them.",
    )
    return None


def _window(section: Fields, problems: Problems) -> Operation | None:
    size, slide, gap = section[keys.SIZE], section[keys.SLIDE], section[keys.GAP]
    kind = _window_kind(section, size, slide, gap, problems)
    if kind is None:
        return None
    aggregates = tuple(replace(measure, name=name) for name, measure in section[keys.AGGREGATES])
    return Window(kind, section[keys.BY], aggregates, size, slide, gap)


def _window_kind(
    section: Fields, size: timedelta | None, slide: timedelta | None, gap: timedelta | None, problems: Problems
) -> WindowKind | None:
    if (size is None) == (gap is None) or (gap is not None and slide is not None):
        problems.add(
            section.node.place,
            "The window has no one kind",
            subject="size",
            expected="`size`, `size` and `slide`, or `gap`",
            remedy="`size` alone makes windows side by side, with `slide` overlapping ones, `gap` makes sessions.",
        )
        return None
    for key, length in ((keys.SIZE, size), (keys.SLIDE, slide), (keys.GAP, gap)):
        if length is not None and length <= timedelta(0):
            problems.add(
                section.place(key), f"`{key.name}` is not a length of time", remedy="Write for example `PT1M`."
            )
            return None
    if size is not None and slide is not None and (slide > size or size % slide):
        problems.add(
            section.place(keys.SLIDE),
            "`size` is not a multiple of `slide`",
            remedy="Choose a `slide` that goes into `size` without a rest.",
        )
        return None
    if gap is not None:
        return WindowKind.SESSION
    return WindowKind.TUMBLING if slide is None else WindowKind.SLIDING


def _join(section: Fields) -> Operation:
    return Join(
        other=section[keys.OTHER],
        on=section[keys.JOIN_ON],
        tolerance=section[keys.TOLERANCE],
        direction=section[keys.DIRECTION],
        columns=section[keys.JOIN_COLUMNS],
        identity=section[keys.IDENTITY],
        ties=section[keys.TIES],
    )


def _score(section: Fields) -> Operation:
    return Score(section[keys.MODEL], section[keys.SCORE_COLUMNS], section[keys.INTO])


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
