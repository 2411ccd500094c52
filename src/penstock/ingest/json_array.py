"""JSON files that are one array of objects, element by element, never the whole file in memory.

An array has no lines to speak of (it may be all on one), so the number of a row is the position of its
element, from 1, and malformed elements are kept by that number. Broken syntax is different: nothing after
it can be trusted, so the file is refused as a whole.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator

from penstock.errors import SourceError
from penstock.ingest.batch import Piece
from penstock.ingest.content import Content
from penstock.ingest.encoding import open_encoding
from penstock.ingest.json_rows import JsonRows
from penstock.ingest.json_text import JsonDecoder, Number, Value
from penstock.ingest.malformed import MAX_RECORD, Malformed

BLOCK_BYTES = 1 << 20
PIECE_ROWS = 10_000
_BLANKS = re.compile(r"[ \t\r\n]*")


def array_pieces(content: Content, where: str, *, block_bytes: int = BLOCK_BYTES) -> Iterator[Piece]:
    """The objects of the array. UTF-8, a byte order mark is dropped; an empty file has no rows."""
    rows, decoder = JsonRows(), JsonDecoder()
    text = _Text(content, where, block_bytes)
    for number, (value, raw) in enumerate(_elements(text, decoder), 1):
        fault = decoder.fault(value, raw)
        if fault is None and isinstance(value, dict):
            rows.take(value, number)
        elif fault is not None:
            rows.refuse(Malformed(number, raw.encode(), *fault))
        if len(rows) >= PIECE_ROWS:
            yield rows.piece()
    if len(rows):
        yield rows.piece()


class _Text:
    """A window on the file's text that moves forward."""

    def __init__(self, content: Content, where: str, block_bytes: int) -> None:
        self._content = content
        self._where = where
        self._block_bytes = block_bytes
        self._encoding = open_encoding("utf-8", where)
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._line = 1
        self.text = ""
        self.at = 0
        self.final = False

    def more(self) -> None:
        """Drop what is behind, add a chunk."""
        self._line += self.text.count("\n", 0, self.at)
        chunk = self._content.read(self._block_bytes)
        self.final = len(chunk) < self._block_bytes
        try:
            added = self._decoder.decode(self._encoding.feed(chunk, self.final), self.final)
        except UnicodeDecodeError as error:
            raise self.broken(f"a byte that is not UTF-8 (0x{error.object[error.start]:02x})") from error
        self.text = self.text[self.at :] + added
        self.at = 0

    def peek(self) -> str:
        """The next character that is no blank, or nothing at the end."""
        while True:
            match = _BLANKS.match(self.text, self.at)
            self.at = self.at if match is None else match.end()
            if self.at < len(self.text) or self.final:
                return self.text[self.at : self.at + 1]
            self.more()

    def broken(self, found: str, at: int | None = None) -> SourceError:
        line = self._line + self.text.count("\n", 0, self.at if at is None else at)
        return SourceError(
            "The JSON file is broken",
            where=f"{self._where}:{line}",
            expected="one array of objects",
            found=found,
            remedy="Have it delivered again, or declare `ndjson` for one object per line. Nothing of it was taken.",
        )


def _elements(text: _Text, decoder: JsonDecoder) -> Iterator[tuple[Value, str]]:
    """Each element with its own text."""
    if text.peek() == "":
        return
    if text.peek() != "[":
        raise text.broken("something that is no array")
    text.at += 1
    if text.peek() != "]":
        yield _element(text, decoder)
        while text.peek() == ",":
            text.at += 1
            text.peek()
            yield _element(text, decoder)
    if text.peek() != "]":
        raise text.broken(
            f"{text.peek()!r} between elements" if text.peek() else "the end of the file within the array"
        )
    text.at += 1
    if text.peek():
        raise text.broken("more text after the array")


def _element(text: _Text, decoder: JsonDecoder) -> tuple[Value, str]:
    while True:
        try:
            value, end = decoder.decode(text.text, text.at)
        except RecursionError as error:
            raise text.broken("values nested too deeply") from error
        except json.JSONDecodeError as error:
            if text.final or len(text.text) - text.at > MAX_RECORD:
                raise text.broken(_reason(text, error), error.pos) from error
        else:
            if end < len(text.text) or text.final or not isinstance(value, Number):
                raw = text.text[text.at : end]
                text.at = end
                return value, raw
        text.more()


def _reason(text: _Text, error: json.JSONDecodeError) -> str:
    if text.final and error.pos >= len(text.text.rstrip()):
        return "the end of the file within the array"
    if not text.final:
        return f"an element that does not end within {MAX_RECORD} characters"
    return error.msg[:1].lower() + error.msg[1:]
