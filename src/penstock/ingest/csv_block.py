"""CSV a block at a time: what the careful path would do, for blocks in which every record is whole.

NumPy looks at the quotes, Arrow splits the fields. Any doubt (a fault, a lone CR, an empty line) gives
None, and the careful path decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray

from penstock.ingest.csv_record import Dialect
from penstock.ingest.encoding import Encoding
from penstock.ingest.malformed import MAX_RECORD

LF, CR = b"\n", b"\r"

Positions = NDArray[np.int64]


@dataclass(frozen=True)
class Block:
    """The rows of whole records (columns `0`, `1`, ...), the line of each, and where reading goes on."""

    rows: pa.Table
    lines: Positions
    consumed: int
    next_line: int


class BlockParser:
    """Parses blocks of one file of `width` columns."""

    def __init__(self, dialect: Dialect, encoding: Encoding, width: int) -> None:
        self._dialect = dialect
        self._encoding = encoding
        names = [str(index) for index in range(width)]
        self._names = names
        self._single_bytes = len(dialect.delimiter) == 1 and len(dialect.quote) <= 1 and not _beyond_ascii(dialect)
        self._types = arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, check_utf8=True
        )

    def parse(self, data: bytes, line: int, *, final: bool) -> Block | None:
        """The whole records at the start of `data`, which begins at a record's start on line `line`."""
        end = len(data) if final else data.rfind(LF) + 1
        block = data if end == len(data) else data[:end]
        if not self._names or not self._single_bytes or not block or len(block) > MAX_RECORD or b"\0" in block:
            return None
        returns = block.count(CR)
        if returns and returns != block.count(b"\r\n"):
            return None
        if self._dialect.quote and self._dialect.quote in block:
            return self._quoted(block, line, final)
        breaks = block.count(LF)
        count = breaks + (not block.endswith(LF))
        rows = self._fields(block, count, quoted=False)
        return None if rows is None else Block(rows, line + np.arange(count), end, line + breaks)

    def _quoted(self, block: bytes, line: int, final: bool) -> Block | None:
        codes = np.frombuffer(block, dtype=np.uint8)
        quotes = np.flatnonzero(codes == self._dialect.quote[0])
        breaks = np.flatnonzero(codes == LF[0])
        outside = np.searchsorted(quotes, breaks) % 2 == 0
        ends = breaks[outside]
        if len(quotes) % 2 == 1 or not final:
            if final or not len(ends):
                return None
            block = block[: int(ends[-1]) + 1]
            codes = codes[: len(block)]
            quotes = quotes[: np.searchsorted(quotes, len(block))]
            breaks = breaks[: np.searchsorted(breaks, len(block))]
            outside = outside[: len(breaks)]
        if not self._whole(codes, quotes):
            return None
        count = len(ends) + (not block.endswith(LF))
        rows = self._fields(block, count, quoted=True)
        if rows is None:
            return None
        lines_before = np.concatenate(([0], np.flatnonzero(outside) + 1))[:count]
        return Block(rows, line + lines_before, len(block), line + len(breaks))

    def _whole(self, codes: NDArray[np.uint8], quotes: Positions) -> bool:
        """Every quoted field begins after a delimiter or line end and ends before one; other quotes are doubled."""
        opening, closing = quotes[::2], quotes[1::2]
        doubled = closing[:-1] + 1 == opening[1:]
        before = codes[opening - 1]
        begins = (before == self._dialect.delimiter[0]) | (before == LF[0]) | (opening == 0)
        begins[1:] |= doubled
        after = codes[np.minimum(closing + 1, len(codes) - 1)]
        ends = (after == self._dialect.delimiter[0]) | (after == LF[0]) | (after == CR[0]) | (closing == len(codes) - 1)
        ends[:-1] |= doubled
        return bool(begins.all() and ends.all())

    def _fields(self, block: bytes, count: int, *, quoted: bool) -> pa.Table | None:
        try:
            text = self._encoding.to_utf8(block)
            rows = arrow_csv.read_csv(
                pa.BufferReader(text),
                read_options=arrow_csv.ReadOptions(
                    use_threads=False, block_size=len(text) + 1, column_names=self._names
                ),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=self._dialect.delimiter.decode(),
                    quote_char=self._dialect.quote.decode() if quoted else False,
                    double_quote=quoted,
                    newlines_in_values=quoted,
                ),
                convert_options=self._types,
            )
        except (pa.ArrowInvalid, UnicodeDecodeError):
            return None
        return rows if rows.num_rows == count else None


def _beyond_ascii(dialect: Dialect) -> bool:
    return not (dialect.delimiter + dialect.quote).isascii()
