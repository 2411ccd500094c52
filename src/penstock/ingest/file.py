"""A delivered file: what is known of one that was taken, and what is found of one that is new."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from penstock.errors import SourceBusy, SourceError

HASH_BLOCK = 1 << 20


@dataclass(frozen=True)
class KnownFile:
    """One line of the ledger: a file that was taken before. `path` is relative to the source's base folder."""

    path: str
    file_id: str
    content_hash: str
    size: int
    mtime_ns: int
    name: str
    version: str | None
    batch: int


@dataclass(frozen=True)
class FoundFile:
    """A file to be taken.

    `path` is relative to the source's base folder, with `/` on every system. `content_hash` is the
    SHA-256 of the bytes on disk (compressed, if they are). `name` is what a later version replaces:
    the group `name` of the declared pattern, else the path. `version` is the group `version`; it is
    None where no pattern is declared (nothing is replaced, or a column of the rows says the version).
    """

    path: str
    absolute: Path
    size: int
    mtime_ns: int
    content_hash: str
    file_id: str
    name: str
    version: str | None


def file_id(source: str, path: str, content_hash: str) -> str:
    """The identity of a content at a path of a source: the first 32 hex digits of SHA-256 over all three, NUL between.

    >>> file_id("lines", "a.csv", "00")
    '0f588e0e8ec68e04811bd91e97dfa26d'
    """
    return hashlib.sha256(f"{source}\0{path}\0{content_hash}".encode()).hexdigest()[:32]


def version_order(version: str) -> tuple[bool, int, str]:
    """The sort key of a version: numbers by value and before every text, texts by code point.

    >>> sorted(["10", "9", "v2", "v10"], key=version_order)
    ['9', '10', 'v10', 'v2']
    """
    number = version.isascii() and version.isdigit()
    return (not number, int(version) if number else 0, version)


def open_file(path: Path) -> BinaryIO:
    """Open for reading; SourceBusy when it is gone, SourceError when it may not be read."""
    try:
        return open(path, "rb", buffering=0)
    except FileNotFoundError as error:
        raise SourceBusy(
            "The file is gone", where=str(path), remedy="Run again: what is there then is taken."
        ) from error
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path | str, error: OSError) -> SourceError:
    """The system's refusal, as an error that names the path."""
    return SourceError(
        "It cannot be read",
        where=str(path),
        found=error.strerror or type(error).__name__,
        remedy="Check that it exists and that this user may read it.",
    )


def hash_content(path: Path) -> str:
    """SHA-256 of the file's bytes, streamed, as hex."""
    digest = hashlib.sha256()
    try:
        with open_file(path) as stream:
            while block := stream.read(HASH_BLOCK):
                digest.update(block)
    except OSError as error:
        raise unreadable(path, error) from error
    return digest.hexdigest()
