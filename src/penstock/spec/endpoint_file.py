"""`endpoints/*.yml`: what the API serves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any, TypeVar

from penstock.spec.document import Entries, Items, Node, Place, Scalar, describe
from penstock.spec.endpoint import MOST_ROWS, PARENT, Endpoint, Ordering
from penstock.spec.fingerprint import fingerprint
from penstock.spec.problems import Problems, did_you_mean, listed
from penstock.spec.scalars import NAME, PROSE, WORDS
from penstock.spec.shape import Fields, Key, Many, Pairs, Parsed, Section, default, optional, required

T = TypeVar("T")
RESERVED = (
    "health",
    "releases",
    "metrics",
    "definitions",
    "openapi.json",
)  # first words of paths that the engine serves itself
PAGING = ("skip", "limit")
BOUNDS = ("_min", "_max")
_WORD = r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*"
_PATH = re.compile(rf"(?:/{_WORD})+(?:/\{{id\}}/{_WORD})?")
_ORDERING = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?: +(asc|desc))?")


def _path(text: str) -> str | None:
    return text if _PATH.fullmatch(text) and len(text) <= 200 else None


def _column(text: str) -> str | None:
    return text if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,126}", text) else None


def _ordering(text: str) -> Ordering | None:
    match = _ORDERING.fullmatch(text.strip())
    return None if match is None else Ordering(match[1], match[2] == "desc")


def _limit(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,4}", text) and 1 <= int(text) <= MOST_ROWS else None


@dataclass(frozen=True)
class Value:
    """A single value of an example, as it was written; nothing stands for an absent value."""

    label: str = "value"

    def read(self, node: Node, name: str, problems: Problems) -> Scalar | None:
        if isinstance(node, Scalar):
            return node
        problems.add(
            node.place, f"`{name}` is not a single value", found=describe(node), remedy="Write one value for a column."
        )
        return None


COLUMN: Parsed[str] = Parsed("name of a column", _column, "Name a column of the table.")
PATH = required(
    "path",
    Parsed("path", _path, "Write for example `/books`, or `/shelves/{id}/books` for rows that belong to a shelf."),
    "Where it is served, in small letters: `/books` serves a list, and `/books/{id}` each row by its key. "
    "`/shelves/{id}/books` is a list of the rows that belong to one row of `/shelves`.",
)
TABLE = required("table", NAME, "The gold table that is served, without its schema.")
KEY = required("key", COLUMN, "The column that names a row: unique and never absent. It completes every order.")
COLUMNS = required("columns", Many(COLUMN, at_least=1), "The columns that are shown, in this order.")
FILTERS = default(
    "filters", Many(COLUMN), "Columns to choose rows by: `?column=value`; several must hold together.", ()
)
RANGES = default(
    "ranges", Many(COLUMN), "Columns to choose rows by bounds, inclusive: `?column_min=...&column_max=...`.", ()
)
ORDER = default(
    "order",
    Many(Parsed("column, or `column desc`", _ordering, "Write for example `lent_on desc`.")),
    "What rows are sorted by; rows without a value come last, ties go by the key.",
    (),
)
PARENT_KEY = optional("parent", COLUMN, "For `/x/{id}/y`: the column of this table that holds the key of `/x`.")
LIMIT = default(
    "limit",
    Parsed(f"whole number from 1 to {MOST_ROWS}", _limit, f"Write a number from 1 to {MOST_ROWS}.", text_only=False),
    "The most rows that one page may have.",
    MOST_ROWS,
)
DESCRIPTION = default("description", PROSE, "What the rows are, for the reader of the API's own description.", "")
EXAMPLE = optional(
    "example", Pairs(Value(), "column"), "A row for the API's own description; made up, for everybody may read it."
)

ENDPOINT = Section(
    "an endpoint",
    (PATH, TABLE, KEY, COLUMNS, FILTERS, RANGES, ORDER, PARENT_KEY, LIMIT, DESCRIPTION, EXAMPLE),
)
ENDPOINTS = required("endpoints", Many(ENDPOINT), "The endpoints.")
LIVE_TABLE = required("live", NAME, "The live table that is served: an output of a topology.")
LIVE_PARENT = optional("parent", COLUMN, "For `/x/{id}/y`: the column of this table that holds what stands for `{id}`.")
LIVE_ENDPOINT = Section(
    "a live endpoint", (PATH, LIVE_TABLE, COLUMNS, LIVE_PARENT, FILTERS, RANGES, ORDER, LIMIT, DESCRIPTION)
)
LIVE = default("live", Many(LIVE_ENDPOINT), "Endpoints of live tables: rows while streams change them.", ())
MEASURE_NAME = required("name", NAME, "What it is called at `/metrics/live`.")
TIME = default(
    "time", COLUMN, "The column of the window: the rows with its greatest value are the current ones.", "window_start"
)
MEASURE_WHERE = default(
    "where",
    Pairs(WORDS, "column"),
    "Columns and the value that each has in the rows that are meant; all when not given.",
    (),
)
MEASURE = Section("a live measure", (MEASURE_NAME, LIVE_TABLE, COLUMNS, TIME, MEASURE_WHERE, DESCRIPTION))
MEASURES = default("measures", Many(MEASURE), "Live measures, told together at `/metrics/live`.", ())
ENDPOINT_FILE = Section("a file of endpoints", (ENDPOINTS, LIVE, MEASURES))


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
        _refuse_repeated(key, _items(fields, key), problems)
    _refuse_repeated(ORDER, [(one.column, place) for one, place in _items(fields, ORDER)], problems)
    key_column = fields.get(KEY)
    if key_column is not None and key_column not in shown:
        _refuse_hidden(fields.place(KEY), "key", key_column, shown, problems)
    for key in (FILTERS, RANGES):
        for name, place in _items(fields, key):
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
    for name, place in _items(fields, RANGES):
        for parameter in (name + ending for ending in BOUNDS):
            _take(parameter, f"a bound of `{name}`", place, taken, problems)
    for name, place in _items(fields, FILTERS):
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


def _items(fields: Fields, key: Key[tuple[T, ...]]) -> list[tuple[T, Place]]:
    node, values = fields.node.get(key.name), fields.get(key)
    if values is None or not fields.valid(key) or not isinstance(node, Items):
        return []
    return list(zip(values, (item.place for item in node.items), strict=True))


def _places(fields: Fields) -> list[tuple[str, Place]]:
    """Where things stand; a column goes by the first place that names it."""
    by_column = [*_items(fields, COLUMNS), *((one.column, place) for one, place in _items(fields, ORDER))]
    parent = fields[PARENT_KEY]
    if parent is not None:
        by_column.append((parent, fields.place(PARENT_KEY)))
    known = dict(reversed(by_column))
    named = {f"/{key.name}": fields.place(key) for key in (PATH, TABLE, KEY, PARENT_KEY, EXAMPLE) if fields.given(key)}
    return [*named.items(), *known.items()]
