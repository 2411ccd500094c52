"""One place to build for all tests of the models."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.transform.small_shop import Site


@pytest.fixture(scope="session")
def building_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def site(building_cache: Path, tmp_path: Path) -> Site:
    return Site(building_cache, tmp_path)
