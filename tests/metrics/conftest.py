"""One semantic layer for all tests of metrics: read by dbt and compiled by MetricFlow once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from penstock.metrics.metric import Metrics
from penstock.metrics.metricflow import Compiler, compile_metrics
from tests.metrics.lending import manifest_of
from tests.one_process import made_once


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> str:
    def make(file: Path) -> None:
        file.write_text(manifest_of(tmp_path_factory.mktemp("lending")))

    return made_once(tmp_path_factory, "lending-manifest", make).read_text()


@pytest.fixture(scope="session")
def compiler(manifest: str) -> Compiler:
    return Compiler(manifest)


@pytest.fixture(scope="session")
def metrics(manifest: str, tmp_path_factory: pytest.TempPathFactory) -> Metrics:
    def make(file: Path) -> None:
        file.write_text(json.dumps(compile_metrics(manifest).as_record()))

    kept = made_once(tmp_path_factory, "lending-metrics", make).read_text()
    return Metrics.from_record("kept", json.loads(kept))
