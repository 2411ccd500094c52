"""Gold tables without a warehouse: models are lists of rows, and a shop of nothing but a lake releases them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa

from penstock.lake.lake import Lake
from penstock.lake.table import TableColumn, TableSpec
from penstock.quality.verdict import Reason, Verdict
from penstock.release.model import BuiltRows, Candidate
from penstock.release.publish import Judgement, publish
from penstock.release.reader import open_reader
from penstock.release.record import Release
from penstock.spec.project import Project, Retention
from penstock.sql.connection import connect
from penstock.testing.world import manual_world
from penstock.transform.places import places_of
from penstock.world import World

PASSED = Verdict(blocking=(), warnings=(), held=3)
FAILED = Verdict(blocking=(Reason("no_negative", "checks/gate.yml", "1 row breaks the rule"),), warnings=(), held=2)
ARROW = {
    "long": pa.int64(),
    "int": pa.int32(),
    "string": pa.string(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
}


@dataclass(frozen=True)
class ModelColumn:
    name: str
    lake_type: str = "long"
    id: str = ""
    classification: str | None = None
    description: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", self.id or self.name)


@dataclass(frozen=True)
class Model:
    """Rows as tuples in the order of the columns; an append model that grew says how many are new, last ones first.
    A moved model may say which `came` and which `went`."""

    name: str
    columns: tuple[ModelColumn, ...]
    data: tuple[tuple[Any, ...], ...]
    kind: str = "replace"
    status: str = "built"
    new: int | None = None
    came: tuple[tuple[Any, ...], ...] | None = None
    went: tuple[tuple[Any, ...], ...] = ()
    slice_by: str | None = None
    moved_slices: tuple[date, ...] | None = None
    shown_in: str | None = None
    description: str = ""

    @property
    def rows(self) -> int:
        return len(self.data)

    @property
    def new_rows(self) -> int:
        return len(self.data) if self.new is None else self.new

    @property
    def content_hash(self) -> str | None:
        content = json.dumps(sorted(map(repr, self.data)))
        return None if self.kind == "append" else sha256(content.encode()).hexdigest()

    def arrow(self, rows: Sequence[tuple[Any, ...]]) -> pa.Table:
        arrays = [
            pa.array([row[place] for row in rows], type=arrow_type(column.lake_type))
            for place, column in enumerate(self.columns)
        ]
        return pa.Table.from_arrays(arrays, names=[column.name for column in self.columns])


def arrow_type(lake_type: str) -> pa.DataType:
    if lake_type.startswith("decimal"):
        return pa.decimal128(*map(int, lake_type.removeprefix("decimal(").removesuffix(")").split(",")))
    return ARROW[lake_type]


class Rows:
    """The rows of models of this kind."""

    @contextmanager
    def read(self, model: Model, *, only_new: bool = False) -> Iterator[pa.RecordBatchReader]:
        start = len(model.data) - model.new_rows if only_new else 0
        yield _reader(model.arrow(model.data[start:] if model.came is None or not only_new else model.came))

    def moved(self, model: Model) -> tuple[int, int]:
        """All of them, where it does not say which."""
        return (len(model.data), len(model.data)) if model.came is None else (len(model.came), len(model.went))

    def gone(self, model: Model, stored: str, place: tuple[str, str]) -> pa.Table | None:
        names = [column.name for column in model.columns]
        with connect() as connection:
            connection.register("went", model.arrow(model.went))
            return places_of(connection, "FROM went", stored, names, place)

    @contextmanager
    def slice(self, model: Model, first: date, last: date) -> Iterator[pa.RecordBatchReader]:
        yield _reader(model.arrow([row for row in model.data if first <= _day(model, row) <= last]))

    def by_day(self, model: Model) -> Mapping[date | None, int]:
        return Counter(_day(model, row) for row in model.data)


def _day(model: Model, row: tuple[Any, ...]) -> Any:
    return row[[column.name for column in model.columns].index(model.slice_by or "")]


def _reader(table: pa.Table) -> pa.RecordBatchReader:
    return pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=2))


def model(name: str, data: Sequence[Any], *columns: str | ModelColumn, **fields: Any) -> Model:
    """A model with columns of longs, or as given; single values are rows of one column."""
    shaped = tuple(ModelColumn(column) if isinstance(column, str) else column for column in columns or ("n",))
    rows = tuple(row if isinstance(row, tuple) else (row,) for row in data)
    return Model(name, shaped, rows, **fields)


def project(root: Path = Path("library"), *, fingerprint: str = "p", retention: Retention | None = None) -> Project:
    return Project(
        root=root,
        name="library",
        tenant="default",
        description="",
        contracts={},
        sources={},
        checks=(),
        models=None,
        models_fingerprint="m",
        retention=Retention() if retention is None else retention,
        quality_target=99.9,
        quality_alert=95.0,
        fingerprint=fingerprint,
    )


@dataclass
class House:
    """A data directory, and short ways to release models and to look at what was released."""

    root: Path
    world: World = field(default_factory=lambda: manual_world(seed="house"))

    def release(
        self,
        *models: Model,
        verdict: Verdict = PASSED,
        built_on: int | None = None,
        rows: BuiltRows | None = None,
        lease: str = "release",
        meanwhile: Callable[[], None] = lambda: None,
        **pins: int | None,
    ) -> Release:
        with Lake.open(self.root, self.world) as lake, lake.lease(lease, holder="test") as held:
            silver = {f"silver.{name}": snapshot for name, snapshot in pins.items()}
            candidate = Candidate(models, rows or Rows(), built_on, silver)

            def judged() -> Judgement:
                meanwhile()
                return Judgement(verdict)

            return publish(lake, project(), candidate, judged=judged, lease=held)

    def silver(self, name: str, values: Sequence[int]) -> int:
        """Add rows to a silver table; its new snapshot."""
        with Lake.open(self.root, self.world) as lake, lake.lease("silver", holder="test") as lease:
            head = lake.ensure(TableSpec(f"silver.{name}", (TableColumn("n", "n", "long"),)), lease=lease)
            with lake.stage(lease=lease, token=f"{name}{values}") as commit:
                commit.table(head).append(pa.table({"n": pa.array(values, pa.int64())}))
                (moved,) = commit.apply().values()
        assert moved.snapshot_id is not None
        return moved.snapshot_id

    def rows(self, table: str, *, release: int | None = None) -> list[dict[str, Any]]:
        """The rows of a table, sorted by their text."""
        with open_reader(self.root, self.world, release=release) as reader:
            relation = reader.connection.sql(f"FROM {table}")
            found = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
        return sorted(found, key=repr)

    def files(self) -> frozenset[str]:
        """Every file of the data directory."""
        return frozenset(str(path) for path in self.root.rglob("*") if path.is_file())

    def snapshots(self) -> Mapping[str, int | None]:
        with Lake.open(self.root, self.world) as lake:
            return {name: head.snapshot_id for name, head in lake.heads("gold").items()}
