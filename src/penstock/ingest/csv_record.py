"""CSV one record at a time, with the line and the fault of each that is none.

This is the careful path: it decides what a record is, and the fast path (`csv_block`) takes only
blocks about which it would decide the same.

A line ends at LF, CRLF or a lone CR. A field that begins with a quote ends at the next quote that is
not doubled, and a delimiter or a line end must follow; a quote elsewhere is text. Empty lines are
skipped. A record over several lines is taken only when it is whole: every quote closed, the expected
number of fields, at most 16 MiB. Otherwise its first line alone is malformed, and reading goes on at the
very next line: an unclosed quote costs one line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from penstock.ingest.encoding import Encoding
from penstock.ingest.malformed import KEPT_OF_OVERLONG, MAX_RECORD, Fault, Malformed

LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True)
class Dialect:
    """Delimiter and quote as bytes of the inner encoding; no quote when quoting is off."""

    delimiter: bytes
    quote: bytes
    field_end: re.Pattern[bytes] = field(repr=False, compare=False)

    @classmethod
    def of(cls, delimiter: bytes, quote: bytes) -> Dialect:
        return cls(delimiter, quote, re.compile(re.escape(delimiter) + rb"|[\r\n]"))


@dataclass
class Parsed:
    """Rows with the number of their first line, the malformed lines, and where reading goes on."""

    rows: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    malformed: list[Malformed] = field(default_factory=list)
    consumed: int = 0
    next_line: int = 1
    skipping: bool = False  # inside a line too long, whose end has not come yet

    @property
    def any(self) -> bool:
        return bool(self.rows or self.malformed)


@dataclass(frozen=True)
class _Record:
    """The fields of one record by structure alone. `end` is after its line end; `body` before it."""

    fields: list[bytes]
    body: int
    end: int


class _Broken(Exception):
    """A quote that is not closed (`at` None) or is followed by text (`at` is the place)."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at


class _NeedMore(Exception):
    """The data ends before the record does."""


class RecordParser:
    """Parses records of one file. `width` is the expected number of fields; None accepts any."""

    def __init__(self, dialect: Dialect, encoding: Encoding, width: int | None) -> None:
        self._dialect = dialect
        self._encoding = encoding
        self._width = width

    def parse(self, data: bytes, line: int, *, final: bool, skipping: bool = False, until: int | None = None) -> Parsed:
        """Every record of `data`, which begins at a record's start on line `line`; with `until`, none that begins
        that many bytes in or later, once there is a row or a malformed line.

        Unless `final`, a record that may go on behind the data is left: `consumed` is where it begins.
        `skipping` says that the data begins inside a line that is too long.
        """
        parsed = Parsed(next_line=line, skipping=skipping)
        while parsed.consumed < len(data) and not (until is not None and parsed.consumed >= until and parsed.any):
            try:
                self._step(data, parsed, final)
            except _NeedMore:
                break
        return parsed

    def _step(self, data: bytes, parsed: Parsed, final: bool) -> None:
        start = parsed.consumed
        try:
            body, end = _line(data, start, final)
        except _NeedMore:
            if parsed.skipping:
                parsed.consumed = _before_last_cr(data)
            elif len(data) - start > KEPT_OF_OVERLONG:
                parsed.malformed.append(self._too_long(data[start:], parsed.next_line))
                parsed.consumed, parsed.skipping = _before_last_cr(data), True
            raise
        parsed.consumed, lines = end, 1
        if parsed.skipping:
            parsed.skipping = False
        elif body - start > MAX_RECORD:
            parsed.malformed.append(self._too_long(data[start:body], parsed.next_line))
        elif body > start:
            parsed.consumed = start
            parsed.consumed = self._record(data, start, body, end, parsed, final)
            if parsed.consumed > end:
                lines = len(LINE_END.findall(data, start, parsed.consumed))
        parsed.next_line += lines

    def _record(self, data: bytes, start: int, body: int, end: int, parsed: Parsed, final: bool) -> int:
        """Take or refuse the record whose first line is `start` to `body`; where the next one begins."""
        line, raw = parsed.next_line, data[start:body]
        if not self._dialect.quote or self._dialect.quote not in raw:
            self._take(parsed, line, raw, raw.split(self._dialect.delimiter))
            return end
        try:
            record = _split_quoted(data, start, self._dialect, final)
        except _Broken as broken:
            parsed.malformed.append(self._broken_quote(raw, line, None if broken.at is None else broken.at - start))
            return end
        count = len(record.fields)
        if record.end > end and self._width is not None and count != self._width:
            parsed.malformed.append(self._unclosed(raw, line, f"{count} fields over several lines"))
            return end
        self._take(parsed, line, data[start : record.body], record.fields)
        return record.end

    def _take(self, parsed: Parsed, line: int, raw: bytes, fields: list[bytes]) -> None:
        fault = self._fault(raw, line, len(fields))
        if fault is not None:
            parsed.malformed.append(fault)
            return
        to_text = self._encoding.to_text
        parsed.rows.append([to_text(value) for value in fields])
        parsed.lines.append(line)

    def _fault(self, raw: bytes, line: int, count: int) -> Malformed | None:
        """What is wrong with a record that is whole by its quotes."""
        fault = self._not_text(raw, line)
        if fault is None and self._width is not None and count != self._width:
            original = self._encoding.original(raw)
            return Malformed(line, original, Fault.FIELD_COUNT, f"{self._width} fields", f"{count} fields")
        return fault

    def _not_text(self, raw: bytes, line: int) -> Malformed | None:
        if b"\0" in raw:
            where = f"one at byte {raw.index(0) + 1}"
            return Malformed(line, self._encoding.original(raw), Fault.NUL_BYTE, "no byte 0", where)
        try:
            self._encoding.to_text(raw)
        except UnicodeDecodeError as error:
            found = f"0x{raw[error.start]:02x} at byte {error.start + 1}"
            expected = f"text in {self._encoding.name}"
            return Malformed(line, self._encoding.original(raw), Fault.UNDECODABLE, expected, found)
        return None

    def _broken_quote(self, raw: bytes, line: int, text_at: int | None) -> Malformed:
        if text_at is None or text_at >= len(raw):
            return self._unclosed(raw, line, "none that makes a whole record")
        fault = self._not_text(raw, line)
        if fault is not None:
            return fault
        expected = "a delimiter or the end of the line after the closing quote"
        found = f"text at byte {text_at + 1}"
        return Malformed(line, self._encoding.original(raw), Fault.TEXT_AFTER_QUOTE, expected, found)

    def _unclosed(self, raw: bytes, line: int, found: str) -> Malformed:
        fault = self._not_text(raw, line)
        if fault is not None:
            return fault
        return Malformed(line, self._encoding.original(raw), Fault.UNCLOSED_QUOTE, "a closing quote", found)

    def _too_long(self, raw: bytes, line: int) -> Malformed:
        kept = self._encoding.original(raw[:KEPT_OF_OVERLONG])
        return Malformed(line, kept, Fault.LINE_TOO_LONG, f"at most {MAX_RECORD} bytes", "more")


