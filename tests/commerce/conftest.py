"""The simulated shop is part of a project, not of the package: its folder is where it is imported from."""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

import pytest

from penstock.lake.lake import Lake
from penstock.runtime.place import DataDirectory
from penstock.runtime.preparing import prepare
from penstock.world import real_world

HERE = Path(__file__).parent
COMMERCE = HERE.parents[1] / "projects" / "commerce"
if str(COMMERCE) not in sys.path:
    sys.path.insert(0, str(COMMERCE))


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the compiled models and nothing else: made once for all workers; `begun` copies it."""
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent
    data = DataDirectory(place / "compiled-shop")
    with (place / "compiled-shop.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not data.root.exists():
            data.prepare()
            Lake.open(data.root, real_world()).close()
            prepare(COMMERCE / "models", data)
    return data.root
