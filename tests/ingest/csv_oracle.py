"""What a CSV file means, as slow and plain as it can be said: one character after another, no buffers."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Oracle:
    rows: list[tuple[int, list[str]]] = field(default_factory=list)
    malformed: list[tuple[int, bytes, str]] = field(default_factory=list)


def physical_lines(data: bytes) -> list[tuple[bytes, bytes]]:
    """(text, end) of every line."""
    lines: list[tuple[bytes, bytes]] = []
    text = b""
    at = 0
    while at < len(data):
        end = b"\r\n" if data[at : at + 2] == b"\r\n" else data[at : at + 1]
        if end in (b"\r\n", b"\n", b"\r"):
            lines.append((text, end))
            text = b""
            at += len(end)
        else:
            text += data[at : at + 1]
            at += 1
    return [*lines, (text, b"")] if text else lines


def understand(
    data: bytes, width: int, *, delimiter: bytes = b",", quote: bytes = b'"', encoding: str = "utf-8"
) -> Oracle:
    """Rows and malformed lines of data without a header."""
    oracle = Oracle()
    lines = physical_lines(data)
    at = 0
    while at < len(lines):
        at += _record(oracle, lines, at, width, delimiter, quote, encoding)
    return oracle


def _record(
    oracle: Oracle, lines: list[tuple[bytes, bytes]], at: int, width: int, delimiter: bytes, quote: bytes, encoding: str
) -> int:
    first = lines[at][0]
    if not first:
        return 1
    for count in range(1, len(lines) - at + 1):
        piece = b"".join(text + end for text, end in lines[at : at + count])
        piece = piece[: len(piece) - len(lines[at + count - 1][1])]
        outcome = _fields(piece, delimiter, quote)
        if outcome is None:
            continue  # a quote is still open
        if outcome == "text" and count > 1:
            break
        raw = piece
        wrong = _not_text(raw, encoding)
        if wrong is None and outcome == "text":
            wrong = "text_after_quote"
        elif isinstance(outcome, list) and len(outcome) != width:
            if count > 1:
                break
            wrong = wrong or "field_count"
        if wrong is None and isinstance(outcome, list):
            oracle.rows.append((at + 1, [value.decode(encoding) for value in outcome]))
        else:
            assert wrong is not None
            oracle.malformed.append((at + 1, raw, wrong))
        return count
    oracle.malformed.append((at + 1, first, _not_text(first, encoding) or "unclosed_quote"))
    return 1


def _not_text(raw: bytes, encoding: str) -> str | None:
    if b"\0" in raw:
        return "nul_byte"
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return "undecodable"
    return None


def _fields(record: bytes, delimiter: bytes, quote: bytes) -> list[bytes] | str | None:
    """Fields; "text" for text after a closing quote; None while a quote is open."""
    fields: list[bytes] = []
    value = b""
    state = "start"
    at = 0
    while at < len(record):
        char = record[at : at + 1]
        at += 1
        if state == "quoted":
            if char != quote:
                value += char
            elif record[at : at + 1] == quote:
                value += quote
                at += 1
            else:
                state = "closed"
        elif char == delimiter:
            fields.append(value)
            value, state = b"", "start"
        elif state == "closed":
            return "text"
        elif char in (b"\r", b"\n"):
            return "text"  # the record ended on an earlier line
        elif state == "start" and char == quote:
            state = "quoted"
        else:
            value += char
            state = "plain"
    if state == "quoted":
        return None
    return [*fields, value]
