"""The lake's FileIO: what PyIceberg writes goes through the world's disk; its commit makes it durable."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import UnsupportedOperation
from types import TracebackType
from typing import BinaryIO

from pyiceberg.io import FileIO, InputFile, InputStream, OutputFile, OutputStream

from penstock.errors import DiskFull, StorageError
from penstock.world import Disk

NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_REMEDIES = {
    errno.ENOSPC: "Free space on the disk that holds the data directory, then run again: nothing was committed.",
    errno.EDQUOT: "Raise the quota of the data directory, then run again: nothing was committed.",
    errno.EACCES: "Give this user write permission on the data directory.",
    errno.EPERM: "Give this user write permission on the data directory.",
    errno.EROFS: "The data directory is on a read-only disk: choose another with --data-dir.",
    errno.EIO: "The disk reported an error: check it before you run again; nothing was committed.",
}


def local_path(location: str) -> str:
    """The plain path of a file location, with or without the scheme `file://`."""
    return location.removeprefix("file://")


@contextmanager
def storage_errors(action: str, path: str) -> Iterator[None]:
    """Turn an operating system's refusal into a StorageError that names the file and what to do."""
    try:
        yield
    except OSError as error:
        kind = DiskFull if error.errno in NO_ROOM else StorageError
        raise kind(
            f"The disk refused to {action} a file of the lake",
            where=error.filename or path,
            found=error.strerror or str(error),
            remedy=_REMEDIES.get(error.errno or 0, "Check the disk and the data directory, then run again."),
        ) from error


class StagedFile:
    """A new file, open for writing; the commit that it is staged for makes it durable (`Staging.sync`).

    A file that failed to write is removed and never closed twice.
    """

    def __init__(self, disk: Disk, path: str) -> None:
        self.path = path
        self._disk = disk
        with storage_errors("create", path):
            self._stream: BinaryIO = disk.create(path)
        self._failed = False
        self.size = 0

    def write(self, data: bytes) -> int:
        try:
            with storage_errors("write", self.path):
                self._stream.write(data)
        except StorageError:
            self._failed = True
            raise
        count = memoryview(data).nbytes
        self.size += count
        return count

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        """Nothing is durable before the commit, so there is nothing to do here."""

    @property
    def closed(self) -> bool:
        return self._stream.closed

    def close(self) -> None:
        if self._stream.closed:
            return
        try:
            with storage_errors("write", self.path):
                self._stream.close()
        except StorageError:
            self._failed = True
            raise
        finally:
            if self._failed:
                discard(self._disk, [self.path])

    def __enter__(self) -> StagedFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._failed = True
        self.close()


def discard(disk: Disk, paths: list[str]) -> None:
    """Remove files that nothing refers to; what cannot be removed is left to orphan removal."""
    for path in paths:
        try:
            disk.remove(path)
        except OSError:
            continue


class DiskInputFile(InputFile):
    def __len__(self) -> int:
        return os.path.getsize(local_path(self.location))

    def exists(self) -> bool:
        return os.path.exists(local_path(self.location))

    def open(self, seekable: bool = True) -> InputStream:
        return open(local_path(self.location), "rb")


class DiskOutputFile(OutputFile):
    def __init__(self, location: str, disk: Disk) -> None:
        super().__init__(location)
        self._disk = disk

    def __len__(self) -> int:
        return os.path.getsize(local_path(self.location))

    def exists(self) -> bool:
        return os.path.exists(local_path(self.location))

    def to_input_file(self) -> InputFile:
        return DiskInputFile(self.location)

    def create(self, overwrite: bool = False) -> OutputStream:
        """A new file. No file of a lake is ever overwritten, so an existing one is an error."""
        return StagedFile(self._disk, local_path(self.location))


class ReadOnlyIO(FileIO):
    """FileIO for looking alone."""

    def new_input(self, location: str) -> InputFile:
        return DiskInputFile(location)

    def new_output(self, location: str) -> OutputFile:
        raise UnsupportedOperation(location)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        raise UnsupportedOperation(location)


class DiskIO(ReadOnlyIO):
    """FileIO over a `Disk`; remembers nothing and is never named in table properties."""

    def __init__(self, disk: Disk) -> None:
        super().__init__({})
        self._disk = disk

    def new_output(self, location: str) -> OutputFile:
        return DiskOutputFile(location, self._disk)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        name = location if isinstance(location, str) else location.location
        self._disk.remove(local_path(name))
