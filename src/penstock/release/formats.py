"""Writing rows as a table for people, JSON, JSON lines, CSV or Parquet."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from penstock.errors import UsageError
from penstock.release.text import cell_rows, columns_of, csv_rows, json_rows, texts, value_text

Write = Callable[[pa.RecordBatchReader, BinaryIO], int]
WIDEST = 60  # characters of one column of the table format
_ROW_GROUP_BYTES = 32 * 1024 * 1024


def write(rows: pa.RecordBatchReader, form: str, output: BinaryIO) -> int:
    """Write all rows in a format of `FORMATS`; the number of rows. See `text` for how values look."""
    if form not in FORMATS:
        raise UsageError("There is no such format", expected=f"one of {', '.join(FORMATS)}", found=form)
    return FORMATS[form](with_unique_names(rows), output)


def with_unique_names(rows: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """The same rows; a column name that stands twice gets a number: a, a_1."""
    names = unique(rows.schema.names)
    if names == rows.schema.names:
        return rows
    schema = pa.schema([field.with_name(name) for field, name in zip(rows.schema, names, strict=True)])
    return pa.RecordBatchReader.from_batches(
        schema, (pa.RecordBatch.from_arrays(batch.columns, schema=schema) for batch in rows)
    )


def unique(names: Sequence[str]) -> list[str]:
    """Names made different, without regard to case as in SQL.

    >>> unique(["a", "A", "b", "a_1"])
    ['a', 'A_1', 'b', 'a_1_1']
    """
    taken: set[str] = set()
    found = []
    for name in names:
        candidate, number = name, 0
        while candidate.lower() in taken:
            number += 1
            candidate = f"{name}_{number}"
        taken.add(candidate.lower())
        found.append(candidate)
    return found


def write_json(rows: pa.RecordBatchReader, output: BinaryIO) -> int:
    """An array of objects, one row per line. Numbers keep every digit, so read them as decimals."""
    count = 0
    output.write(b"[")
    for lines in texts(rows, json_rows):
        if lines:
            output.write(((",\n" if count else "\n") + ",\n".join(lines)).encode())
            count += len(lines)
    output.write(b"\n]\n" if count else b"]\n")
    return count


def write_json_lines(rows: pa.RecordBatchReader, output: BinaryIO) -> int:
    """One object per line."""
    return _write_lines(texts(rows, json_rows), output)


def write_csv(rows: pa.RecordBatchReader, output: BinaryIO) -> int:
    """A header line, then one line per row, in UTF-8 (see `csv_rows`)."""
    output.write(",".join(map(_header, rows.schema.names)).encode() + b"\n")
    return _write_lines(texts(rows, csv_rows), output)


def write_parquet(rows: pa.RecordBatchReader, output: BinaryIO) -> int:
    """Types as they are; timestamps with their zone, decimals exact."""
    count = 0
    with pq.ParquetWriter(output, rows.schema, compression="zstd", store_decimal_as_integer=True) as writer:
        for group in _groups(rows):
            writer.write_table(group)
            count += group.num_rows
    return count


def write_table(rows: pa.RecordBatchReader, output: BinaryIO) -> int:
    """Aligned columns for people: numbers to the right, long values cut, control characters made visible.

    All rows are held in memory: limit them.
    """
    columns = columns_of(rows.schema)
    lines = [[_cell(text) for text in row] for batch in texts(rows, cell_rows) for row in batch]
    header = [_cell(name) for name, _ in columns]
    widths = [max(map(_width, column)) for column in zip(header, *lines, strict=True)]
    right = [value_text(name, kind).number for name, kind in columns]
    rule = ["─" * width for width in widths]
    for line in (header, rule, *lines):
        output.write(_aligned(line, widths, right).encode() + b"\n")
    return len(lines)


FORMATS: Mapping[str, Write] = {
    "table": write_table,
    "json": write_json,
    "ndjson": write_json_lines,
    "csv": write_csv,
    "parquet": write_parquet,
}


def _write_lines(batches: Iterable[list[str]], output: BinaryIO) -> int:
    count = 0
    for lines in batches:
        output.write("".join(f"{line}\n" for line in lines).encode())
        count += len(lines)
    return count


def _groups(rows: pa.RecordBatchReader) -> Iterator[pa.Table]:
    held: list[pa.RecordBatch] = []
    for batch in rows:
        held.append(batch)
        if sum(one.nbytes for one in held) >= _ROW_GROUP_BYTES:
            yield pa.Table.from_batches(held, rows.schema)
            held = []
    if held:
        yield pa.Table.from_batches(held, rows.schema)


def _header(name: str) -> str:
    plain = name and name == name.strip() and not any(mark in name for mark in ',\r\n"')
    return name if plain else '"' + name.replace('"', '""') + '"'


def _cell(text: str | None) -> str:
    if text is None:
        return "NULL"
    shown = "".join(
        json.dumps(mark)[1:-1] if unicodedata.category(mark)[0] == "C" else mark for mark in text[: WIDEST + 1]
    )
    return shown if len(shown) <= WIDEST else shown[: WIDEST - 1] + "…"


def _width(text: str) -> int:
    """Columns on a terminal: wide characters take two, marks that combine none."""
    return sum(
        0 if unicodedata.combining(mark) else 2 if unicodedata.east_asian_width(mark) in "WF" else 1 for mark in text
    )


def _aligned(line: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = (
        " " * (width - _width(text)) + text if to_right else text + " " * (width - _width(text))
        for text, width, to_right in zip(line, widths, right, strict=True)
    )
    return "  ".join(padded).rstrip()
