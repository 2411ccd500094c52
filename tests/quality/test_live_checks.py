"""Checks that hold live tables against gold."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

from penstock.quality.declared import declared_rules
from penstock.quality.live import live_named
from penstock.quality.verdict import judge
from penstock.runtime.live_checks import define_live
from penstock.spec.loading import load_project
from penstock.spec.project import CheckKind
from penstock.sql.connection import connect
from penstock.store.live_shape import LiveShape
from penstock.store.live_table import LiveTable
from tests.quality.quality_shapes import check, library, run_one
from tests.stream.lending import lending

LOANS = pa.table({"loan": ["L1"], "book": ["Emma"]})
DAYS = check(CheckKind.ROWS, "SELECT day, loans FROM live.loan_days WHERE loans <> 2")


def test_a_check_of_a_live_table_that_is_not_there_is_skipped_and_no_warning() -> None:
    result = run_one(library(), DAYS)

    assert (result.status, result.blocks) == ("skipped", False)
    assert "there is no live table loan_days" in result.message
    verdict = judge([result])
    assert (verdict.warnings, verdict.blocking, verdict.held) == ((), (), 0)


def test_the_gate_sees_a_live_table_with_the_values_it_stands_for(tmp_path: Path) -> None:
    rows = pa.table(
        {
            "day": [date(2020, 1, 1), date(2020, 1, 2)],
            "loans": [2, 3],
            "fees": pa.array([Decimal("1.50"), None], pa.decimal128(10, 2)),
            "at": pa.array([datetime(2020, 1, 1, tzinfo=UTC)] * 2, pa.timestamp("us", "UTC")),
            "final": [True, False],
            "title": ["Emma", None],
        }
    )
    table = LiveTable(tmp_path, LiveShape.of("loan_days", rows.schema, ["day"], version="1"))
    table.apply(rows, "1")
    table.close()

    with connect() as connection:
        define_live(connection, tmp_path, [DAYS])

        assert connection.sql("FROM live.loan_days ORDER BY day").to_arrow_table().to_pylist() == rows.to_pylist()
        found = run_one(connection, DAYS)

    assert (found.status, found.sample) == ("fail", ({"day": "2020-01-02", "loans": "3"},))


def test_the_live_tables_of_both_queries_are_named() -> None:
    both = check(CheckKind.RECONCILE, "SELECT 1 FROM live.b JOIN gold.x ON TRUE", against="SELECT 1 FROM LIVE.a")

    assert live_named(both) == ("a", "b")


def test_a_personal_column_that_a_topology_renamed_is_masked_in_what_checks_show(tmp_path: Path) -> None:
    topology = """\
  - name: renamed
    input: loans_typed
    steps: [{derive: {book: title}}]
    outputs: [{live: books, key: [loan], columns: [loan, book]}]
"""
    lending(tmp_path, topology)
    contract = tmp_path / "contracts" / "loans.yml"
    contract.write_text(contract.read_text().replace("name: title,", "name: title, classification: pii,"))
    shown = check(CheckKind.ROWS, "SELECT loan, book FROM live.books")
    project = replace(load_project(tmp_path), checks=(shown,))
    table = LiveTable(tmp_path, LiveShape.of("books", LOANS.schema, ["loan"], version="1"))
    table.apply(LOANS, "1")
    table.close()

    with connect() as connection:
        define_live(connection, tmp_path, [shown])
        (rule,) = declared_rules(project)

        assert rule.run(connection).sample == ({"loan": "L1", "book": "***"},)
