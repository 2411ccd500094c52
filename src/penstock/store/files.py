"""The embedded keyed store: a folder with files of rows for each collection, and the manifest that names them.

A release writes the files that changed, syncs them, and renames the manifest over the former one: that rename
is the commit. A reader opens what one manifest names and stays there. Files never change, so readers take no
locks, unchanged tables cost nothing, and what a killed refresh left behind is removed by the next one.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from weakref import WeakValueDictionary

from penstock.errors import StorageError
from penstock.side_by_side import side_by_side
from penstock.store.collection import Collection, Part, version_of
from penstock.store.manifest import Manifest, read_manifest
from penstock.store.parts import RowFiles
from penstock.store.protocol import Condition, Rows, Slice
from penstock.store.row_file import RowFile, fault, write_rows
from penstock.store.row_patch import digests_of, patch_rows
from penstock.world import World

MANIFEST = "current.json"
_ENDING = ".rows"
_ATTEMPTS = 100


class FileStore:
    """A store in a folder. Only `refresh` needs the world."""

    def __init__(self, folder: Path, world: World | None = None) -> None:
        self.folder = folder
        self._world = world
        self._manifest = str(folder / MANIFEST)
        self._open: WeakValueDictionary[str, RowFile] = WeakValueDictionary()

    def manifest(self) -> Manifest | None:
        path = Path(self._manifest)
        try:
            return read_manifest(path.read_bytes(), where=self._manifest)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(path, error) from error

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def refresh(self, wanted: Manifest, rows: Rows) -> Manifest:
        world = self._world
        if world is None:
            raise AssertionError("a store that is refreshed was given a world")
        known = self._known()
        there = _Parts([part for one in known.values() for part in one.parts])
        made: list[str] = []
        try:
            slices = [(one, slice) for one in wanted.collections if one.version not in known for slice in rows(one)]
            parts = {one.version: list(one.parts) for one in known.values()}
            written = side_by_side(
                lambda one: self._part(wanted.release, *one, there, made), slices, at_a_time=world.at_a_time
            )
            for (one, _), part in zip(slices, written, strict=True):
                parts.setdefault(one.version, []).append(part)
            collections = [replace(one, parts=tuple(parts.get(one.version, ()))) for one in wanted.collections]
            done = replace(wanted, collections=tuple(collections))
            self._commit(done, world)
        except BaseException as error:
            for path in made:
                world.disk.remove(path)
            if isinstance(error, OSError):
                raise _unwritable(self.folder, error) from error
            raise
        self._remove_others({part.file for collection in collections for part in collection.parts}, world)
        return done

    def open(self) -> FileView:
        for _ in range(_ATTEMPTS):
            manifest = self.manifest()
            if manifest is None:
                raise StorageError(
                    "The serving store is empty", where=str(self.folder), remedy="Run `penstock run` first."
                )
            try:
                return FileView(manifest, self._opened)
            except FileNotFoundError:
                continue  # it was refreshed between the two: read the newer manifest
        raise StorageError(
            "The serving store names files that are not there",
            where=str(self.folder),
            remedy="Delete the folder: it is made again from the release.",
        )

    def _opened(self, collection: Collection, part: Part) -> RowFile:
        """A file open for reading: of what a release did not change, the one that is open for the release before."""
        file = self._open.get(part.file)
        if file is None:
            file = self._open[part.file] = RowFile(self.folder / part.file, collection, part.rows)
        return file

    def faults(self) -> tuple[str, ...]:
        """What is wrong with the files that are served, found by reading all of them; none as a rule."""
        manifest = self.manifest()
        collections = () if manifest is None else manifest.collections
        found = [fault(self.folder / part.file, part.rows) for one in collections for part in one.parts]
        return tuple(text for text in found if text is not None)

    def signature(self) -> object:
        try:
            status = os.stat(self._manifest)
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _part(self, release: int, collection: Collection, wanted: Slice, there: _Parts, made: list[str]) -> Part:
        """The part that holds a slice: one that is there, or a new file, noted in `made`."""
        world = self._world
        assert world is not None
        version = version_of(collection, wanted.version)
        if version in there.by_version:
            return there.by_version[version]
        place = version_of(collection, wanted.place) if wanted.digested is not None else ""
        if wanted.stayed and place in there.by_place:
            return there.by_place[place]
        name = f"{collection.name}-{release}-{world.ids.new()[:8]}{_ENDING}"
        path = str(self.folder / name)
        made.append(path)
        world.disk.create(path).close()  # so that the seam knows of it
        count = self._write(name, collection, wanted, there.by_place.get(place))
        world.disk.sync(path)
        return Part(version, count, name, place)

    def _write(self, name: str, collection: Collection, wanted: Slice, former: Part | None) -> int:
        """Write a slice: from the file of its place as far as the same rows stand there."""
        path, digested = self.folder / name, wanted.digested
        digests = None if digested is None else digests_of(digested)
        if digested is not None and digests is not None and former is not None:
            patched = patch_rows(self.folder / former.file, path, collection, digested, digests)
            if patched is not None:
                return patched
        return write_rows(path, collection, wanted.rows(), digests)

    def _known(self) -> dict[str, Collection]:
        """What is there already, by version; a damaged store is made anew."""
        try:
            manifest = self.manifest()
        except StorageError:
            return {}
        found = () if manifest is None else manifest.collections
        return {one.version: one for one in found if all((self.folder / part.file).is_file() for part in one.parts)}

    def _commit(self, manifest: Manifest, world: World) -> None:
        path = str(self.folder / f"{MANIFEST}.{world.ids.new()[:8]}")
        try:
            with world.disk.create(path) as file:
                file.write(manifest.as_bytes())
            world.disk.sync(path)
            world.disk.rename(path, self._manifest)
        except BaseException:
            world.disk.remove(path)
            raise

    def _remove_others(self, kept: set[str], world: World) -> None:
        """Former rows are gone as soon as nobody has them open."""
        for path in self.folder.iterdir():
            leftover = path.name.startswith(f"{MANIFEST}.") or (_ENDING in path.name and path.name not in kept)
            if leftover:
                world.disk.remove(str(path))


class _Parts:
    """The files that are there, by what they hold and by where it stands."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.by_version = {part.version: part for part in parts}
        self.by_place = {part.place: part for part in parts if part.place}


