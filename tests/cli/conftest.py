"""A library with one release that every user of this machine can come to."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.flows.library import Library, fill


@contextmanager
def open_to_all() -> Iterator[None]:
    """What is made here may be read by everybody, whatever this user thinks of others."""
    mask = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(mask)


@pytest.fixture(scope="session")
def town() -> Iterator[Library]:
    """Made where every user of this machine can come; every module that a look needs is there."""
    folder = Path(tempfile.mkdtemp(prefix="penstock-lent-"))
    folder.chmod(0o755)
    try:
        with open_to_all():
            library = Library.found(folder / "town")
            for place in (library.project, *library.project.rglob("*")):
                place.chmod(0o755 if place.is_dir() else 0o644)  # it is copied with the modes of the clone's files
            fill(library)
            library.run()
        yield library
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def lent(town: Library) -> Iterator[Library]:
    """A library with a release."""
    with open_to_all():
        yield town
