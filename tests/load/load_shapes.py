"""A small lending library as values, its files on a real disk, and the road they take."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from penstock.errors import SourceError
from penstock.ingest.discovery import Discovery, discover
from penstock.lake.lake import Lake
from penstock.lake.lease import Lease
from penstock.lake.records import read_records, read_table_summary
from penstock.load import leaving
from penstock.load.bronze import Ambiguous, Refused, Taken, take
from penstock.load.ledger import known_files
from penstock.load.replay import Reread, reread
from penstock.load.silver import Settings, Settled, settle
from penstock.spec.contract import Classification, Column, Contract, Dedupe, Evolution, LogicalType
from penstock.spec.project import Project, Retention
from penstock.spec.source import Csv, Delivery, DeliveryMode, FileFormat, Reading, Source
from penstock.sql.connection import connect
from penstock.sql.names import quote
from penstock.sql.scan import read_scan
from penstock.testing.world import ManualClock, manual_world
from penstock.world import LocalDisk, World

DAY = timedelta(days=1)
HEADER = "loan,title,fee,at"
SYSTEM = ("_tenant", "_source", "_file", "_line", "_file_id", "_ingested_at", "_batch")
BY_NAME = Delivery(DeliveryMode.REPLACE_FILE, pattern=r"(?P<name>[a-z]+)_v(?P<version>[0-9]+)\.csv")
BY_COLUMN = Delivery(DeliveryMode.REPLACE_FILE, version_column="version")

Row = dict[str, Any]


def column(name: str, type: LogicalType = LogicalType.STRING, **facts: Any) -> Column:
    return Column(id=facts.pop("id", f"id_{name}"), name=name, type=type, **facts)


@contextmanager
def staying(files_stay: bool = True) -> Iterator[None]:
    """Whether files of silver, however small, stay when rows leave them, which are named then."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leaving, "SMALL", 0 if files_stay else 1_000_000)
        patch.setattr(leaving, "_NAMED", 1)
        yield


COLUMNS = (
    column("loan", required=True),
    column("title"),
    column("fee", LogicalType.DECIMAL, precision=10, scale=2),
    column("at", LogicalType.TIMESTAMP),
)


def contract(
    *columns: Column,
    key: Sequence[str] = (),
    order_by: str | None = None,
    horizon: timedelta | None = None,
    evolution: Evolution = Evolution.EVOLVE,
    **facts: Any,
) -> Contract:
    """The contract of `loans`; its fingerprint covers all of it, as that of a declared one does."""
    made = Contract(
        dataset="loans",
        version="1",
        description="",
        owner="",
        columns=columns or COLUMNS,
        key=tuple(key),
        dedupe=Dedupe(order_by, horizon),
        evolution=evolution,
        partitions=facts.pop("partitions", ()),
        rules=facts.pop("rules", ()),
        references=facts.pop("references", ()),
        freshness=None,
        path=Path("contracts/loans.yml"),
        fingerprint="",
        **facts,
    )
    return replace(made, fingerprint=hashlib.sha256(repr(made).encode()).hexdigest())


KEYED = contract(key=("loan",), order_by="at")
OPEN_FOR_A_DAY = contract(key=("loan",), order_by="at", horizon=DAY)


def source(inbox: Path, glob: str = "**/*.csv*", *, name: str = "desk", **facts: Any) -> Source:
    """A source of `loans`; everything that a test does not say is as in a declaration that does not say it."""
    made = Source(
        name=name,
        dataset=facts.pop("dataset", "loans"),
        globs=(str(inbox / glob),),
        format=facts.pop("format", FileFormat.CSV),
        compression=facts.pop("compression", None),
        csv=facts.pop("csv", Csv()),
        delivery=facts.pop("delivery", Delivery()),
        reading=facts.pop("reading", Reading()),
        settle=timedelta(0),
        path=Path(f"sources/{name}.yml"),
        fingerprint="",
        optional=True,
        **facts,
    )
    return replace(made, fingerprint=hashlib.sha256(repr(made).encode()).hexdigest())


