"""Batches: the rows of a file in the sizes its reader likes, cut anew to what the caller asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from penstock.ingest.malformed import Malformed

LINE = "_line"
# A batch is closed before its values exceed this, however few rows it has.
MAX_BATCH_BYTES = 128 << 20

MALFORMED_SCHEMA = pa.schema(
    [
        pa.field(LINE, pa.int64(), nullable=False),
        pa.field("raw", pa.binary(), nullable=False),
        pa.field("code", pa.string(), nullable=False),
        pa.field("expected", pa.string(), nullable=False),
        pa.field("found", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True)
class Piece:
    """What a reader has ready: rows with `_line`, lines that are none."""

    rows: pa.Table
    malformed: Sequence[Malformed] = field(default=())


@dataclass(frozen=True)
class Batch:
    """Rows of one file, and its lines that are no rows.

    `rows`: the source's columns as strings in file order, then `_line` (int64, from 1). A value is exactly
    as written; None only where there is none (a missing key, a JSON or Parquet null).
    `malformed`: `_line`, `raw` (bytes as delivered, without the line end), `code`, `expected`, `found`.
    """

    rows: pa.Table
    malformed: pa.Table

    @classmethod
    def of(cls, piece: Piece) -> Batch:
        return cls(piece.rows, malformed_table(piece.malformed))


def string_rows(names: Sequence[str], columns: Sequence[pa.Array | pa.ChunkedArray], lines: pa.Array) -> pa.Table:
    """The table of one piece: `names` over string columns, then `_line`."""
    schema = pa.schema([*(pa.field(name, pa.string()) for name in names), pa.field(LINE, pa.int64(), nullable=False)])
    return pa.table([*columns, lines], schema=schema)


def malformed_table(malformed: Sequence[Malformed]) -> pa.Table:
    """Malformed lines as a table of `MALFORMED_SCHEMA`."""
    columns = [
        [line.line for line in malformed],
        [line.raw for line in malformed],
        [line.fault.value for line in malformed],
        [line.expected for line in malformed],
        [line.found for line in malformed],
    ]
    arrays = [pa.array(values, kind.type) for values, kind in zip(columns, MALFORMED_SCHEMA, strict=True)]
    return pa.table(arrays, schema=MALFORMED_SCHEMA)


def batches(pieces: Iterable[Piece], *, batch_rows: int, verify: Callable[[], None]) -> Iterator[Batch]:
    """Pieces cut into batches of at most `batch_rows` rows; always at least one, so the columns are known.

    The last batch is held back until `verify` has accepted the whole content.
    """
    held: Batch | None = None
    for batch in _cut(pieces, batch_rows):
        if held is not None:
            yield held
        held = batch
    verify()
    yield held if held is not None else Batch.of(Piece(string_rows((), (), pa.array([], pa.int64()))))


def _cut(pieces: Iterable[Piece], batch_rows: int) -> Iterator[Batch]:
    waiting: list[pa.Table] = []
    malformed: list[Malformed] = []
    count = size = 0
    seen = False
    for piece in pieces:
        seen = True
        waiting.append(piece.rows)
        malformed.extend(piece.malformed)
        count += piece.rows.num_rows
        size += piece.rows.nbytes + sum(len(line.raw) for line in piece.malformed)
        while count > batch_rows or size > MAX_BATCH_BYTES:
            rows = _concat(waiting)
            yield Batch(rows.slice(0, batch_rows), malformed_table(malformed))
            waiting, malformed = [rows.slice(batch_rows)], []
            count = max(0, count - batch_rows)
            size = waiting[0].nbytes
    if seen:
        yield Batch(_concat(waiting), malformed_table(malformed))


def _concat(tables: Sequence[pa.Table]) -> pa.Table:
    """One table; a column that an earlier piece did not have yet is None there."""
    if len(tables) == 1:
        return tables[0]
    return pa.concat_tables(tables, promote_options="default").select(tables[-1].column_names)
