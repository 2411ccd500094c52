"""A small shop's silver: lines as plain tuples, Parquet files with field ids, and what a build makes of them."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from subprocess import PIPE, Popen
from typing import NamedTuple

import pyarrow as pa

from penstock.lake.table import DataFile
from penstock.spec.project import Project, Retention
from penstock.transform import warehouse
from penstock.transform.build import Look, build
from penstock.transform.result import Build, ModelInput, ModelResult
from penstock.transform.rows import Rows
from penstock.world import LocalDisk
from tests.transform.silver_table import Columns, SilverTable

MODELS = Path(__file__).parents[2] / "projects" / "online_retail" / "models"
INGESTED = datetime(2026, 1, 1, tzinfo=UTC)


class Line(NamedTuple):
    """A line of silver.order_lines with the place it was delivered at."""

    invoice_no: str
    stock_code: str
    description: str | None
    quantity: int
    invoice_time: datetime
    unit_price: Decimal
    customer_id: int | None
    country: str
    file: str
    line: int


COLUMNS: Columns = {
    "invoice_no": (pa.string(), "VARCHAR"),
    "stock_code": (pa.string(), "VARCHAR"),
    "description": (pa.string(), "VARCHAR"),
    "quantity": (pa.int64(), "BIGINT"),
    "invoice_time": (pa.timestamp("us", "UTC"), "TIMESTAMP WITH TIME ZONE"),
    "unit_price": (pa.decimal128(18, 4), "DECIMAL(18,4)"),
    "customer_id": (pa.int64(), "BIGINT"),
    "country": (pa.string(), "VARCHAR"),
    "_file": (pa.string(), "VARCHAR"),
    "_line": (pa.int64(), "BIGINT"),
    "_tenant": (pa.string(), "VARCHAR"),
    "_source": (pa.string(), "VARCHAR"),
    "_file_id": (pa.string(), "VARCHAR"),
    "_ingested_at": (pa.timestamp("us", "UTC"), "TIMESTAMP WITH TIME ZONE"),
    "_batch": (pa.int64(), "BIGINT"),
}


class TickingClock:
    """Never the machine's time."""

    def __init__(self) -> None:
        self._ticks = 0

    def now(self) -> datetime:
        return INGESTED

    def monotonic(self) -> float:
        self._ticks += 1
        return float(self._ticks)

    def sleep(self, seconds: float) -> None:
        raise AssertionError("a build does not wait")


@dataclass
class Silver(SilverTable):
    """silver.order_lines: every `add` is one data file; `thin` removes the first rows of one that stays."""

    name: str = "order_lines"
    columns: Columns = field(default_factory=lambda: COLUMNS)

    def add(self, lines: Sequence[Line]) -> DataFile:
        number = self.snapshot + 1
        system = ("default", "shop", "f" * 32, INGESTED + timedelta(days=number), number)
        return self.write([dict(zip(COLUMNS, (*line, *system), strict=True)) for line in lines])

    def thin(self, file: DataFile, rows: int) -> None:
        self.remove(file, range(rows))

    def everything(self) -> dict[str, ModelInput]:
        return {self.name: ModelInput(self.scan())}

    def since(self, snapshot: int, added: Sequence[DataFile]) -> dict[str, ModelInput]:
        return {self.name: ModelInput(self.scan(), added=self.scan(added), since=snapshot)}

    def moved_since(self, snapshot: int, before: Sequence[DataFile]) -> dict[str, ModelInput]:
        return {self.name: self.moved(snapshot, before)}

    def with_more(self, lines: Sequence[Line]) -> dict[str, ModelInput]:
        """Everything, after a file that came since."""
        since, before = self.snapshot, list(self.files)
        self.add(lines)
        return self.moved_since(since, before)


def project(models: Path | None = MODELS) -> Project:
    return Project(
        root=Path("shop"),
        name="shop",
        tenant="default",
        description="",
        contracts={},
        sources={},
        checks=(),
        models=models,
        models_fingerprint="models",
        retention=Retention(),
        quality_target=99.0,
        quality_alert=95.0,
        fingerprint="project",
    )


