"""What is new at a source: the files that its globs name, against the files that were taken before."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from penstock.errors import SourceError
from penstock.ingest.file import FoundFile, KnownFile, file_id, hash_content, unreadable
from penstock.ingest.glob import base_folder, matches, parse_glob, require, require_match
from penstock.ingest.hashes import Hashes
from penstock.spec.source import Delivery, Source
from penstock.world import Clock

# A file touched this recently may change again without a new time stamp (coarse clocks of file systems).
RACY = timedelta(seconds=2)


@dataclass(frozen=True)
class Discovery:
    """Every path the globs name is in exactly one of these, and `vanished` beside them; all sorted by path.

    new: to be taken. identical: touched or delivered again under the same path with a content that
    was taken before. same_content: its content was taken under another path, and the source declares
    that such a file is skipped. unsettled: changed less than `settle` ago, left alone for now.
    vanished: taken before, gone now. unchanged: how many are as they were when they were taken.
    """

    new: tuple[FoundFile, ...]
    identical: tuple[str, ...]
    same_content: tuple[str, ...]
    vanished: tuple[str, ...]
    unsettled: tuple[str, ...]
    unchanged: int


def discover(
    source: Source,
    root: Path,
    known: Sequence[KnownFile],
    clock: Clock,
    *,
    hashes: Hashes | None = None,
    without: Path | None = None,
) -> Discovery:
    """Compare the source's folder with the ledger. `root` is the project's folder; the folder `without` holds no
    deliveries, whatever the globs say.

    The content is hashed unless size and time of change equal those of the last file taken under the
    path, or those for which `hashes` knows it, and that time is more than two seconds past. Unless the source is optional it is a SourceError
    when a folder is missing, when a file named without wildcards is missing and was never taken, and
    when nothing was ever taken and the folders hold only other things; an empty folder is none.
    """
    base = source_folder(source, root)
    present = _present(source, root, base, known, without)
    taken = _Taken(known)
    new: list[FoundFile] = []
    identical: list[str] = []
    same_content: list[str] = []
    unsettled: list[str] = []
    unchanged = 0
    for path, absolute in present.items():
        status = _stat(absolute)
        age = abs(int(clock.now().timestamp() * 1e9) - status.st_mtime_ns)
        looks_same = taken.looks_same(path, status)
        if looks_same and age > _nanoseconds(RACY):
            unchanged += 1
            continue
        if age < _nanoseconds(source.settle):
            unsettled.append(path)
            continue
        found = _found(source, path, absolute, status, hashes if age > _nanoseconds(RACY) else None)
        if found.file_id in taken.ids and looks_same:
            unchanged += 1
        elif found.file_id in taken.ids:
            identical.append(path)
        elif source.delivery.same_content == "skip" and found.content_hash in taken.contents:
            same_content.append(path)
        else:
            taken.contents.add(found.content_hash)
            new.append(found)
    return Discovery(
        new=tuple(new),
        identical=tuple(identical),
        same_content=tuple(same_content),
        vanished=tuple(sorted({file.path for file in known} - present.keys())),
        unsettled=tuple(unsettled),
        unchanged=unchanged,
    )


def source_folder(source: Source, root: Path) -> Path:
    """The folder that the paths of a source's files are relative to."""
    return base_folder([parse_glob(pattern, root) for pattern in source.globs])


class _Taken:
    """The ledger, indexed: the last file of each path, every identity, every content."""

    def __init__(self, known: Iterable[KnownFile]) -> None:
        self.last: dict[str, KnownFile] = {}
        self.ids: set[str] = set()
        self.contents: set[str] = set()
        for file in sorted(known, key=lambda file: file.batch):
            self.last[file.path] = file
            self.ids.add(file.file_id)
            self.contents.add(file.content_hash)

    def looks_same(self, path: str, status: os.stat_result) -> bool:
        last = self.last.get(path)
        return last is not None and (last.size, last.mtime_ns) == (status.st_size, status.st_mtime_ns)


def _present(
    source: Source, root: Path, base: Path, known: Sequence[KnownFile], without: Path | None
) -> Mapping[str, Path]:
    known_paths = {file.path for file in known}
    globs = [parse_glob(pattern, root) for pattern in source.globs]
    present: dict[str, Path] = {}
    for glob in globs:
        if not source.optional:
            named = _relative(glob.folder.joinpath(*glob.segments), base)
            require(glob, known=named in known_paths)
        for absolute in matches(glob, without=without):
            present[_relative(absolute, base)] = absolute
    if not present and not known and not source.optional:
        require_match(globs)
    return dict(sorted(present.items()))


def _relative(path: Path, base: Path) -> str:
    text = path.relative_to(base).as_posix()
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise SourceError(
            "The file's name is not text",
            where=os.fsencode(path).decode(errors="backslashreplace"),
            expected="a name in UTF-8",
            remedy="Rename the file.",
        ) from error
    return text


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise unreadable(path, error) from error


def _found(source: Source, path: str, absolute: Path, status: os.stat_result, hashes: Hashes | None) -> FoundFile:
    name, version = _name_and_version(source.delivery, path, absolute)
    content_hash = hash_content(absolute) if hashes is None else hashes.of(path, absolute, status)
    return FoundFile(
        path=path,
        absolute=absolute,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        content_hash=content_hash,
        file_id=file_id(source.name, path, content_hash),
        name=name,
        version=version,
    )


def _name_and_version(delivery: Delivery, path: str, absolute: Path) -> tuple[str, str | None]:
    if delivery.pattern is None:
        return path, None
    match = re.fullmatch(delivery.pattern, absolute.name)
    if match is None:
        raise SourceError(
            "The file's name does not say which version it is",
            where=str(absolute),
            expected=f"a name like {delivery.pattern}",
            found=absolute.name,
            remedy="Rename the file, or correct `delivery.pattern`.",
        )
    return match.groupdict().get("name") or path, match["version"]


def _nanoseconds(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1) * 1000
