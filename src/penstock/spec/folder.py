"""The folder of a project: which files are declarations, and what is in them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from penstock.errors import DeclarationError
from penstock.spec.document import Node, Place
from penstock.spec.fingerprint import folder_fingerprint
from penstock.spec.problems import Problems, did_you_mean
from penstock.spec.yaml_file import MAX_BYTES, parse_document

PROJECT_FILE = "penstock.yml"
FOLDERS = ("contracts", "sources", "streams", "checks", "models", "endpoints")
_ENDINGS = (".yml", ".yaml")
_MODEL_ENDINGS = (*_ENDINGS, ".sql", ".py")

T = TypeVar("T")


def require_project(root: Path) -> None:
    """DeclarationError for a folder that is no project, before anything is looked for in it."""
    folder = os.path.abspath(root)
    try:
        is_project, is_there, is_folder = (root / PROJECT_FILE).is_file(), root.exists(), root.is_dir()
    except OSError as error:
        raise DeclarationError(
            "The folder cannot be read", where=folder, found=error.strerror, remedy="Check that you may read it."
        ) from error
    if not is_project:
        raise DeclarationError(
            "There is no project here" if is_folder else "This is a file" if is_there else "There is no such folder",
            where=folder,
            expected=f"a folder with a file {PROJECT_FILE}",
            remedy="Go to the project's folder, or name it: `-p DIR`. `penstock init DIR` begins a new one.",
        )


@dataclass(frozen=True)
class Folder:
    """The files below `root`; what cannot be read, and what is not read, goes to `problems`."""

    root: Path
    problems: Problems

    def document(self, path: Path, read: Callable[[Node, Path], T | None]) -> T | None:
        """What `read` makes of a file; None where it cannot be read."""
        place = self.place(path)
        try:
            with path.open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
        except OSError as error:
            self._refuse_unreadable(place, error)
            return None
        node = parse_document(data, place.file, self.problems)
        return None if node is None else read(node, path.resolve())

    def documents(self, folder: str, read: Callable[[Node, Path], T | None]) -> Iterator[T]:
        """What `read` makes of each file of a folder of declarations, in order of their names."""
        for path in self.files(self.root / folder):
            value = self.document(path, read)
            if value is not None:
                yield value

    def files(self, folder: Path) -> list[Path]:
        """The declarations in a folder; a file that looks like one and is not read is a problem."""
        try:
            if not folder.exists():
                return []
            paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
            kept = []
            for path in paths:
                if path.is_file() and path.suffix in _ENDINGS:
                    kept.append(path)
                elif path.suffix not in (".md", ".txt"):
                    self.problems.add(
                        self.place(path),
                        "It is not read",
                        expected=f"files ending in .yml, directly in {folder.name}/",
                        found="a folder" if path.is_dir() else "another ending",
                        remedy="Move or rename it.",
                    )
        except OSError as error:
            self._refuse_unreadable(self.place(folder), error)
            return []
        return kept

    def refuse_misnamed(self) -> None:
        """A folder whose name is nearly that of one that is read."""
        try:
            names = sorted(path.name for path in self.root.iterdir() if path.is_dir())
        except OSError as error:
            self._refuse_unreadable(Place(PROJECT_FILE), error)
            return
        for name in names:
            meant = did_you_mean(name, [folder for folder in FOLDERS if folder not in names])
            if name not in FOLDERS and meant is not None:
                self.problems.add(Place(name), "The folder is not read", remedy=f"{meant} Rename it.")

    def models(self) -> tuple[Path | None, str]:
        """The folder of the dbt project and its fingerprint; None where nothing is in it."""
        folder = self.root / "models"
        try:
            if not folder.exists():
                return None, ""
            if not (folder / "dbt_project.yml").is_file():
                if not any(file.suffix in _MODEL_ENDINGS for file in folder.rglob("*")):
                    return None, ""  # nothing is in it yet
                self.problems.add(
                    Place("models"),
                    "The folder is not a dbt project",
                    expected="a file dbt_project.yml in it",
                    remedy="Add the file, or remove the folder.",
                )
                return None, ""
            return folder.resolve(), folder_fingerprint(folder)
        except OSError as error:
            self._refuse_unreadable(Place("models"), error)
            return None, ""

    def place(self, path: Path) -> Place:
        """The file as problems name it."""
        return Place(path.relative_to(self.root).as_posix())

    def _refuse_unreadable(self, place: Place, error: Exception) -> None:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        self.problems.add(
            place, "It cannot be read", found=reason, remedy="Check that it exists and that you may read it."
        )
