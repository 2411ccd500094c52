"""Globs over folders: which files a source's patterns name.

`*`, `?` and `[...]` match within one name, `**` matches any number of folders, none included. Case
counts. As in a shell, a name that begins with a dot is matched only by a pattern that begins with
one, and `**` does not enter such folders. Files still being delivered (`.tmp`, `.part`, ...) are
matched only by a pattern that ends so. Links are followed; a folder that contains itself through a
link is entered once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import cache
from pathlib import Path

from penstock.errors import SourceError, counted
from penstock.ingest.file import unreadable

PARTIAL = (".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".download", ".swp", "~")
_WILD = re.compile(r"[*?\[]")

Seen = frozenset[tuple[int, int]]


@dataclass(frozen=True)
class Glob:
    """A pattern split into the folder that its wildcards begin in and the segments below it."""

    pattern: str
    folder: Path
    segments: tuple[str, ...]

    @property
    def wild(self) -> bool:
        return any(_WILD.search(segment) for segment in self.segments)


def parse_glob(pattern: str, root: Path) -> Glob:
    """Split a pattern that is absolute or relative to `root`; `.` and `..` are resolved in the text.

    Only the pattern has wildcards: a root whose name has a `[` or `*` in it is that folder.

    >>> parse_glob("in/2024/**/*.csv", Path("/shop [1]"))
    Glob(pattern='in/2024/**/*.csv', folder=PosixPath('/shop [1]/in/2024'), segments=('**', '*.csv'))
    """
    base, named = os.path.normpath(root.absolute()), os.path.normpath(root.absolute() / pattern)
    parts = Path(named).parts
    plain = 0 if os.path.isabs(pattern) else len(Path(os.path.commonpath([base, named])).parts)
    wild = next((i for i, part in enumerate(parts) if i >= plain and _WILD.search(part)), len(parts))
    fixed = min(wild, len(parts) - 1)
    return Glob(pattern, Path(*parts[:fixed]), parts[fixed:])


def base_folder(globs: Sequence[Glob]) -> Path:
    """The longest folder common to the globs, without wildcards."""
    return Path(os.path.commonpath([glob.folder for glob in globs]))


def matches(glob: Glob, *, without: Path | None = None) -> Iterator[Path]:
    """Every file the glob names, in no particular order, some perhaps twice. A missing folder has none; the folder
    `without` is not entered."""
    if not os.path.isdir(glob.folder):
        return iter(())
    closed = None if without is None or not os.path.isdir(without) else _identity(without)
    return _walk(glob.folder, glob.segments, frozenset(), closed)


def _walk(folder: Path, segments: tuple[str, ...], seen: Seen, closed: tuple[int, int] | None) -> Iterator[Path]:
    here = _identity(folder)
    if here == closed or (here in seen and segments[0] == "**"):
        return
    head, rest = segments[0], segments[1:]
    if head == "**":
        yield from _walk(folder, rest or ("*",), seen, closed)
        for entry in _entries(folder):
            if not entry.name.startswith(".") and os.path.isdir(entry):
                yield from _walk(folder / entry.name, segments, seen | {here}, closed)
        return
    for entry in _entries(folder):
        if not _names(head, entry.name):
            continue
        if not rest:
            if _is_delivery(entry) and not _partial(head, entry.name):
                yield folder / entry.name
        elif os.path.isdir(entry):
            yield from _walk(folder / entry.name, rest, seen, closed)


def _names(segment: str, name: str) -> bool:
    if name.startswith(".") and not segment.startswith("."):
        return False
    return _pattern(segment).match(name) is not None


@cache
def _pattern(segment: str) -> re.Pattern[str]:
    return re.compile(translate(segment))


def _is_delivery(entry: os.DirEntry[str]) -> bool:
    """A regular file, or a link that leads nowhere (to be reported, not passed over); no pipe, socket or device."""
    return os.path.isfile(entry) or (entry.is_symlink() and not os.path.exists(entry))


def _partial(segment: str, name: str) -> bool:
    return any(name.endswith(end) and not segment.endswith(end) for end in PARTIAL)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise unreadable(folder, error) from error


def _identity(folder: Path) -> tuple[int, int]:
    try:
        status = folder.stat()
    except OSError as error:
        raise unreadable(folder, error) from error
    return status.st_dev, status.st_ino


def require_match(globs: Sequence[Glob]) -> None:
    """Refuse globs that name nothing although their folders hold files: most likely a slip of the pen."""
    others = sorted(entry.name for glob in globs for entry in _entries(glob.folder) if not entry.name.startswith("."))
    if others:
        raise SourceError(
            "No file of the source is there",
            where=str(globs[0].folder),
            expected=" or ".join(f"`{glob.pattern}`" for glob in globs),
            found=f"`{others[0]}`" + (f" and {counted(len(others) - 1, 'other')}" if len(others) > 1 else ""),
            remedy="Correct `files`, or declare the source `optional`.",
        )


def require(glob: Glob, *, known: bool) -> None:
    """Refuse a glob whose folder is missing, or whose one named file is missing and was never taken."""
    if not os.path.isdir(glob.folder):
        raise SourceError(
            "The folder of the source is missing",
            where=str(glob.folder),
            expected=f"a folder with files {'/'.join(glob.segments)}",
            found="a file" if os.path.lexists(glob.folder) else "nothing",
            remedy="Create it, correct `files`, or declare the source `optional`.",
        )
    named = glob.folder.joinpath(*glob.segments)
    if not glob.wild and not known and not os.path.lexists(named):
        raise SourceError(
            "The file of the source is missing",
            where=str(named),
            remedy="Deliver it, correct `files`, or declare the source `optional`.",
        )
