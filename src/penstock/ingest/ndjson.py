"""NDJSON: one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from penstock.ingest.batch import Piece
from penstock.ingest.content import Content
from penstock.ingest.encoding import open_encoding
from penstock.ingest.json_rows import JsonRows
from penstock.ingest.json_text import JsonDecoder
from penstock.ingest.line import Lines
from penstock.ingest.malformed import KEPT_OF_OVERLONG, MAX_RECORD, Fault, Malformed

BLOCK_BYTES = 1 << 20


def ndjson_pieces(content: Content, *, block_bytes: int = BLOCK_BYTES) -> Iterator[Piece]:
    """The objects of the lines; lines of blanks are skipped. UTF-8, a byte order mark is dropped."""
    encoding, lines = open_encoding("utf-8", ""), Lines()
    rows, decoder = JsonRows(), JsonDecoder()
    final = False
    while not final:
        chunk = content.read(block_bytes)
        final = len(chunk) < block_bytes
        for number, raw in lines.feed(encoding.feed(chunk, final), final=final):
            _take(rows, decoder, number, raw)
        if len(rows):
            yield rows.piece()


def ndjson_lines(raw: Sequence[tuple[int, bytes]]) -> Piece:
    """Lines of their own, by number."""
    rows, decoder = JsonRows(), JsonDecoder()
    for number, line in raw:
        _take(rows, decoder, number, line)
    return rows.piece()


def _take(rows: JsonRows, decoder: JsonDecoder, number: int, raw: bytes) -> None:
    """Add one line's object, or the line as malformed."""
    if len(raw) > MAX_RECORD:
        rows.refuse(
            Malformed(number, raw[:KEPT_OF_OVERLONG], Fault.LINE_TOO_LONG, f"at most {MAX_RECORD} bytes", "more")
        )
        return
    try:
        text = raw.decode().strip(" \t\r")
        if not text:
            return
        value, end = decoder.decode(text)
    except UnicodeDecodeError as error:
        found = f"0x{raw[error.start]:02x} at byte {error.start + 1}"
        rows.refuse(Malformed(number, raw, Fault.UNDECODABLE, "text in UTF-8", found))
    except json.JSONDecodeError as error:
        rows.refuse(_broken(number, raw, f"{error.msg} at character {error.pos + 1}"))
    except RecursionError:
        rows.refuse(_broken(number, raw, "values nested too deeply"))
    else:
        fault = decoder.fault(value, text)
        if end < len(text):
            rows.refuse(_broken(number, raw, f"more text at character {end + 1}"))
        elif fault is not None or not isinstance(value, dict):
            code, expected, found = fault or (Fault.NOT_AN_OBJECT, "an object", "something else")
            rows.refuse(Malformed(number, raw, code, expected, found))
        else:
            rows.take(value, number)


def _broken(number: int, raw: bytes, found: str) -> Malformed:
    if b"\0" in raw:
        return Malformed(number, raw, Fault.NUL_BYTE, "no byte 0", f"one at byte {raw.index(0) + 1}")
    return Malformed(number, raw, Fault.BROKEN_JSON, "one JSON object", found)