def _line(data: bytes, start: int, final: bool) -> tuple[int, int]:
    """Where the line's text ends, and where the next line begins."""
    match = LINE_END.search(data, start)
    if match is not None and (match.end() < len(data) or match[0] != b"\r" or final):
        return match.start(), match.end()
    if match is None and final:
        return len(data), len(data)
    raise _NeedMore


def _before_last_cr(data: bytes) -> int:
    """The length of data without a CR at its end, which may be the first half of a CRLF."""
    return len(data) - data.endswith(b"\r")


def _split_quoted(data: bytes, start: int, dialect: Dialect, final: bool) -> _Record:
    """The fields of the record at `start`, over as many lines as its quotes reach."""
    try:
        record = _fields(data, start, dialect, final)
    except _NeedMore:
        if len(data) - start > MAX_RECORD + len(b"\r\n"):
            raise _Broken from None
        raise
    if record.body - start > MAX_RECORD:
        raise _Broken
    return record


def _fields(data: bytes, start: int, dialect: Dialect, final: bool) -> _Record:
    quote, width = dialect.quote, len(dialect.quote)
    fields: list[bytes] = []
    at = start
    while True:
        if data.startswith(quote, at):
            close = _closing_quote(data, at + width, quote, final)
            value = data[at + width : close].replace(quote + quote, quote)
            at = close + width
            match = dialect.field_end.match(data, at)
            if match is None and at < len(data):
                raise _Broken(at)
        else:
            match = dialect.field_end.search(data, at)
            value = data[at : len(data) if match is None else match.start()]
        fields.append(value)
        if match is None or match[0] in (b"\r", b"\n"):
            body, end = _line(data, len(data) if match is None else match.start(), final)
            return _Record(fields, body, end)
        at = match.end()


def _closing_quote(data: bytes, at: int, quote: bytes, final: bool) -> int:
    """Where the quote is that closes the field whose text begins at `at`."""
    width = len(quote)
    while True:
        close = data.find(quote, at)
        after = close + width
        if not final and (close < 0 or after >= len(data)):
            raise _NeedMore
        if close < 0:
            raise _Broken
        if not data.startswith(quote, after):
            return close
        at = after + width
