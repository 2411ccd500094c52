"""What a step of a topology does, as `streams/*.yml` says it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from penstock.spec import stream_keys as keys
from penstock.spec.problems import Problems, listed
from penstock.spec.shape import Fields
from penstock.spec.stream import (
    Deduplicate,
    Derive,
    Filter,
    Join,
    Lookup,
    Operation,
    Running,
    Score,
    Union,
    Window,
    WindowKind,
)


def read_operation(fields: Fields, problems: Problems) -> Operation | None:
    """What a step does; None where it says nothing, too much, or something wrong."""
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