def project(root: Path, contracts: Sequence[Contract], sources: Sequence[Source]) -> Project:
    return Project(
        root=root,
        name="library",
        tenant="default",
        description="",
        contracts={one.dataset: one for one in contracts},
        sources={one.name: one for one in sources},
        checks=(),
        models=None,
        models_fingerprint="",
        retention=Retention(),
        quality_target=0.0,
        quality_alert=0.0,
        fingerprint="",
    )


class QuickDisk(LocalDisk):
    """The real disk without waiting for it: what survives a power loss is not this suite's question."""

    def sync(self, *paths: str) -> None:
        return


@dataclass
class Road:
    """One lake, one inbox, and the declarations as they are now."""

    folder: Path
    lake: Lake
    lease: Lease
    world: World
    project: Project
    settings: Settings
    seen: list[tuple[int, int]] = field(default_factory=list)

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox"

    @property
    def clock(self) -> ManualClock:
        assert isinstance(self.world.clock, ManualClock)
        return self.world.clock

    def declare(self, *declared: Contract | Source, without: Sequence[str] = ()) -> None:
        """Change declarations: each replaces the one of its name; the sources in `without` go."""
        contracts = dict(self.project.contracts)
        sources = {name: one for name, one in self.project.sources.items() if name not in without}
        for one in declared:
            if isinstance(one, Contract):
                contracts[one.dataset] = one
            else:
                sources[one.name] = one
        self.project = replace(self.project, contracts=contracts, sources=sources)

    def deliver(self, name: str, *lines: str, header: str | None = HEADER) -> Path:
        """A CSV file of these lines, below the header."""
        head = () if header is None else (header,)
        return self.deliver_bytes(name, "".join(f"{line}\n" for line in (*head, *lines)).encode())

    def deliver_bytes(self, name: str, content: bytes) -> Path:
        path = self.inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.stat().st_mtime_ns if path.exists() else 0
        path.write_bytes(content)
        if before:  # two writes may have one time stamp; a later delivery has a later one
            os.utime(path, ns=(before + 10**9, before + 10**9))
        return path

    def discover(self, name: str = "desk") -> Discovery:
        return discover(self.project.sources[name], self.project.root, known_files(self.lake, name), self.world.clock)

    def take(self, name: str = "desk", found: Discovery | None = None) -> list[Taken | Refused | Ambiguous]:
        """Files to bronze; the clock moves on, so that every batch has its own time."""
        self.clock.sleep(60)
        one = self.project.sources[name]
        found = self.discover(name) if found is None else found
        return list(
            take(
                self.lake,
                self.project,
                one,
                found,
                lease=self.lease,
                world=self.world,
                observe=lambda rows, size: self.seen.append((rows, size)),
            )
        )

    def taken(self, name: str = "desk") -> Taken:
        """`take`, where one commit is expected."""
        (one,) = self.take(name)
        assert isinstance(one, Taken), one
        return one

    def settle(self, dataset: str = "loans") -> list[Settled]:
        self.clock.sleep(60)
        declared = self.project.contracts[dataset]
        return list(
            settle(self.lake, self.project, declared, lease=self.lease, world=self.world, settings=self.settings)
        )

    def settled(self, dataset: str = "loans") -> Settled:
        """`settle`, where one commit is expected."""
        (one,) = self.settle(dataset)
        return one

    def run(self) -> list[Settled]:
        """Everything that waits, of every source and dataset."""
        for name in self.project.sources:
            for one in self.take(name):
                assert isinstance(one, Taken), one
        return [one for dataset in self.project.contracts for one in self.settle(dataset)]

    def reread(self, name: str = "desk") -> Reread:
        self.clock.sleep(60)
        return reread(self.lake, self.project, self.project.sources[name], lease=self.lease, world=self.world)

    def rows(self, table: str, *columns: str, where: str = "TRUE") -> list[Row]:
        """Rows of a table, ordered by where they come from."""
        if self.lake.head(table) is None:
            return []
        scan = self.lake.scan(table)
        names = ", ".join(map(quote, columns)) or "*"
        order = "_source, _file, _batch, _line" if not table.startswith("ledger.") else "batch, path"
        query = read_scan(scan.files, scan.columns)
        with connect() as connection:
            found = connection.execute(f"SELECT {names} FROM ({query}) WHERE {where} ORDER BY {order}")
            titles = [one[0] for one in found.description]
            return [dict(zip(titles, row, strict=True)) for row in found.fetchall()]

    def values(self, table: str, *columns: str, where: str = "TRUE") -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self.rows(table, *columns, where=where)]

    def titles(self) -> dict[str, str | None]:
        """Silver in short: loan -> title."""
        return dict(sorted(self.values("silver.loans", "loan", "title")))

    def refused(self, status: str = "open") -> list[tuple[str, int, str, list[str]]]:
        """Quarantine in short: (file, line, stage, codes)."""
        return self.values("quarantine.loans", "_file", "_line", "stage", "codes", where=f"status = '{status}'")

    def told_open(self) -> int:
        """Refused rows that are open, as the table itself says without being read."""
        head = self.lake.head("quarantine.loans")
        assert head is not None
        return read_table_summary(head.metadata_location).open_rows

    def state(self) -> tuple[list[Row], list[Row]]:
        """Silver and open quarantine without when and in which batch the rows came."""
        operational = ("_ingested_at", "_batch")
        silver = [_without(row, operational) for row in self.rows("silver.loans")]
        refused = self.rows("quarantine.loans", where="status = 'open'")
        return (
            sorted(silver, key=repr),
            sorted((_without(row, (*operational, "contract")) for row in refused), key=repr),
        )

    def batches(self, table: str | None = None) -> list[Row]:
        """The recorded batches, oldest first."""
        return [one for one in read_records(self.lake.root, "batch") if table in (None, one["table"])]

    def assert_conserved(self) -> None:
        for one in self.batches():
            fates = ("accepted", "quarantined", "duplicate", "filtered", "superseded")
            assert one["rows_in"] == sum(one[fate] for fate in fates), one


