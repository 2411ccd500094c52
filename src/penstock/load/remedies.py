"""What to do about a refused row, by the rule it broke."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from penstock.conform.codes import Code
from penstock.ingest.malformed import Fault

_CORRECT = "Correct the value and deliver the row again"

REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        Code.MISSING_COLUMN: "Deliver the column, or map, fill or alias it in the source or contract.",
        Code.REQUIRED: "Deliver a value, or take `required` from the column.",
        Code.TYPE: f"{_CORRECT}, or declare under `reading` how such values are written.",
        Code.RANGE: f"{_CORRECT}, or widen the type of the column.",
        Code.SCALE: "Round it where it comes from and deliver the row again, or give the column more digits.",
        Code.LOCAL_TIME: "Deliver the time with its offset, or correct `reading.timezone`: clocks skipped that time.",
        Code.ENUM: f"{_CORRECT}, or add it to `enum` of the column.",
        Code.MINIMUM: f"{_CORRECT}, or move the bound of the column.",
        Code.MAXIMUM: f"{_CORRECT}, or move the bound of the column.",
        Code.MIN_LENGTH: f"{_CORRECT}, or move the bound of the column.",
        Code.MAX_LENGTH: f"{_CORRECT}, or move the bound of the column.",
        Code.PATTERN: f"{_CORRECT}, or correct the pattern of the column.",
        Code.FORMAT: f"{_CORRECT}, or take the format from the column.",
        Code.RULE: "Correct the row and deliver it again, or correct the rule.",
        Fault.FIELD_COUNT: "Correct the line and deliver the file again, or correct `csv.delimiter`.",
        Fault.UNCLOSED_QUOTE: "Close the quote and deliver the file again, or correct `csv.quote`.",
        Fault.TEXT_AFTER_QUOTE: "Double the quotes within the value and deliver the file again, or correct `csv.quote`.",
        Fault.UNDECODABLE: "Correct `csv.encoding`, then `penstock quarantine replay`, or deliver the file again.",
        Fault.NUL_BYTE: "Have the file delivered again: no text holds a byte 0.",
        Fault.LINE_TOO_LONG: "Check for a quote that is never closed, and deliver the file again.",
        Fault.BROKEN_JSON: "Correct the line and deliver the file again.",
        Fault.NOT_AN_OBJECT: "Deliver one JSON object for each row.",
        Fault.DUPLICATE_KEY: "Give each key of the object once, and deliver the file again.",
    }
)