@dataclass(frozen=True)
class Site:
    """Where builds happen: one cache, as in a data directory, so that dbt parses only what changed."""

    cache: Path
    place: Path

    def build(
        self,
        inputs: Mapping[str, ModelInput],
        *,
        base: Path | None = None,
        models: Path | None = MODELS,
        in_place: bool = False,
        look: Look | None = None,
    ) -> Build:
        return build(
            project(models),
            inputs=inputs,
            base=base,
            target=self.cache / "building.duckdb",
            clock=TickingClock(),
            log=self.cache / "log",
            in_place=in_place,
            look=look,
        )

    def release(self, build: Build) -> Path:
        """Promote a build, as after its release; its place is its test's own."""
        path = self.place / "warehouse.duckdb"
        warehouse.promote(build.database, path, LocalDisk())
        return path


@contextmanager
def open_elsewhere(database: Path, *, read_only: bool) -> Iterator[None]:
    """Another process has the warehouse open."""
    program = (
        f"import sys, duckdb; held = duckdb.connect(sys.argv[1], read_only={read_only}); print(flush=True); input()"
    )
    with Popen([sys.executable, "-c", program, str(database)], stdin=PIPE, stdout=PIPE, text=True) as reader:
        assert reader.stdout is not None
        reader.stdout.readline()
        try:
            yield
        finally:
            reader.communicate("\n")


def gold(build: Build, database: Path | None = None) -> dict[str, list[tuple[object, ...]]]:
    """All rows of gold by model, sorted."""
    return {model.name: rows_of(database or build.database, model) for model in build.gold}


def rows_of(database: Path, model: ModelResult, *, only_new: bool = False) -> list[tuple[object, ...]]:
    with (
        warehouse.opened(database, read_only=True) as connection,
        Rows(connection).read(model, only_new=only_new) as reader,
    ):
        rows = [tuple(row.values()) for row in reader.read_all().to_pylist()]
    return sorted(rows, key=repr)


def status(build: Build) -> dict[str, str]:
    return {model.name: str(model.status) for model in build.models}


def check_grows_as_made_whole(
    site: Site,
    silver: Silver,
    lines: Sequence[Line],
    models: Path,
    *,
    apart: int,
    most: int,
    check: Callable[[Build], None],
) -> None:
    """Lines come, some or many at a time, and go: after each step the rows of gold and their content are those of a full
    build, and `check` is asked of the build that grew."""
    chance, waiting = random.Random(5), list(lines)
    chance.shuffle(waiting)
    silver.add(waiting[:20])
    base = site.release(site.build(silver.everything(), models=models))
    for step in range(8):
        since, before = silver.snapshot, list(silver.files)
        if step % 4 == 2:
            silver.take_back(chance.choice(silver.files))
        elif step % 4 == 3:
            silver.thin(max(silver.files, key=lambda file: file.rows), 4 + step)
        else:
            silver.add(waiting[apart * step + 20 : apart * step + chance.choice([25, most])])
        grown = site.build(silver.moved_since(since, before), base=base, models=models, in_place=True)
        rows, contents = gold(grown), {model.name: model.content_hash for model in grown.gold}
        base = site.release(grown)
        whole = site.build(silver.everything(), models=models)
        check(grown)
        assert rows == gold(whole)
        assert contents == {model.name: model.content_hash for model in whole.gold}


def some_lines(seed: int, count: int) -> list[Line]:
    """Lines of a shop with everything odd about the real one: guests, cancellations, adjustments, codes that are
    no product, texts that differ, customers that move, and lines that are the same but for their place."""
    chance = random.Random(seed)
    lines = []
    for number in range(count):
        back = chance.random() < 0.15
        invoice = chance.randrange(count // 3 + 1)
        code = chance.choice(["85123A", "71053", "22423", "84029e", "POST", "D", "M", "10002"])
        lines.append(
            Line(
                invoice_no=chance.choices([f"C{invoice}" if back else str(invoice), f"A{invoice}"], [50, 1])[0],
                stock_code=code,
                description=chance.choice([f"{code} thing", f"{code} THING", None]),
                quantity=-chance.randint(1, 5) if back else chance.randint(1, 40),
                invoice_time=datetime(2025, 11, 1, 9, tzinfo=UTC) + timedelta(hours=chance.randrange(24 * 150)),
                unit_price=Decimal(chance.randint(0, 99_999)) / 1000,
                customer_id=chance.choice([None, *range(12346, 12366)]),
                country=chance.choice(["United Kingdom", "France", "EIRE"]),
                file=f"day-{number // 20}.csv",
                line=number % 20 + 2,
            )
        )
    return lines
