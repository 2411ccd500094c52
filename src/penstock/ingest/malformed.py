"""What makes a line malformed: a closed vocabulary, and the line as it goes to quarantine."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

# A record (one line, or several when a quoted field holds line ends) may have so many bytes in UTF-8.
MAX_RECORD = 16 << 20
# What is kept of a longer one. It is itself too long, so no replay takes a cut line for a whole one.
KEPT_OF_OVERLONG = MAX_RECORD + 8


class Fault(StrEnum):
    """Why a line cannot be read as a row.

    field_count: not as many fields as the header. unclosed_quote: a quoted field that is not closed on
    its line, nor on later lines such that a whole record results. text_after_quote: a closing quote is
    followed by neither delimiter nor line end. undecodable: bytes that are no text in the declared
    encoding. nul_byte: a byte 0, which no text file holds. line_too_long: more than 16 MiB.
    broken_json: not JSON. not_an_object: JSON, but no object. duplicate_key: an object names a key twice.
    """

    FIELD_COUNT = "field_count"
    UNCLOSED_QUOTE = "unclosed_quote"
    TEXT_AFTER_QUOTE = "text_after_quote"
    UNDECODABLE = "undecodable"
    NUL_BYTE = "nul_byte"
    LINE_TOO_LONG = "line_too_long"
    BROKEN_JSON = "broken_json"
    NOT_AN_OBJECT = "not_an_object"
    DUPLICATE_KEY = "duplicate_key"


@dataclass(frozen=True)
class Malformed:
    """A line that is no row: its number, its bytes as delivered without the line end, and the facts.

    `expected` and `found` hold no value of the line, only counts, kinds and places.
    """

    line: int
    raw: bytes
    fault: Fault
    expected: str
    found: str
