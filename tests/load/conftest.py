"""A road of the usual kind: loans with a key, ordered by time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.load.load_shapes import KEYED, Road, contract, road


@pytest.fixture
def keyed(tmp_path: Path) -> Iterator[Road]:
    """Loans by number, the highest time wins."""
    with road(tmp_path, KEYED) as made:
        yield made


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Road]:
    """Loans without a key: every row stays."""
    with road(tmp_path, contract()) as made:
        yield made
