"""What a release is, as it is remembered: the one thing that every reader of gold goes through.

A record of kind `release` is written in the same transaction that moves the gold tables; its key is the number
in eight digits. See `Release.as_record` for what is in it. Looking at releases needs nothing but SQLite.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from penstock.errors import UsageError
from penstock.lake.records import StoredRecord, exists, last_record, stored_record, stored_records
from penstock.lake.table import FieldColumn

KIND = "release"


@dataclass(frozen=True)
class GoldTable:
    """A gold table in a release. Its columns stand here, so that a change of the table's schema that is on
    its way to the next release cannot be seen in this one.

    `content` is a hash of the rows whatever their order (None for tables that only grow), `shape` one of
    the declared columns. `shown_in` is a further schema in which readers find it.
    """

    snapshot: int
    rows: int
    content: str | None
    shape: str
    columns: tuple[FieldColumn, ...]
    shown_in: str | None = None

    def as_record(self) -> dict[str, object]:
        columns = [[column.field_id, column.name, column.duckdb_type, column.everywhere] for column in self.columns]
        return {
            "snapshot": self.snapshot,
            "rows": self.rows,
            "content": self.content,
            "shape": self.shape,
            "columns": columns,
            "shown_in": self.shown_in,
        }

    @classmethod
    def from_record(cls, value: Mapping[str, Any]) -> GoldTable:
        columns = tuple(FieldColumn(*column) for column in value["columns"])
        return cls(value["snapshot"], value["rows"], value["content"], value["shape"], columns, value.get("shown_in"))


@dataclass(frozen=True)
class Release:
    """One release: which snapshots belong together, and what they were made from.

    `silver` and `gold` go by `namespace.table`; a silver table that had no rows yet has no snapshot.
    `changed` are the gold tables that moved. `checks` are the results of the gate, `counts` whatever the
    run wants remembered. An expired release keeps its number and its story, not its tables.
    """

    number: int
    committed_at: datetime
    project: str  # fingerprints
    models: str
    silver: Mapping[str, int | None]
    gold: Mapping[str, GoldTable]
    changed: tuple[str, ...] = ()
    checks: tuple[Mapping[str, Any], ...] = ()
    counts: Mapping[str, Any] = field(default_factory=dict)
    expired_at: datetime | None = None

    @property
    def key(self) -> str:
        return release_key(self.number)

    def as_record(self) -> dict[str, object]:
        return {
            "number": self.number,
            "project": self.project,
            "models": self.models,
            "silver": dict(self.silver),
            "gold": {name: table.as_record() for name, table in self.gold.items()},
            "changed": list(self.changed),
            "checks": [dict(check) for check in self.checks],
            "counts": dict(self.counts),
            "expired_at": None if self.expired_at is None else self.expired_at.isoformat(),
        }

    @classmethod
    def from_record(cls, record: StoredRecord) -> Release:
        value = record.value
        expired = value.get("expired_at")
        return cls(
            number=value["number"],
            committed_at=record.committed_at,
            project=value["project"],
            models=value["models"],
            silver=value["silver"],
            gold={name: GoldTable.from_record(table) for name, table in value["gold"].items()},
            changed=tuple(value["changed"]),
            checks=tuple(value["checks"]),
            counts=value["counts"],
            expired_at=None if expired is None else datetime.fromisoformat(expired),
        )


def release_key(number: int) -> str:
    """The key of a release's record.

    >>> release_key(7)
    '00000007'
    """
    return f"{number:08d}"


def releases(root: Path) -> tuple[Release, ...]:
    """Every release of a data directory, oldest first, expired ones included; none when there is no lake."""
    found = [Release.from_record(record) for record in stored_records(root, KIND)]
    return tuple(sorted(found, key=lambda release: release.number))


def latest_release(root: Path) -> Release | None:
    """The current release, or None before the first."""
    last = last_record(root, KIND)
    return None if last is None else Release.from_record(last)


def find_release(root: Path, number: int) -> Release:
    """A release that can be read; UsageError when there never was one of that number or when it expired."""
    found = stored_record(root, KIND, release_key(number))
    chosen = None if found is None else Release.from_record(found)
    if chosen is not None and chosen.expired_at is None:
        return chosen
    readable = [release.number for release in releases(root) if release.expired_at is None]
    if chosen is None:
        raise UsageError(
            f"There is no release {number}", expected=_numbers(readable), found=str(number), remedy=_remedy(root)
        )
    raise UsageError(
        f"Release {number} expired on {chosen.expired_at:%Y-%m-%d} and can no longer be read",
        expected=_numbers(readable),
        remedy="How long releases stay readable is declared under `retention` in penstock.yml.",
    )


def warehouse_of(root: Path, number: int) -> Path:
    """Where the private warehouse that equals a release lies, while it is kept."""
    return root / "cache" / f"warehouse-{number}.duckdb"


def _numbers(readable: list[int]) -> str:
    if not readable:
        return "nothing was released yet"
    return f"one of {', '.join(map(str, readable))}" if len(readable) <= 10 else f"{readable[0]} to {readable[-1]}"


def _remedy(root: Path) -> str:
    return "`penstock history` lists the releases." if exists(root) else "Run `penstock run` first."
