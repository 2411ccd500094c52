"""Where a project's data lives on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from penstock.errors import StorageError
from penstock.lake.access import is_writable, read_only
from penstock.release.record import warehouse_of
from penstock.world import Ids

PSEUDONYM_KEY_VARIABLE = "PENSTOCK_PSEUDONYM_KEY"
KEY_LENGTH = 64
OWNER_ONLY = 0o700


@dataclass(frozen=True)
class DataDirectory:
    """The folder that holds the catalogue, the lake, and caches that can be made again.

    >>> DataDirectory(Path("/data")).warehouse(3).name
    'warehouse-3.duckdb'
    """

    root: Path

    @classmethod
    def of(cls, project: Path, data_dir: Path | None) -> DataDirectory:
        """The one that was said, else `.penstock` in the project's folder."""
        return cls((project / ".penstock" if data_dir is None else data_dir).resolve())

    @property
    def catalogue(self) -> Path:
        return self.root / "catalog.db"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def logs(self) -> Path:
        """Whoever runs alone may read them: messages of the database may quote values."""
        return self.root / "logs"

    @property
    def building(self) -> Path:
        """The file that a build works on where it does not work in the warehouse."""
        return self.cache / "building.duckdb"

    def warehouse(self, release: int) -> Path:
        """The private warehouse that equals `release`."""
        return warehouse_of(self.root, release)

    @property
    def exists(self) -> bool:
        return self.catalogue.exists()

    @property
    def is_writable(self) -> bool:
        """Whether this user may change what is there."""
        return is_writable(self.root)

    def prepare(self) -> None:
        """Make the folders; a folder that cannot be written is named."""
        try:
            for folder in (self.root, self.cache):
                folder.mkdir(parents=True, exist_ok=True)
            self.logs.mkdir(mode=OWNER_ONLY, exist_ok=True)
        except OSError as error:
            raise StorageError(
                "The data directory cannot be made",
                where=str(self.root),
                found=error.strerror or str(error),
                remedy="Choose another one with --data-dir, or mend its permissions.",
            ) from error
        if self.exists and not self.is_writable:
            raise read_only(self.root)

    @contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """A folder to try things in: one of the cache, or where there is no data yet, or none may be written, one that
        is gone afterwards."""
        if self.exists and self.is_writable:
            yield self.cache / name
            return
        with TemporaryDirectory(prefix="penstock-") as folder:
            yield Path(folder)

    def pseudonym_key(self, ids: Ids) -> bytes:
        """The key of all pseudonyms: from the environment, else made once and kept readable by its owner only."""
        given = os.environ.get(PSEUDONYM_KEY_VARIABLE)
        if given:
            return given.encode()
        path = self.root / "keys" / "pseudonym.key"
        if not path.exists():
            _make_key(path, ids)
        key = path.read_text().strip()
        if len(key) < KEY_LENGTH:
            raise StorageError(
                "The key of the pseudonyms is damaged",
                where=str(path),
                expected=f"{KEY_LENGTH} characters",
                found=str(len(key)),
                remedy="Restore it from a backup: under another key, pseudonyms of new rows would not meet those of old.",
            )
        return key.encode()


def _make_key(path: Path, ids: Ids) -> None:
    """Write a new key whole and durably, or leave the one that another process made meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=OWNER_ONLY)
    draft = path.with_name(f"{ids.new()}.draft")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(ids.new() + ids.new())
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    for made in (path.parent, path.parent.parent):
        folder = os.open(made, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
