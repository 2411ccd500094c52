"""Where rows come from and how to read them: the frozen values of `sources/*.yml`."""

from __future__ import annotations

from dataclasses import dataclass, field
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
    upsert: every row is a version of its key; the newest is the row of today.
    snapshot: every file is the whole truth of its moment; a key it misses is deleted at that moment.
    """

    APPEND = "append"
    REPLACE_FILE = "replace_file"
    UPSERT = "upsert"
    SNAPSHOT = "snapshot"

    @property
    def keeps_versions(self) -> bool:
        """Whether silver keeps every version of a key, told apart by a column of the contract."""
        return self in (DeliveryMode.UPSERT, DeliveryMode.SNAPSHOT)


@dataclass(frozen=True)
class Delivery:
    """What a file means, and where its version stands.

    replace_file: exactly one of `pattern` and `version_column` is set. `pattern` is matched against the file name
    and has the groups `name` (what is replaced) and `version`; versions compare as integers when both are digits,
    else as text. `version_column` names a source column whose highest text value is the file's version.

    upsert, snapshot: `version` names the column of the contract that is the version of a row. With a `pattern` its
    value is the group `version` of the file name, written in `version_format` (strptime; None: ISO 8601 or a
    number); without one it is read from the rows like any other. `max_deleted` is the highest share of the keys of
    a snapshot that the next one may miss.

    `same_content`: what a file with the content of a known file under another path is.
    """

    mode: DeliveryMode = DeliveryMode.APPEND
    pattern: str | None = None
    version_column: str | None = None
    same_content: str = "load"  # load | skip
    # Left out of the text of a delivery, which older data directories remember; `load.rules` adds what matters.
    version: str | None = field(default=None, repr=False)
    version_format: str | None = field(default=None, repr=False)
    max_deleted: float = field(default=0.5, repr=False)

    @property
    def version_from_name(self) -> bool:
        """Whether the version of every row is that in the name of its file."""
        return self.version is not None and self.pattern is not None


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
    # Contract columns with one value for every row, as canonical text; (contract column, contract column whose value
    # it has too); how a version in a file name is written. Left out of the text of a reading, which older data
    # directories remember.
    constants: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    same_as: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    version_format: str | None = field(default=None, repr=False)

    def constant(self, column: str) -> str | None:
        """The one value of a column of the contract, if it has one."""
        origin = dict(self.same_as).get(column, column)
        return dict(self.constants).get(origin)


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
