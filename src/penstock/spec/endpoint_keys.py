"""What `endpoints/*.yml` may say: the keys of endpoints, live endpoints and live measures."""

from __future__ import annotations

import re
from dataclasses import dataclass

from penstock.spec.document import Node, Scalar, describe
from penstock.spec.endpoint import MOST_ROWS, Ordering
from penstock.spec.problems import Problems
from penstock.spec.scalars import NAME, PROSE, WORDS
from penstock.spec.shape import Many, Pairs, Parsed, Section, default, optional, required

# First words of paths that the engine serves itself.
RESERVED = ("health", "releases", "metrics", "definitions", "openapi.json")
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
ENDPOINTS = default("endpoints", Many(ENDPOINT), "Endpoints of released tables.", ())
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
