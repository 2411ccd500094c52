"""The part of `endpoints/*.yml` that tells of live tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from penstock.spec.endpoint_file import judge_columns
from penstock.spec.endpoint_keys import (
    COLUMNS,
    DESCRIPTION,
    FILTERS,
    LIMIT,
    LIVE,
    LIVE_PARENT,
    LIVE_TABLE,
    MEASURE_NAME,
    MEASURE_WHERE,
    MEASURES,
    ORDER,
    PARENT_KEY,
    PATH,
    RANGES,
    RESERVED,
    TIME,
)
from penstock.spec.live_endpoint import LiveEndpoint, LiveMeasure
from penstock.spec.problems import Problems, listed
from penstock.spec.shape import Fields

ROW = "{id}"


def read_live(file: Fields, problems: Problems) -> tuple[tuple[LiveEndpoint, ...], tuple[LiveMeasure, ...]]:
    """Live endpoints and measures of a file; what is wrong with one is told and leaves it out."""
    endpoints = [_endpoint(fields, problems) for fields in file.get(LIVE) or ()]
    measures = [_measure(fields, problems) for fields in file.get(MEASURES) or ()]
    return tuple(filter(None, endpoints)), tuple(filter(None, measures))


def _measure(fields: Fields, problems: Problems) -> LiveMeasure | None:
    if not fields.complete:
        return None
    judge_columns(fields, problems)
    return LiveMeasure(
        name=fields[MEASURE_NAME],
        table=fields[LIVE_TABLE],
        columns=fields[COLUMNS],
        time=fields[TIME],
        where=fields[MEASURE_WHERE],
        description=fields[DESCRIPTION],
        place=str(fields.node.place),
    )


def _endpoint(fields: Fields, problems: Problems) -> LiveEndpoint | None:
    if not fields.complete:
        return None
    before = len(problems)
    path = fields[PATH]
    first = path.split("/")[1]
    if first in RESERVED:
        problems.add(
            fields.place(PATH),
            f"`/{first}` is served by the engine itself",
            expected=f"a path that does not begin with {listed('/' + word for word in RESERVED)}",
            remedy="Choose another path; what stands at `/metrics/live` is declared under `measures`.",
        )
    if (ROW in path) != (fields[LIVE_PARENT] is not None):
        problems.add(
            fields.place(PATH),
            f"The path `{path}` and `{PARENT_KEY.name}` do not belong together",
            expected="`parent` for `/x/{id}/y`, and for that alone",
            remedy="Name the column that holds what stands for `{id}`, or change the path.",
        )
    judge_columns(fields, problems)
    if len(problems) > before:
        return None
    return LiveEndpoint(
        path=path,
        table=fields[LIVE_TABLE],
        columns=fields[COLUMNS],
        parent=fields[LIVE_PARENT],
        filters=fields[FILTERS],
        ranges=fields[RANGES],
        order=fields[ORDER],
        limit=fields[LIMIT],
        description=fields[DESCRIPTION],
        place=str(fields.place(PATH)),
    )


def judge_live(
    endpoints: Sequence[LiveEndpoint], measures: Sequence[LiveMeasure], released: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Where a path or a name is taken already, and what to say about it. `released` are paths of other endpoints."""
    taken = set(released)
    for one in endpoints:
        above = one.path.rpartition("/")[0]
        if one.path in taken:
            yield one.place, f"The path `{one.path}` is declared twice"
        elif above in released:
            yield one.place, f"`{one.path}` could also be a row of `{above}`"
        taken.add(one.path)
    names: set[str] = set()
    for measure in measures:
        if measure.name in names:
            yield measure.place, f"The live measure `{measure.name}` is declared twice"
        names.add(measure.name)