class FileView:
    """All collections of one manifest, open."""

    def __init__(self, manifest: Manifest, opened: Callable[[Collection, Part], RowFile]) -> None:
        self._manifest = manifest
        self._files: dict[str, RowFiles] = {}
        try:
            for collection in manifest.collections:
                files = self._files[collection.name] = RowFiles()
                for part in collection.parts:
                    files.add(opened(collection, part))
        except BaseException:
            self.close()
            raise

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    def document(self, collection: Collection, key: str) -> bytes | None:
        return self._files[collection.name].document(key)

    def page(
        self, collection: Collection, conditions: Sequence[Condition], *, skip: int, limit: int, at_once: bool = False
    ) -> list[bytes]:
        return self._files[collection.name].page(conditions, skip=skip, limit=limit, at_once=at_once)

    def count(self, collection: Collection, conditions: Sequence[Condition], *, at_once: bool = False) -> int:
        return self._files[collection.name].count(conditions, at_once=at_once)

    def close(self) -> None:
        for file in self._files.values():
            file.close()


def _unreadable(path: Path, error: OSError) -> StorageError:
    return StorageError("The serving store cannot be read", where=str(path), found=error.strerror or str(error))


def _unwritable(path: Path, error: OSError) -> StorageError:
    return StorageError(
        "The serving store cannot be written",
        where=str(path),
        found=error.strerror or str(error),
        remedy="Check the space and the permissions of the data directory; the former release is still served.",
    )
