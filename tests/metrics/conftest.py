"""One semantic layer for all tests of metrics: read by dbt and compiled by MetricFlow once."""

from __future__ import annotations

import pytest
from lending import manifest_of

from penstock.metrics.metric import Metrics
from penstock.metrics.metricflow import Compiler, compile_metrics


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> str:
    return manifest_of(tmp_path_factory.mktemp("lending"))


@pytest.fixture(scope="session")
def compiler(manifest: str) -> Compiler:
    return Compiler(manifest)


@pytest.fixture(scope="session")
def metrics(manifest: str) -> Metrics:
    return Metrics.from_record("kept", compile_metrics(manifest).as_record())
