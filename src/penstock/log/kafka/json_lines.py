"""JSON objects, one a line, read at once; what stands in the way of the others is found and set aside.

Poison among many good values must not cost the good ones much. The reader says in which row it stopped, so each thing
that is wrong costs one look at the lines behind it, not a look at every line by itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import pyarrow as pa
import pyarrow.json as pj

_FEW = 16
_SHARE = 32  # one value in so many may stand in the way; with more of them each is better looked at by itself
_AT_ONCE = 1_024  # lines; what is wrong with one of them is found among these
_ROW = re.compile(r" in row (\d+)$")
_NUMBER = re.compile(r"couldn't parse:(\S+)$")
_END, _OPEN, _CLOSE = b"\n{}"
_TWO_OBJECTS = re.compile(rb"}\s*{")


def is_line(value: bytes | None) -> bool:
    """Whether a value may be one object on one line."""
    return value is not None and value[:1] == b"{" and value[-1:] == b"}" and b"\n" not in value


def lines_of(values: Sequence[bytes | None]) -> bytes | None:
    """The values as lines, when each is a line that may be one object."""
    try:
        data = b"\n".join(values)  # type: ignore[arg-type]
    except TypeError:  # there is one without a value
        return None
    if data[:1] != b"{" or data[-1:] != b"}":
        return None
    text = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(text == _END)
    fits = len(ends) == len(values) - 1 and (text[ends - 1] == _CLOSE).all() and (text[ends + 1] == _OPEN).all()
    return data if fits else None


def parse(data: pa.Buffer, schema: pa.Schema) -> pa.Table:
    """Lines as rows, in one block; ArrowInvalid for what is no JSON, or not of the schema's types."""
    return pj.read_json(
        pa.BufferReader(data),
        read_options=pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
        parse_options=pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
    )


def read_around(values: Sequence[bytes | None], schema: pa.Schema) -> tuple[pa.Table, list[int]] | None:
    """The rows that can be read, with the numbers of their values; None when too much stands in the way, or what does
    cannot be told."""
    most = max(_FEW, len(values) // _SHARE)
    lines = {number: value for number, value in enumerate(values) if value is not None and is_line(value)}
    for number in _no_lines(list(lines.items())):
        del lines[number]
    numbers, texts = list(lines), list(lines.values())
    most -= len(values) - len(lines)
    data = pa.py_buffer(b"\n".join(texts))
    starts = list(accumulate((len(text) + 1 for text in texts), initial=0))
    todo = [range(first, min(first + _AT_ONCE, len(texts))) for first in reversed(range(0, len(texts), _AT_ONCE))]
    found: list[tuple[pa.Table, range]] = []
    while todo and most >= 0:
        here = todo.pop()
        read = _attempt(data.slice(starts[here.start], starts[here.stop] - starts[here.start] - 1), texts, here, schema)
        if isinstance(read, pa.Table):
            found.append((read, here))
        elif read:
            most -= len(read)
            todo += reversed(_between(here, read))
        else:
            return None
    if most < 0 or not found:
        return None
    return pa.concat_tables([table for table, _ in found]), [numbers[place] for _, here in found for place in here]


def _between(here: range, places: Sequence[int]) -> list[range]:
    """What is left of a range without some places of it, ascending."""
    firsts, ends = [here.start, *(place + 1 for place in places)], [*places, here.stop]
    return [range(first, end) for first, end in zip(firsts, ends, strict=True) if first < end]


def _no_lines(lines: Sequence[tuple[int, bytes]]) -> list[int]:
    """The numbers of those that are not UTF-8, or may be two objects: the reader counts objects, not lines."""
    data = b"\n".join(value for _, value in lines)
    if _is_text(data) and _TWO_OBJECTS.search(data.replace(b"\n", b",")) is None:
        return []
    return [number for number, value in lines if not _is_text(value) or _TWO_OBJECTS.search(value)]


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _attempt(data: pa.Buffer, texts: Sequence[bytes], here: range, schema: pa.Schema) -> pa.Table | list[int]:
    """The lines of a range as rows, or the places of some that stand in the way; none when that cannot be told."""
    try:
        table = parse(data, schema)
    except pa.ArrowInvalid as error:
        row, number = _ROW.search(str(error)), _NUMBER.search(str(error))
        if row is not None:
            return [place] if (place := here.start + int(row[1])) in here else []
        return [] if number is None else [place for place in here if number[1].encode() in texts[place]]
    return table if table.num_rows == len(here) else []
