"""What is done once in a process for all its suites, and what a run under test does not do beside itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # coverage begins after the outermost conftest was read: what it imports would count as never run
    from tests.flows.library import Library


@pytest.fixture(scope="session", autouse=True)
def nothing_is_compiled_beside() -> Iterator[None]:
    """A run compiles its models itself. A process beside it imports dbt anew each time; it has a suite of its own."""
    from penstock.runtime import run
    from penstock.runtime.preparing import Preparation

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(run, "preparation", lambda _: nullcontext(Preparation(None)))
        yield


@pytest.fixture(scope="session")
def released_once(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A library with one release."""
    from tests.flows.library import Library, fill

    library = Library.found(tmp_path_factory.mktemp("library") / "town")
    fill(library)
    library.run()
    library.save()
    return library


@pytest.fixture
def library(released_once: Library) -> Iterator[Library]:
    """Release 1 is out; a test may do what it likes, it is set back for the next."""
    yield released_once
    released_once.restore()
