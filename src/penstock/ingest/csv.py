"""CSV files as pieces of rows: the fast path wherever a block is clean, the careful one for the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from penstock.errors import SourceError
from penstock.ingest.batch import Piece, string_rows
from penstock.ingest.column import column_names
from penstock.ingest.content import Content
from penstock.ingest.csv_block import Block, BlockParser
from penstock.ingest.csv_record import Dialect, Parsed, RecordParser
from penstock.ingest.encoding import Encoding, open_encoding
from penstock.ingest.malformed import Fault, Malformed
from penstock.spec.source import Csv

BLOCK_BYTES = 1 << 20
SMALL_WINDOW = 1 << 16


class CsvReader:
    """Reads one CSV file from its content; `where` names it in errors.

    `columns` reads no further than the first record. An empty file has no columns and no rows.
    """

    def __init__(self, content: Content, csv: Csv, where: str, *, block_bytes: int = BLOCK_BYTES) -> None:
        self._content = content
        self._csv = csv
        self._where = where
        self._block_bytes = block_bytes
        self._encoding = open_encoding(csv.encoding, where)
        self._dialect = dialect(csv, self._encoding)
        self._data = b""
        self._final = False
        self._line = 1
        self._skipping = False
        self._window = block_bytes
        self._small_window = min(SMALL_WINDOW, block_bytes)

    def columns(self) -> tuple[str, ...]:
        """The columns' names: from the header, the declaration, or by position. To be called once, first."""
        csv = self._csv
        if not csv.header and csv.columns is not None:
            return column_names(csv.columns)
        parser = RecordParser(self._dialect, self._encoding, None)
        parsed = Parsed()
        while not parsed.rows and not parsed.malformed and not self._final:
            self._more()
            parsed = parser.parse(self._data, self._line, final=self._final, until=1)
        if parsed.malformed:
            raise _no_header(self._where, parsed.malformed[0])
        if not parsed.rows:
            return ()
        if csv.header:
            self._advance(parsed.consumed, parsed.next_line)
            return column_names(parsed.rows[0])
        return column_names("" for _ in parsed.rows[0])

    def pieces(self, columns: tuple[str, ...]) -> Iterator[Piece]:
        """Everything after the header, in order."""
        fast = BlockParser(self._dialect, self._encoding, len(columns))
        careful = RecordParser(self._dialect, self._encoding, len(columns))
        yield _piece(columns, Parsed())
        while True:
            while (piece := self._next(columns, fast, careful)) is not None:
                yield piece
            if self._final:
                return
            self._more()

    def _next(self, columns: tuple[str, ...], fast: BlockParser, careful: RecordParser) -> Piece | None:
        """The next rows of the data at hand; None when there is no whole record.

        The fast path is tried on the whole window, then on a small one, so that one bad line sends
        little to the careful path; the window grows again with every success.
        """
        for window in dict.fromkeys((self._window, self._small_window)):
            block = None if self._skipping else self._fast(fast, window)
            if block is not None:
                self._window = min(2 * window, self._block_bytes)
                self._advance(block.consumed, block.next_line)
                return _block_piece(columns, block)
        self._window = self._small_window
        parsed = careful.parse(
            self._data, self._line, final=self._final, skipping=self._skipping, until=self._small_window
        )
        self._skipping = parsed.skipping
        self._advance(parsed.consumed, parsed.next_line)
        return _piece(columns, parsed) if parsed.consumed or parsed.malformed else None

    def _fast(self, fast: BlockParser, window: int) -> Block | None:
        if len(self._data) <= window:
            return fast.parse(self._data, self._line, final=self._final)
        return fast.parse(self._data[:window], self._line, final=False)

    def _more(self) -> None:
        chunk = self._content.read(self._block_bytes)
        self._final = len(chunk) < self._block_bytes
        self._data += self._encoding.feed(chunk, self._final)

    def _advance(self, consumed: int, next_line: int) -> None:
        self._data = self._data[consumed:]
        self._line = next_line


def csv_lines(csv: Csv, raw: Sequence[tuple[int, bytes]], columns: tuple[str, ...]) -> Piece:
    """Lines of their own, by number, each as one record of `columns`."""
    taken = Parsed()
    for number, line in raw:
        encoding = open_encoding(csv.encoding, f"line {number}")
        parser = RecordParser(dialect(csv, encoding), encoding, len(columns))
        parsed = parser.parse(encoding.feed(line, True), number, final=True)
        if len(parsed.rows) == 1 and not parsed.malformed:
            taken.rows.append(parsed.rows[0])
            taken.lines.append(number)
        elif parsed.malformed:
            fault = parsed.malformed[0]
            taken.malformed.append(Malformed(number, line, fault.fault, fault.expected, fault.found))
        else:
            taken.malformed.append(
                Malformed(number, line, Fault.FIELD_COUNT, "one record", f"{len(parsed.rows)} records")
            )
    return _piece(columns, taken)


def dialect(csv: Csv, encoding: Encoding) -> Dialect:
    """The declared delimiter and quote in the inner form of the encoding."""
    return Dialect.of(encoding.to_inner(csv.delimiter), encoding.to_inner(csv.quote))


def _block_piece(columns: tuple[str, ...], block: Block) -> Piece:
    return Piece(string_rows(columns, block.rows.columns, pa.array(block.lines, pa.int64())))


def _piece(columns: tuple[str, ...], parsed: Parsed) -> Piece:
    values = zip(*parsed.rows, strict=True) if parsed.rows else ((),) * len(columns)
    arrays = [pa.array(column, pa.string()) for column in values]
    lines = pa.array(np.array(parsed.lines, dtype=np.int64))
    return Piece(string_rows(columns, arrays, lines), parsed.malformed)


def _no_header(where: str, line: Malformed) -> SourceError:
    return SourceError(
        "The header cannot be read",
        where=f"{where}:{line.line}",
        expected=line.expected,
        found=line.found,
        remedy="Correct the file, or `csv.delimiter`, `csv.quote` and `csv.encoding` of the source.",
    )
