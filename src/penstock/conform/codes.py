"""The closed vocabulary of reasons why a row is rejected."""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """One violated rule. A row carries every one it violates, in the order of the contract's columns.

    missing_column: the delivery has no column for a required one. required: the value is null.
    type: the text is not a value of the type. range: it is, but does not fit (64 bits, precision, years 1 to 9999).
    scale: more digits after the point than declared. local_time: a local time that the zone skips.
    enum, minimum, maximum, min_length, max_length, pattern, format: the constraint of that name.
    rule: a rule over the row; the reason's `column` is the rule's name.
    """

    MISSING_COLUMN = "missing_column"
    REQUIRED = "required"
    TYPE = "type"
    RANGE = "range"
    SCALE = "scale"
    LOCAL_TIME = "local_time"
    ENUM = "enum"
    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    MIN_LENGTH = "min_length"
    MAX_LENGTH = "max_length"
    PATTERN = "pattern"
    FORMAT = "format"
    RULE = "rule"
