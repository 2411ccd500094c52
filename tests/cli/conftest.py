"""A library with one release that every user of this machine can come to."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.library import Library, fill


@pytest.fixture(scope="session")
def lent() -> Iterator[Library]:
    """A library with a release where every user of this machine can come; every module that a look needs is there."""
    folder = Path(tempfile.mkdtemp(prefix="penstock-lent-"))
    folder.chmod(0o755)
    library = Library.found(folder / "town")
    try:
        fill(library)
        library.run()
        yield library
    finally:
        shutil.rmtree(folder)
