"""Asking a metric is quick, because nothing heavy is imported for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "dbt",
    "metricflow",
    "metricflow_semantics",
    "dbt_semantic_interfaces",
    "pyiceberg",
    "sqlalchemy",
    "jsonschema",
}


def imported(modules: str) -> set[str]:
    code = f"import sys, {modules}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["penstock.metrics.query", "penstock.runtime.metrics"])
def test_a_query_starts_neither_dbt_nor_metricflow_nor_the_catalogue(module: str) -> None:
    assert imported(module) & (HEAVY - {"jsonschema"}) == set()


def test_what_a_metric_is_can_be_read_without_a_database() -> None:
    read = imported("penstock.metrics.metric, penstock.metrics.request, penstock.metrics.declaration")
    assert read & (HEAVY | {"duckdb", "pyarrow", "sqlglot"}) == set()
