"""What a table of the lake is, as values: columns with stable ids, heads, data files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

COLUMN_IDS = "penstock.column-ids"  # of a table: stable column id -> Iceberg field id


@dataclass(frozen=True)
class TableColumn:
    """A column with its stable id (text, from the contract; the lake maps it to an Iceberg field id).

    `type` is an Iceberg type in Iceberg's spelling: string, long, int, double, boolean, date,
    timestamptz, binary, decimal(P,S), list<string>. A personal column carries no bounds in any file.
    """

    id: str
    name: str
    type: str
    required: bool = False
    doc: str = ""
    personal: bool = False


@dataclass(frozen=True)
class Partition:
    """`transform` of `column` (its name): identity, year, month, day or hour."""

    column: str
    transform: str


@dataclass(frozen=True)
class TableSpec:
    """A table as it should be. `name` is `namespace.table`."""

    name: str
    columns: tuple[TableColumn, ...]
    partitions: tuple[Partition, ...] = ()
    doc: str = ""


@dataclass(frozen=True)
class DeleteFile:
    """Names places in data files, by path and row number from 0: the rows there are not in the table any more."""

    path: str
    rows: int
    bytes: int


@dataclass(frozen=True)
class DataFile:
    """One data file of a snapshot. `path` is a plain absolute path or object URL that DuckDB can open. `rows` are those
    that were written; `deletes` may name some of them, which do not count any more, and `only` those that are meant where
    not all are."""

    path: str
    rows: int
    bytes: int
    bounds: Mapping[str, tuple[object, object]] = field(
        default_factory=dict
    )  # column name -> (lower, upper), where kept
    deletes: tuple[DeleteFile, ...] = ()
    only: tuple[DeleteFile, ...] = ()


@dataclass(frozen=True)
class FieldColumn:
    """How to read one column by field id: the map that DuckDB's `read_parquet(schema=...)` wants.

    `everywhere`: every file of the scan has it under this name and type, and none has anything else under that name, so
    reading by name finds the same, and faster.
    """

    field_id: int
    name: str
    duckdb_type: str
    everywhere: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class Scan:
    """The files of one snapshot and the columns of its schema: all a reader needs. Empty tables have no files."""

    table: str
    snapshot_id: int | None
    files: tuple[DataFile, ...]
    columns: tuple[FieldColumn, ...]

    @property
    def deletes(self) -> tuple[DeleteFile, ...]:
        """Those that name rows of its files."""
        return tuple(dict.fromkeys(one for file in self.files for one in file.deletes))

    @property
    def rows(self) -> int:
        """How many rows a reader finds: of whole tables, for deletes name rows of other files too."""
        return sum(file.rows for file in self.files) - sum(one.rows for one in self.deletes)


@dataclass(frozen=True)
class Changes:
    """What came between two snapshots of a table, `since` excluded and `until` included, and what went.

    Files that were written anew are in both, and hold rows that neither came nor went. Of a file that stays `gone` has
    `only` the rows that were taken out of it. When `since` has expired, all of `until` is `added`.
    """

    table: str
    since: int | None
    until: int | None
    added: Scan
    gone: Scan
    expired: bool

    @property
    def removed(self) -> bool:
        """Whether rows went, so that the added files alone do not lead from one snapshot to the other."""
        return bool(self.gone.files)


@dataclass(frozen=True)
class Head:
    """A table at the moment it was loaded. `metadata_location` is what a commit is compared with."""

    name: str
    metadata_location: str
    snapshot_id: int | None
    properties: Mapping[str, str]
    summary: Mapping[str, str]  # of the current snapshot

    @property
    def column_ids(self) -> Mapping[str, int]:
        """Stable column id -> Iceberg field id."""
        recorded: dict[str, int] = json.loads(self.properties.get(COLUMN_IDS, "{}"))
        return recorded

    def position(self, source: str) -> str | None:
        """The position of `source` committed with this table's data, or None before the first."""
        return self.properties.get(f"penstock.position.{source}")
