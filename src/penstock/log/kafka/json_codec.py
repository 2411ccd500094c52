"""A row as one JSON object: whole columns at a time, row by row only for those that are not as they should be.

Whole numbers, floats and booleans are JSON's own; decimals, dates (ISO 8601) and UTC times (ISO 8601, microseconds) are
strings; bytes are Base64; NaN and infinities are the strings NaN, Infinity and -Infinity. Lists are arrays, structs
objects, of the same.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from penstock.log.kafka.json_lines import lines_of, parse, read_around
from penstock.log.kafka.json_texts import texts_of
from penstock.log.kafka.json_values import UNREADABLE, NotReadable, converted, kinds_of, object_of, value_of
from penstock.log.protocol import LogError

_FEW = 16


class JsonCodec:
    """Values of the payload columns to bytes and back."""

    def __init__(self, schema: pa.Schema) -> None:
        for one in schema:
            if not _known(one.type):
                raise LogError("This type has no form in JSON", where=one.name, found=str(one.type))
        self._schema = schema
        self._kinds = [(one.name, kinds_of(one.type)) for one in schema]
        self._read = pa.schema([pa.field(one.name, _read_type(one.type)) for one in schema])

    def encode(self, rows: pa.RecordBatch) -> list[bytes]:
        if not self._schema.names:
            return [b"{}"] * rows.num_rows
        parts: list[Any] = []
        between = "{"
        for one in self._schema:
            before, texts, after = texts_of(rows.column(one.name))
            parts += [f"{between}{json.dumps(one.name)}:{before}", texts]
            between = f"{after},"
        joined = pc.binary_join_element_wise(*parts, between[:-1] + "}", "")
        found: list[bytes] = pc.cast(joined, pa.binary()).to_pylist()
        return found

    def decode(self, values: Sequence[bytes | None]) -> tuple[pa.RecordBatch, dict[int, NotReadable]]:
        """The rows that can be read, and by number those that cannot.

        What becomes of a value does not depend on its neighbours: one that is refused by itself is still read when it
        is read with others.
        """
        found = self._at_once(values)
        if found is not None:
            return found, {}
        read = self._around(values)
        return self._one_by_one(values) if read is None else read

    def _around(self, values: Sequence[bytes | None]) -> tuple[pa.RecordBatch, dict[int, NotReadable]] | None:
        """Few that cannot be read are judged by themselves, all others are read at once; None with too many."""
        read = read_around(values, self._read)
        if read is None:
            return None
        table, numbers = read
        columns = [_typed_or_none(table[one.name], one.type) for one in self._schema]
        if any(column is None for column in columns):
            wrong = [one for one, column in zip(self._schema, columns, strict=True) if column is None]
            doubtful = {place for one in wrong for place in _doubtful(_whole(table[one.name]), one.type)}
            kept = [place for place in range(len(numbers)) if place not in doubtful]
            if not kept:
                return None
            table, numbers = table.take(kept), [numbers[place] for place in kept]
            columns = [_typed(table[one.name], one.type) for one in self._schema]
        rows = pa.RecordBatch.from_arrays(columns, schema=self._schema)
        bad: dict[int, NotReadable] = {}
        others = sorted(set(range(len(values))).difference(numbers))
        return _in_order([(rows, numbers), self._alone(values, others, bad)]), bad

    def _one_by_one(self, values: Sequence[bytes | None]) -> tuple[pa.RecordBatch, dict[int, NotReadable]]:
        """Sorts out what stands in the way of reading the others at once."""
        bad: dict[int, NotReadable] = {}
        plain: list[int] = []
        special: list[int] = []
        for number, value in enumerate(values):
            try:
                (plain if self._is_plain(object_of(value)) else special).append(number)
            except NotReadable as error:
                if not error.perhaps or self._at_once([value]) is None:
                    bad[number] = error
                else:
                    plain.append(number)
        pieces = [*self._halved(values, plain, bad), self._alone(values, special, bad)]
        return _in_order(pieces), bad

    def _halved(
        self, values: Sequence[bytes | None], numbers: list[int], bad: dict[int, NotReadable]
    ) -> Iterator[tuple[pa.RecordBatch, list[int]]]:
        """Narrows down what cannot be read at once."""
        found = self._at_once([values[number] for number in numbers])
        if found is not None:
            yield found, numbers
        elif len(numbers) <= _FEW:
            yield self._alone(values, numbers, bad)
        else:
            half = len(numbers) // 2
            yield from self._halved(values, numbers[:half], bad)
            yield from self._halved(values, numbers[half:], bad)

    def _is_plain(self, read: dict[str, Any]) -> bool:
        """Whether every value has the kind of its column; what a text means is another matter."""
        return all(type(read.get(name)) in kinds for name, kinds in self._kinds)

    def _alone(
        self, values: Sequence[bytes | None], numbers: Sequence[int], bad: dict[int, NotReadable]
    ) -> tuple[pa.RecordBatch, list[int]]:
        """Some of the values, each judged by itself, and which of them are rows."""
        rows, judged = [], []
        for number in numbers:
            try:
                rows.append(self._row(values[number]))
            except NotReadable as error:
                alone = self._at_once([values[number]]) if error.perhaps else None
                if alone is None:
                    bad[number] = error
                    continue
                rows.append(list(alone.to_pylist()[0].values()))
            judged.append(number)
        columns = zip(*rows, strict=True) if rows else [()] * len(self._schema)
        arrays = [pa.array(column, one.type) for column, one in zip(columns, self._schema, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema), judged

    def _at_once(self, values: Sequence[bytes | None]) -> pa.RecordBatch | None:
        """All of them, or None: every value is one object on one line, so there are as many rows as values."""
        if not values:
            return pa.RecordBatch.from_pylist([], self._schema)
        data = lines_of(values)
        if data is None:
            return None
        try:
            data.decode()
            table = parse(pa.py_buffer(data), self._read)
        except (pa.ArrowInvalid, UnicodeDecodeError):
            return None
        columns = [_typed_or_none(table[one.name], one.type) for one in self._schema]
        if table.num_rows != len(values) or any(column is None for column in columns):
            return None
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)

    def _row(self, value: bytes | None) -> list[Any]:
        read = object_of(value)
        return [value_of(read.get(one.name), one) for one in self._schema]


def _known(type: pa.DataType) -> bool:
    if pa.types.is_list(type):
        return _known(type.value_type)
    if pa.types.is_struct(type):
        return all(_known(one.type) for one in type.fields)
    tests = (pa.types.is_integer, pa.types.is_boolean, pa.types.is_string, pa.types.is_binary, pa.types.is_decimal)
    return type in (pa.float64(), pa.date32(), pa.timestamp("us", tz="UTC")) or any(test(type) for test in tests)


def _read_type(type: pa.DataType) -> pa.DataType:
    own = pa.types.is_integer(type) or pa.types.is_floating(type) or pa.types.is_boolean(type)
    if pa.types.is_list(type):
        return pa.list_(_read_type(type.value_type))
    if pa.types.is_struct(type):
        return pa.struct([(one.name, _read_type(one.type)) for one in type.fields])
    return type if own else pa.string()


def _in_order(pieces: Sequence[tuple[pa.RecordBatch, list[int]]]) -> pa.RecordBatch:
    """Rows by the numbers that go with them."""
    order = pc.array_sort_indices(pa.array([number for _, numbers in pieces for number in numbers], pa.int64()))
    return pa.concat_batches([rows for rows, _ in pieces]).take(order)


def _doubtful(column: pa.Array, type: pa.DataType, first: int = 0) -> Iterator[int]:
    """The places of values that may not be of the type: halved until each is found."""
    if _typed_or_none(column, type) is not None:
        return
    if len(column) == 1:
        yield first
        return
    half = len(column) // 2
    yield from _doubtful(column[:half], type, first)
    yield from _doubtful(column[half:], type, first + half)


def _typed_or_none(column: pa.Array | pa.ChunkedArray, type: pa.DataType) -> pa.Array | None:
    try:
        found = _typed(column, type)
    except UNREADABLE:
        return None
    return found if _is_finite(found) else None


def _whole(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole


def _typed(column: pa.Array | pa.ChunkedArray, type: pa.DataType) -> pa.Array:
    whole = _whole(column) if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_binary(type):
        found = [None if one is None else base64.b64decode(one, validate=True) for one in whole.to_pylist()]
        return pa.array(found, type)
    if pa.types.is_nested(type) and whole.type != type:
        return pa.array([converted(one, type) for one in whole.to_pylist()], type)
    return whole if whole.type == type else pc.cast(whole, type)


def _is_finite(column: pa.Array) -> bool:
    """What reads JSON here takes NaN and Infinity for numbers; JSON does not."""
    return not pa.types.is_floating(column.type) or bool(pc.all(pc.is_finite(column), min_count=0).as_py())
