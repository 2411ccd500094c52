"""`endpoints/*.yml`: what the API serves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from types import MappingProxyType
from typing import Any

from penstock.spec.document import Entries, Place
from penstock.spec.endpoint import PARENT, Endpoint
from penstock.spec.endpoint_keys import (
    BOUNDS,
    COLUMNS,
    DESCRIPTION,
    ENDPOINTS,
    EXAMPLE,
    FILTERS,
    KEY,
    LIMIT,
    ORDER,
    PAGING,
    PARENT_KEY,
    PATH,
    RANGES,
    RESERVED,
    TABLE,
)
from penstock.spec.fingerprint import fingerprint
from penstock.spec.problems import Problems, did_you_mean, listed
from penstock.spec.shape import Fields, Key


def read_endpoints(file: Fields, problems: Problems) -> tuple[tuple[Fields, Endpoint | None], ...]:
    """Each endpoint of the file with its fields; the endpoint is None when something about it is wrong."""
    return tuple((one, _endpoint(one, problems)) for one in file.get(ENDPOINTS) or ())


def judge_endpoints(declared: Sequence[Fields], problems: Problems) -> None:
    """Hold endpoints against each other: one for each path, parents that are there, and no path that could be two."""
    places: dict[str, Place] = {}
    for fields in declared:
        path = fields.get(PATH)
        if path is not None and path in places:
            problems.add(
                fields.place(PATH),
                f"The path `{path}` is declared twice",
                found=f"the first at {places[path]}",
                remedy="Choose another path for one of them.",
            )
        elif path is not None:
            places[path] = fields.place(PATH)
    lists = [path for path in places if PARENT not in path]
    for path, place in places.items():
        above, found, _ = path.partition(PARENT)
        if found and above not in lists:
            problems.add(
                place,
                f"No endpoint declares `{above}`",
                remedy=did_you_mean(above, lists) or "Declare it with its key, or name another one.",
            )
        hiding = next((one for one in lists if not found and path.rpartition("/")[0] == one), None)
        if hiding is not None:
            problems.add(
                place,
                f"`{path}` could also be a row of `{hiding}`",
                expected=f"a path that is not `{hiding}/{{id}}`",
                remedy="Choose another path.",
            )


def _endpoint(fields: Fields, problems: Problems) -> Endpoint | None:
    before = len(problems)
    _judge_path(fields, problems)
    judge_columns(fields, problems)
    if not fields.complete or len(problems) > before:
        return None
    example = fields[EXAMPLE] or ()
    made = Endpoint(
        path=fields[PATH],
        table=fields[TABLE],
        key=fields[KEY],
        columns=fields[COLUMNS],
        filters=fields[FILTERS],
        ranges=fields[RANGES],
        order=fields[ORDER],
        parent=fields[PARENT_KEY],
        limit=fields[LIMIT],
        description=fields[DESCRIPTION],
        example=tuple((name, None if value.value is None else value.text) for name, value in example),
        places=MappingProxyType({name: str(place) for name, place in _places(fields)}),
    )
    return _with_fingerprint(made)


def _with_fingerprint(endpoint: Endpoint) -> Endpoint:
    meaning = {
        name: value
        for name, value in asdict(replace(endpoint, places={})).items()
        if name not in ("places", "fingerprint")
    }
    return replace(endpoint, fingerprint=fingerprint("endpoint", meaning))


def _judge_path(fields: Fields, problems: Problems) -> None:
    path = fields.get(PATH)
    if path is None:
        return
    first = path.split("/")[1]
    if first in RESERVED:
        problems.add(
            fields.place(PATH),
            f"`/{first}` is served by the engine itself",
            expected=f"a path that does not begin with {listed('/' + word for word in RESERVED)}",
            remedy="Choose another path.",
        )
    below = PARENT in path
    if below and not fields.given(PARENT_KEY):
        problems.add(
            fields.node.place,
            "Nothing says which rows belong to `{id}`",
            subject="parent",
            expected="`parent`",
            remedy="Name the column that holds the key of the endpoint above.",
        )
    if not below and fields.given(PARENT_KEY):
        problems.add(
            fields.key_place(PARENT_KEY),
            f"`parent` has no meaning for the path `{path}`",
            expected="a path such as `/x/{id}/y`",
            remedy="Remove it, or change the path.",
        )


def judge_columns(fields: Fields, problems: Problems) -> None:
    """Every list names a column once, what rows are chosen by is shown, and every parameter has one meaning."""
    shown = fields.get(COLUMNS)
    if shown is None:
        return
    for key in (COLUMNS, FILTERS, RANGES):
        _refuse_repeated(key, fields.items(key), problems)
    _refuse_repeated(ORDER, [(one.column, place) for one, place in fields.items(ORDER)], problems)
    key_column = fields.get(KEY)
    if key_column is not None and key_column not in shown:
        _refuse_hidden(fields.place(KEY), "key", key_column, shown, problems)
    for key in (FILTERS, RANGES):
        for name, place in fields.items(key):
            if name not in shown:
                _refuse_hidden(place, key.name, name, shown, problems)
    node = fields.node.get(EXAMPLE.name)
    for name, place in node.keys.items() if isinstance(node, Entries) else ():
        if name not in shown:
            _refuse_hidden(place, "example", name, shown, problems)
    _judge_parameters(fields, problems)


def _judge_parameters(fields: Fields, problems: Problems) -> None:
    """Every parameter has one meaning."""
    taken = dict.fromkeys(PAGING, "the page")
    for name, place in fields.items(RANGES):
        for parameter in (name + ending for ending in BOUNDS):
            _take(parameter, f"a bound of `{name}`", place, taken, problems)
    for name, place in fields.items(FILTERS):
        _take(name, f"the filter `{name}`", place, taken, problems)


def _take(parameter: str, meaning: str, place: Place, taken: dict[str, str], problems: Problems) -> None:
    first = taken.setdefault(parameter, meaning)
    if first != meaning:
        problems.add(
            place,
            f"The parameter `{parameter}` would mean two things",
            expected="one meaning for each parameter",
            found=f"{first} and {meaning}",
            remedy="Give the column another name in the model, or do not filter by it.",
        )


def _refuse_repeated(key: Key[Any], columns: Sequence[tuple[str, Place]], problems: Problems) -> None:
    """A column that stands twice in the list of a key."""
    seen: dict[str, Place] = {}
    for name, place in columns:
        first = seen.setdefault(name, place)
        if first is not place:
            problems.add(
                place,
                f"The column `{name}` stands twice in `{key.name}`",
                expected="each column once",
                found=f"the first at {first}",
                remedy="Remove one of them.",
            )


def _refuse_hidden(place: Place, key: str, name: str, shown: Sequence[str], problems: Problems) -> None:
    problems.add(
        place,
        f"`{key}` names the column `{name}`, which is not shown",
        expected="one of `columns`",
        remedy=did_you_mean(name, shown) or "Add it to `columns`.",
    )


def _places(fields: Fields) -> list[tuple[str, Place]]:
    """Where things stand; a column goes by the first place that names it."""
    by_column = [*fields.items(COLUMNS), *((one.column, place) for one, place in fields.items(ORDER))]
    parent = fields[PARENT_KEY]
    if parent is not None:
        by_column.append((parent, fields.place(PARENT_KEY)))
    known = dict(reversed(by_column))
    named = {f"/{key.name}": fields.place(key) for key in (PATH, TABLE, KEY, PARENT_KEY, EXAMPLE) if fields.given(key)}
    return [*named.items(), *known.items()]
