"""A fresh data directory for every test of releases."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.release.release_shapes import House


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "data")
