"""A library with one release, and a client of its API."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.serve.asgi_client import Client
from tests.serve.lending import Library


@pytest.fixture
def library(tmp_path: Path) -> Library:
    made = Library(tmp_path / "store")
    made.release()
    return made


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory) -> Client:
    """For tests that only read."""
    made = Library(tmp_path_factory.mktemp("served") / "store")
    made.release()
    return made.client()
