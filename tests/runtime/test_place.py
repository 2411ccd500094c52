"""Where data lives, and the key of all pseudonyms."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from penstock.errors import StorageError
from penstock.runtime.installation import Installation
from penstock.runtime.place import PSEUDONYM_KEY_VARIABLE, DataDirectory
from penstock.testing.world import CountingIds
from penstock.world import RandomIds
from tests.flows.command import ROOT, call
from tests.flows.library import Library, fill


@pytest.fixture(autouse=True)
def no_key_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PSEUDONYM_KEY_VARIABLE, raising=False)


def test_the_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    place = DataDirectory(tmp_path / "data")
    first, second = place.pseudonym_key(RandomIds()), place.pseudonym_key(RandomIds())
    assert first == second
    assert len(first) == 64
    path = place.root / "keys" / "pseudonym.key"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_loss_of_power_after_the_key_was_made_does_not_take_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    sync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda one: (synced.append(os.fstat(one).st_ino), sync(one)))

    DataDirectory(tmp_path).pseudonym_key(RandomIds())

    path = tmp_path / "keys" / "pseudonym.key"
    assert synced == [one.stat().st_ino for one in (path, path.parent, tmp_path)]


def test_two_data_directories_have_different_keys(tmp_path: Path) -> None:
    one, other = (DataDirectory(tmp_path / name).pseudonym_key(CountingIds(seed=name)) for name in ("one", "other"))
    assert one != other


def test_a_key_of_the_environment_is_taken_and_never_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PSEUDONYM_KEY_VARIABLE, "held elsewhere")
    place = DataDirectory(tmp_path / "data")
    assert place.pseudonym_key(RandomIds()) == b"held elsewhere"
    assert not place.root.exists()


@pytest.mark.parametrize("left", ["", "0123456789abcdef"])
def test_a_damaged_key_is_refused(tmp_path: Path, left: str) -> None:
    """An empty key would make pseudonyms that anybody can make, another one such that meet nothing."""
    place = DataDirectory(tmp_path / "data")
    path = place.root / "keys" / "pseudonym.key"
    path.parent.mkdir(parents=True)
    path.write_text(left)
    with pytest.raises(StorageError, match="Restore it from a backup"):
        place.pseudonym_key(RandomIds())
    assert path.read_text() == left


def test_a_key_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = DataDirectory(tmp_path / "data")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        with pytest.raises(OSError):
            place.pseudonym_key(RandomIds())
    assert list((place.root / "keys").iterdir()) == []
    assert len(place.pseudonym_key(RandomIds())) == 64


def refuse(_: int) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_data_lives_in_the_project_unless_said_otherwise(tmp_path: Path) -> None:
    library = Library.found(tmp_path / "town")
    fill(library)
    call("run", "-p", library.project, environment=library.environment).expect(0)
    assert (library.project / ".penstock" / "catalog.db").is_file()
    assert Installation.at(library.project).place.exists
    assert not Installation.at(library.project, tmp_path / "other").place.exists


def test_personal_values_stand_nowhere_in_names_of_files(tmp_path: Path) -> None:
    library = Library.found(tmp_path / "town")
    fill(library)
    library.run()
    names = "\n".join(str(path.relative_to(library.data)) for path in library.data.rglob("*"))
    assert "example.org" not in names
    assert "ada@" not in names


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file/data"):
        DataDirectory(tmp_path / "file" / "data").prepare()


def test_the_projects_of_the_repository_load_without_any_data() -> None:
    for name in ("library", "online_retail"):
        assert Installation.at(ROOT / "projects" / name).project.name == name


def test_logs_may_quote_values_so_only_their_owner_may_open_them(tmp_path: Path) -> None:
    place = DataDirectory(tmp_path / "data")
    place.prepare()
    place.prepare()
    assert place.logs.stat().st_mode & 0o777 == 0o700
