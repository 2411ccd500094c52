"""docs/vault.md is built by dbt as it stands: delivery by delivery, in any order, and at once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.lake.table import DataFile, FieldColumn, Scan
from penstock.transform import warehouse
from penstock.transform.dbt_engine import Dbt
from penstock.transform.result import Build, ModelInput, ModelKind, ModelStatus
from penstock.transform.workspace import DATABASE, Limits, prepare
from tests.transform.small_shop import Site
from tests.vault.page import PAGE, Page, read_page

DELIVERIES = ("2026-01-05", "2026-01-10", "2026-01-15")
TABLES = ("hub_member", "link_loan", "sat_member", "sat_card", "eff_loan", "trk_card")
TYPES = {
    "_ingested_at": "TIMESTAMP WITH TIME ZONE",
    "updated_at": "TIMESTAMP WITH TIME ZONE",
    "changed_at": "TIMESTAMP WITH TIME ZONE",
    "listed_at": "TIMESTAMP WITH TIME ZONE",
    "is_gone": "BOOLEAN",
    "is_returned": "BOOLEAN",
    "book_id": "BIGINT",
}
ARROW = {
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", "UTC"),
    "BOOLEAN": pa.bool_(),
    "BIGINT": pa.int64(),
    "VARCHAR": pa.string(),
}


class Silver:
    """The page's data as silver: one file for each dataset and delivery."""

    def __init__(self, folder: Path, page: Page) -> None:
        self.files: dict[tuple[str, str], DataFile] = {}
        self.fields: dict[str, tuple[FieldColumn, ...]] = {}
        for dataset, rows in page.data.items():
            names = [*rows[0], "_tenant", "_source"]
            self.fields[dataset] = tuple(
                FieldColumn(number, name, TYPES.get(name, "VARCHAR")) for number, name in enumerate(names, 1)
            )
            for delivery in DELIVERIES:
                given = [row | {"_tenant": "default", "_source": "desk"} for row in rows]
                self._write(folder, dataset, delivery, [row for row in given if row["_ingested_at"] == delivery])

    def _write(self, folder: Path, dataset: str, delivery: str, rows: Sequence[Mapping[str, str]]) -> None:
        arrays, fields = [], []
        for column in self.fields[dataset]:
            type = ARROW[column.duckdb_type]
            fields.append(pa.field(column.name, type, metadata={"PARQUET:field_id": str(column.field_id)}))
            midnight = "T00:00:00Z" if pa.types.is_timestamp(type) else ""
            arrays.append(pa.array([row[column.name] + midnight for row in rows], pa.string()).cast(type))
        path = folder / f"{dataset}-{delivery}.parquet"
        pq.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields)), path)
        self.files[dataset, delivery] = DataFile(str(path), len(rows), path.stat().st_size)

    def scan(self, dataset: str, deliveries: Sequence[str], snapshot: int) -> Scan:
        files = tuple(self.files[dataset, delivery] for delivery in deliveries)
        return Scan(f"silver.{dataset}", snapshot, files, self.fields[dataset])

    def after(self, deliveries: Sequence[str]) -> dict[str, ModelInput]:
        """What a build is given when these have come, the last one since the build before."""
        count = len(deliveries)
        return {
            dataset: ModelInput(
                self.scan(dataset, deliveries, count),
                added=self.scan(dataset, deliveries[-1:], count),
                since=count - 1,
            )
            for dataset in self.fields
        }


@pytest.fixture(scope="module")
def page() -> Page:
    return read_page()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def models(page: Page, cache: Path) -> Path:
    return page.write(cache / "library")


@dataclass(frozen=True)
class Whole:
    """The page's vault built at once: its build, kept away from later ones, and the contents of its tables."""

    build: Build
    database: Path
    contents: dict[str, list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def whole(page: Page, cache: Path, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    place = tmp_path_factory.mktemp("whole")
    site = Site(cache, place)
    build = site.build(Silver(place, page).after(DELIVERIES), models=models)
    database = site.release(build)
    return Whole(build, database, contents(database))


def queried(database: Path, sql: str) -> list[list[str]]:
    """The answer as the page shows it: names, then rows, null as a dash."""
    with warehouse.opened(database, read_only=True) as connection:
        connection.execute(f"USE {DATABASE}")
        result = connection.execute(f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ({sql})")
        names = [column[0] for column in result.description or ()]
        return [names, *(["-" if value is None else value for value in row] for row in result.fetchall())]


def contents(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    """What every table says: its distinct rows without operational columns."""
    with warehouse.opened(database, read_only=True) as connection:
        return {
            table: connection.execute(
                "SELECT DISTINCT COLUMNS(lambda name: name NOT IN ('loaded_at', 'record_source'))"
                f" FROM {warehouse.relation(f'gold.{table}')} ORDER BY ALL"
            ).fetchall()
            for table in (*TABLES, "pit_member", "bridge_loan")
        }


def test_the_page_shows_what_its_queries_give(page: Page, whole: Whole) -> None:
    assert len(page.queries) >= 7
    for sql, shown in page.queries:
        assert queried(whole.database, sql) == shown, sql


@pytest.mark.parametrize("order", [DELIVERIES, DELIVERIES[::-1], DELIVERIES[1:] + DELIVERIES[:1]], ids=" ".join)
def test_deliveries_in_any_order_give_what_one_build_gives(
    order: Sequence[str], page: Page, whole: Whole, cache: Path, models: Path, tmp_path: Path
) -> None:
    silver, site = Silver(tmp_path, page), Site(cache, tmp_path)
    build = site.build(silver.after(order[:1]), models=models)
    for count in (2, 3):
        build = site.build(silver.after(order[:count]), base=site.release(build), models=models)
        assert {model.status for model in build.models if model.name in TABLES} == {ModelStatus.APPENDED}

    assert contents(build.database) == whole.contents
    for sql, shown in page.queries:
        assert queried(build.database, sql) == shown, sql
    if order == DELIVERIES:
        assert rows(build) == rows(whole.build)


def rows(build: Build) -> dict[str, int]:
    return {model.name: model.rows for model in build.models}


def test_the_tables_of_the_vault_append_whatever_the_project_says(page: Page, whole: Whole) -> None:
    assert "+materialized: table" in page.files["dbt_project.yml"]
    assert {model.name for model in whole.build.models if model.kind is ModelKind.APPEND} == set(TABLES)


def test_the_tables_of_the_vault_declare_their_operational_columns(
    whole: Whole, cache: Path, models: Path, tmp_path: Path
) -> None:
    workspace = prepare(cache / "dbt", models=models, database=whole.database, limits=Limits())
    nodes = Dbt(workspace, log=tmp_path).parse().nodes.values()

    declared = {node.name: node.config.meta.get("operational_columns") for node in nodes}
    assert all(declared[table] == ["loaded_at", "record_source"] for table in TABLES)


def test_the_golden_values_on_the_page_are_the_hashes_of_the_texts_beside_them() -> None:
    shown = re.findall(r"^\| `(\d+:.*)` \| `([0-9a-f]{64})` \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    promised = (Path(__file__).parent / "test_hashes.py").read_text(encoding="utf-8")

    assert len(shown) == 6
    for text, golden in shown:
        assert hashlib.sha256(text.encode()).hexdigest() == golden
        assert golden in promised
