"""Where rows come from and how to read them: the frozen values of `sources/*.yml`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path


class FileFormat(StrEnum):
    CSV = "csv"
    NDJSON = "ndjson"
    JSON = "json"  # one array of objects
    PARQUET = "parquet"


class DeliveryMode(StrEnum):
    """What a delivery means.

    append: every file adds rows.
    replace_file: a file of the same name with a higher version replaces the rows of the lower one.
    """

    APPEND = "append"
    REPLACE_FILE = "replace_file"


@dataclass(frozen=True)
class Delivery:
    """Exactly one of `pattern` and `version_column` is set when mode is replace_file, neither otherwise.

    `pattern` is matched against the file name and has the groups `name` (what is replaced) and
    `version`; versions compare as integers when both are digits, else as text. `version_column`
    names a source column whose highest text value is the file's version.
    `same_content`: what a file with the content of a known file under another path is.
    """

    mode: DeliveryMode = DeliveryMode.APPEND
    pattern: str | None = None
    version_column: str | None = None
    same_content: str = "load"  # load | skip


@dataclass(frozen=True)
class Csv:
    delimiter: str = ","
    quote: str = '"'
    header: bool = True
    encoding: str = "utf-8"  # utf-8 (a BOM is dropped), cp1252, latin-1, utf-16
    columns: tuple[str, ...] | None = None  # header names when `header` is false


@dataclass(frozen=True)
class Reading:
    """How the text of this source becomes typed values (used by conform)."""

    mapping: tuple[tuple[str, str], ...] = ()  # (contract column, source column) where names differ
    null_values: tuple[str, ...] = ("",)
    decimal_separator: str = "."
    thousands_separator: str | None = None
    timezone: str = "UTC"  # of timestamps that carry no offset
    timestamp_format: str | None = None  # strptime; None: ISO 8601
    date_format: str | None = None


@dataclass(frozen=True)
class Source:
    """Files that feed one dataset."""

    name: str
    dataset: str
    globs: tuple[str, ...]  # absolute, or relative to the project; environment variables already expanded
    format: FileFormat
    compression: str | None  # gz | zst | None; None: by the file's ending
    csv: Csv
    delivery: Delivery
    reading: Reading
    settle: timedelta
    path: Path
    fingerprint: str
    description: str = ""
    optional: bool = False  # no matching file is not an error