@contextmanager
def road(
    folder: Path, declared: Contract = KEYED, *sources: Mapping[str, Any], others: Sequence[Contract] = ()
) -> Iterator[Road]:
    """A new lake and an empty inbox; `sources` are the facts of each, by default one that says nothing special."""
    inbox = folder / "inbox"
    inbox.mkdir(parents=True, exist_ok=True)
    made = [source(inbox, **facts) for facts in sources or ({},)]
    world = manual_world(disk=QuickDisk())
    with Lake.open(folder / "data", world) as lake, lake.lease("run", holder="a test") as lease:
        settings = Settings(b"a key for tests", folder / "spill")
        yield Road(folder, lake, lease, world, project(folder, (declared, *others), made), settings)


def personal(one: Column) -> Column:
    return replace(one, classification=Classification.PERSONAL)


def parsed(row: str) -> Any:
    """The JSON that quarantine keeps of a row."""
    return json.loads(row)


def file_id(path: str, content: bytes, *, source: str = "desk") -> str:
    """The identity of a content at a path, by its published rule."""
    digest = hashlib.sha256(content).hexdigest()
    return hashlib.sha256(f"{source}\0{path}\0{digest}".encode()).hexdigest()[:32]


def refusals(results: Sequence[Taken | Refused | Ambiguous]) -> list[tuple[str, type[SourceError]]]:
    return [(one.path, type(one.error)) for one in results if isinstance(one, Refused)]


def _without(row: Row, names: Sequence[str]) -> Row:
    return {name: value for name, value in row.items() if name not in names}
