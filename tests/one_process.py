"""What is made once for many suites, and what a run under test does not do beside itself."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # coverage begins after the outermost conftest was read: what it imports would count as never run
    from tests.flows.library import Library


COMMERCE = Path(__file__).parents[1] / "projects" / "commerce"


def made_once(places: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A file or folder that the first process of the suites makes for all; whoever changes it makes a copy."""
    place = places.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent
    with (place / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = place / f"{name}.done"
        if not done.exists():
            make(place / name)
            done.touch()
    return place / name


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the compiled models of the shop and nothing else; `begin` copies it."""
    from penstock.lake.lake import Lake
    from penstock.runtime.place import DataDirectory
    from penstock.runtime.preparing import prepare
    from penstock.world import real_world
    from tests.unmeasured import unmeasured

    def make(folder: Path) -> None:
        data = DataDirectory(folder)
        data.prepare()
        Lake.open(data.root, real_world()).close()
        prepare(COMMERCE / "models", data)

    with unmeasured():
        return made_once(tmp_path_factory, "compiled-shop", make)


@pytest.fixture(scope="session", autouse=True)
def nothing_is_compiled_beside() -> Iterator[None]:
    """A run compiles its models itself. A process beside it imports dbt anew each time; it has a suite of its own."""
    from penstock.runtime import preparing, run

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(run, "preparation", lambda *_: nullcontext(preparing.Preparation(None)))
        patched.setattr(preparing, "begun_before", lambda *_: nullcontext(None))
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
