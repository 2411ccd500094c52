"""The gate sees silver at its snapshots beside gold as it was just built."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from penstock.lake.lake import Lake
from penstock.quality.checks import run_checks
from penstock.quality.result import Status
from penstock.release.candidate import define_candidate
from penstock.spec.project import Check, CheckKind, Severity
from penstock.sql.connection import connect
from tests.release.release_shapes import House, model, project


@pytest.mark.parametrize(("built", "status"), [([1, 2], Status.PASS), ([1, 2, 2], Status.FAIL)])
def test_silver_is_reconciled_with_the_candidate_not_with_what_is_released(
    house: House, tmp_path: Path, built: list[int], status: Status
) -> None:
    house.silver("loans", [1, 2])
    house.release(model("fact", [7]))
    database = tmp_path / "building.duckdb"
    with connect(database) as warehouse:
        warehouse.execute("CREATE SCHEMA gold; CREATE TABLE gold.fact (n BIGINT)")
        warehouse.executemany("INSERT INTO gold.fact VALUES (?)", [[n] for n in built])
    with Lake.open(house.root, house.world) as lake:
        scans = {"silver.loans": lake.scan("silver.loans")}
    check = Check(
        name="nothing_lost",
        kind=CheckKind.RECONCILE,
        severity=Severity.ERROR,
        sql="SELECT sum(n) FROM silver.loans",
        against="SELECT sum(n) FROM gold.fact",
        minimum=None,
        maximum=None,
        description="",
        path=Path("checks/gate.yml"),
        fingerprint="c",
    )
    with connect() as connection:
        connection.execute(f"ATTACH '{database}' AS warehouse (READ_ONLY)")
        define_candidate(connection, scans=scans, models=[model("fact", built)])
        (result,) = run_checks(replace(project(), checks=(check,)), connection, clock=house.world.clock)
    assert result.status is status
