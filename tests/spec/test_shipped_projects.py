"""The projects that ship: they are right, quick to load, and online_retail refuses no real line."""

from __future__ import annotations

import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from penstock.spec.contract import Column, LogicalType, PartitionField
from penstock.spec.loading import load_project
from penstock.spec.project import CheckKind, Project, Severity

PROJECTS = Path(__file__).parents[2] / "projects"


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(PROJECTS / "online_retail", environment={})


def test_an_empty_project_is_right() -> None:
    assert dict(load_project(PROJECTS / "empty", environment={}).contracts) == {}


def test_the_sizes_of_the_reference_count_in_its_profile_alone() -> None:
    small = load_project(PROJECTS / "commerce", environment={})
    reference = load_project(PROJECTS / "commerce", environment={"PENSTOCK_PROFILE": "reference"})

    more = {check.name: check.minimum for check in reference.checks if check not in small.checks}
    assert more == {
        "enough_customers": "1000",
        "enough_products": "100",
        "enough_transactions": "1000",
        "no_null_keys": None,
    }
    assert all(check.severity is Severity.ERROR for check in reference.checks if check.name in more)
    assert small.fingerprint != reference.fingerprint


def test_order_lines_have_the_promised_columns(project: Project) -> None:
    contract = project.contracts["order_lines"]

    assert [column.name for column in contract.columns] == [
        *("invoice_no", "stock_code", "description", "quantity"),
        *("invoice_time", "unit_price", "customer_id", "country"),
    ]
    assert (contract.key, contract.freshness) == ((), None)
    assert contract.partitions == (PartitionField("invoice_time", "month"),)
    assert all(column.description for column in contract.columns)


def test_the_folder_of_the_files_comes_from_the_environment() -> None:
    project = load_project(PROJECTS / "online_retail", environment={"PENSTOCK_ONLINE_RETAIL": "/mnt/files"})

    assert project.sources["order_lines"].globs == ("/mnt/files/*.csv",)


def test_duplicates_are_reported_and_the_fact_must_equal_silver(project: Project) -> None:
    checks = {check.name: check for check in project.checks}

    assert checks["exact_duplicate_lines"].severity is Severity.WARN
    assert checks["sales_equal_order_lines"].kind is CheckKind.RECONCILE
    assert checks["sales_equal_order_lines"].severity is Severity.ERROR


def test_loading_needs_no_heavy_library() -> None:
    code = (
        "import sys; from pathlib import Path; from penstock.spec.loading import load_project\n"
        "load_project(Path(sys.argv[1]), environment={})\n"
        "heavy = {'pyarrow', 'duckdb', 'pyiceberg', 'dbt', 'pydantic', 'open_data_contract_standard', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    folder = str(PROJECTS / "online_retail")

    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


@pytest.mark.real
def test_the_contract_accepts_every_real_line(project: Project, online_retail: Path) -> None:
    contract = project.contracts["order_lines"]
    mapping = dict(project.sources["order_lines"].reading.mapping)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    lines = connection.from_csv_auto(str(online_retail / "*.csv"), all_varchar=True, header=True, na_values=["\\N"])
    connection.register("lines", lines)
    typed = ", ".join(_typed(column, mapping[column.name]) for column in contract.columns)
    kept = " AND ".join(
        [*(_kept(column) for column in contract.columns), *(f"({r.expression})" for r in contract.rules)]
    )

    ((total, accepted, value),) = connection.execute(
        f"SELECT count(*), count(*) FILTER ({kept}), sum(quantity * unit_price) FROM (SELECT {typed} FROM lines)"
    ).fetchall()

    assert (total, accepted, value) == (541_909, 541_909, Decimal("9747747.934"))


def _typed(column: Column, origin: str) -> str:
    kinds = {LogicalType.STRING: "VARCHAR", LogicalType.INTEGER: "BIGINT", LogicalType.TIMESTAMP: "TIMESTAMPTZ"}
    kind = kinds.get(column.type, f"DECIMAL({column.precision},{column.scale})")
    return f"CAST(nullif(\"{origin}\", '') AS {kind}) AS {column.name}"


def _kept(column: Column) -> str:
    """A plain reading of what the contract asks of a column, where a value may be absent."""
    tests = ["true" if not column.required else f"{column.name} IS NOT NULL"]
    if column.pattern is not None:
        assert re.fullmatch(r"[\^$\[\]{}A-Z0-9?-]+", column.pattern)
        tests.append(f"regexp_matches({column.name}, '{column.pattern}')")
    if column.min_length is not None:
        tests.append(f"length({column.name}) BETWEEN {column.min_length} AND {column.max_length}")
    if column.minimum is not None:
        tests.append(f"coalesce({column.name} >= '{column.minimum}', true)")
    if column.maximum is not None:
        tests.append(f"coalesce({column.name} <= '{column.maximum}', true)")
    return " AND ".join(tests)
