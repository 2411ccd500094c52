"""The warehouse is copied while data are loaded, and a build needs none of it to succeed."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from penstock.errors import StorageError
from penstock.runtime.installation import Installation
from penstock.runtime.run import run
from penstock.runtime.watch import Unwatched
from penstock.transform import warehouse
from tests.flows.library import Library, loan

copy = warehouse.copy


@pytest.fixture
def installation(library: Library, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """A library with a release, and a new loan."""
    for name, value in library.environment.items():
        monkeypatch.setenv(name, value)
    library.loans("thursday", loan(9))
    return Installation.at(library.project, library.data)


def test_a_build_works_on_the_copy_that_was_made_meanwhile(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[bool] = []

    def counted(base: Path, target: Path) -> None:
        made.append(threading.current_thread() is threading.main_thread())
        copy(base, target)

    monkeypatch.setattr(warehouse, "copy", counted)

    report = run(installation, Unwatched())

    assert (report.outcome, made) == ("released", [False])
    assert _databases(installation) == [f"warehouse-{report.release}.duckdb"]


def test_a_copy_that_did_not_come_about_is_made_by_the_build(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(base: Path, target: Path) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise StorageError("The warehouse could not be copied")
        copy(base, target)

    monkeypatch.setattr(warehouse, "copy", refused)

    assert run(installation, Unwatched()).outcome == "released"


def test_a_run_that_fails_leaves_no_copy(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    def failed(*_: object, **__: object) -> None:
        raise StorageError("The disk is gone")

    monkeypatch.setattr("penstock.runtime.loading.Loading.load", failed)
    before = _databases(installation)

    with pytest.raises(StorageError, match="gone"):
        run(installation, Unwatched())

    assert _databases(installation) == before


def _databases(installation: Installation) -> list[str]:
    return sorted(path.name for path in installation.place.cache.glob("*.duckdb"))
