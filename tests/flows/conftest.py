"""A library with one release, made once and set back for every test that uses it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.flows.library import Library, fill


@pytest.fixture(scope="session")
def released_once(tmp_path_factory: pytest.TempPathFactory) -> Library:
    library = Library.found(tmp_path_factory.mktemp("library") / "town")
    fill(library)
    library.run()
    library.save()
    return library


@pytest.fixture
def library(released_once: Library) -> Iterator[Library]:
    """Release 1 is out; a test may do what it likes."""
    yield released_once
    released_once.restore()
