"""The bytes of a file, decompressed as they stream, and the proof that they are the bytes that were found."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, cast

import pyarrow as pa

from penstock.errors import SourceBusy, SourceError
from penstock.ingest.file import HASH_BLOCK, FoundFile, open_file, unreadable

ENDINGS = {".gz": "gz", ".zst": "zst"}
_BROKEN = (EOFError, gzip.BadGzipFile, zlib.error, pa.ArrowException)


class Content:
    """One file's decompressed bytes, hashed on the way as they lie on disk.

    `verify` reads what is left and raises SourceBusy when the bytes were not those that were found.
    """

    def __init__(self, file: FoundFile, raw: _Hashing, stream: _Readable) -> None:
        self._file = file
        self._raw = raw
        self._stream = stream

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes; fewer only at the end. SourceError when the compressed stream is broken."""
        parts: list[bytes] = []
        while size > 0 and (part := self._read_some(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def verify(self) -> None:
        self._raw.drain()
        verify_hash(self._file, self._raw.digest())

    def _read_some(self, size: int) -> bytes:
        try:
            return bytes(self._stream.read(size))
        except (*_BROKEN, OSError) as error:
            # Arrow reports a broken stream as an OSError without a number.
            if isinstance(error, OSError) and error.errno is not None:
                raise unreadable(self._file.absolute, error) from error
            raise SourceError(
                "The compressed file is broken or cut short",
                where=str(self._file.absolute),
                found=str(error) or type(error).__name__,
                remedy="Have it delivered again. Nothing of it was taken.",
            ) from error


@contextmanager
def open_content(file: FoundFile, compression: str | None) -> Iterator[Content]:
    """The file's content. `compression` is gz, zst, or None: by the ending of its name.

    A SourceError about a content that is not the one found becomes SourceBusy: half a file looks broken.
    """
    with open_file(file.absolute) as opened:
        raw = _Hashing(cast(io.FileIO, opened))
        kind = compression or compression_of(file.path)
        stream: _Readable = raw
        if kind == "gz":
            stream = gzip.GzipFile(fileobj=io.BufferedReader(raw, HASH_BLOCK), mode="rb")
        elif kind == "zst":
            stream = pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd")
        content = Content(file, raw, stream)
        try:
            yield content
        except SourceBusy:
            raise
        except SourceError:
            content.verify()
            raise


def compression_of(path: str) -> str | None:
    """What the ending of the name says: gz, zst or None.

    >>> compression_of("2024/a.csv.gz")
    'gz'
    """
    return next((kind for ending, kind in ENDINGS.items() if path.lower().endswith(ending)), None)


def verify_hash(file: FoundFile, digest: str) -> None:
    """Raise SourceBusy unless the digest is that of the content that was found."""
    if digest != file.content_hash:
        raise SourceBusy(
            "The file changed while it was read",
            where=str(file.absolute),
            expected=f"content {file.content_hash[:12]}",
            found=f"content {digest[:12]}",
            remedy="Run again when it is complete, or declare a longer `settle`. Nothing of it was taken.",
        )


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _ReadableInto(Protocol):
    def readinto(self, buffer: memoryview, /) -> int | None: ...


class _Hashing(io.RawIOBase):
    """A raw stream that hashes what passes."""

    def __init__(self, raw: _ReadableInto) -> None:
        super().__init__()
        self._raw = raw
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = self._raw.readinto(buffer) or 0
        self._digest.update(buffer[:count])
        return count

    def drain(self) -> None:
        while self.read(HASH_BLOCK):
            pass

    def digest(self) -> str:
        return self._digest.hexdigest()
