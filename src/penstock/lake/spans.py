"""Spans of a data file, in its footer: for each value of one column, the lowest and the highest value of another.

Rows of several stores lie mixed in a file, and each store numbers its own. The bounds of the file then say little of
where a number is; its spans say that a store's newest number is in no older file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

SPANS = "penstock.spans"  # key in the footer
MOST_VALUES = 64  # of the first column; more of them would make a footer of what should stand in the file
_LOOKED_AT = 8_192  # rows that mostly tell whether there are more

Pair = tuple[int, int]
"""Field ids of the two columns, both of texts."""


def spans_of(rows: pa.Table, pair: Pair) -> str | None:
    """The spans of `rows` as the footer keeps them, or None where there would be too many. Rows with a null in one of
    the columns are in none."""
    names = {int((field.metadata or {}).get(b"PARQUET:field_id", b"-1")): field.name for field in rows.schema}
    first, other = names[pair[0]], names[pair[1]]
    if any(pc.count_distinct(rows[first].slice(0, size)).as_py() > MOST_VALUES for size in (_LOOKED_AT, None)):
        return None
    both = rows.select([first, other]).drop_null().rename_columns(["value", "other"])
    found = both.group_by("value").aggregate([("other", "min"), ("other", "max")])
    spans = found.select(["value", "other_min", "other_max"]).to_pydict().values()
    return json.dumps({"pair": pair, "spans": sorted(zip(*spans, strict=True))})


def spans_in(footer: str, pair: Pair) -> Iterator[tuple[str, str, str]] | None:
    """(value, lowest, highest) of the footer's spans; None where it tells of other columns."""
    told = json.loads(footer)
    if tuple(told["pair"]) != pair:
        return None
    return ((value, lowest, highest) for value, lowest, highest in told["spans"])
