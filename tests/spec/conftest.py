"""A small project on disk for every test of this room."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.spec.lending_library import Library


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "library")
