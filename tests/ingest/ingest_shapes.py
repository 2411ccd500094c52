"""Sources and files made in one line, and batches as plain lists."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from penstock.ingest.batch import LINE, Batch
from penstock.ingest.file import FoundFile, KnownFile, file_id, hash_content
from penstock.ingest.reading import read_file
from penstock.spec.source import Csv, Delivery, FileFormat, Reading, Source

REST = timedelta(0)


def source(*globs: str, format: FileFormat = FileFormat.CSV, **changed: Any) -> Source:
    fields: dict[str, Any] = {
        "name": "lines",
        "dataset": "lines",
        "globs": globs or ("*",),
        "format": format,
        "compression": None,
        "csv": Csv(),
        "delivery": Delivery(),
        "reading": Reading(),
        "settle": REST,
        "path": Path("sources/lines.yml"),
        "fingerprint": "0",
    }
    return Source(**(fields | changed))


def found(path: Path) -> FoundFile:
    content_hash = hash_content(path)
    status = path.stat()
    return FoundFile(
        path.name,
        path,
        status.st_size,
        status.st_mtime_ns,
        content_hash,
        file_id("lines", path.name, content_hash),
        path.name,
        None,
    )


def known(file: FoundFile, batch: int = 1) -> KnownFile:
    return KnownFile(
        file.path, file.file_id, file.content_hash, file.size, file.mtime_ns, file.name, file.version, batch
    )


@dataclass(frozen=True)
class Read:
    """All batches of a file: rows as (line, values), malformed as (line, raw, code)."""

    columns: list[str]
    rows: list[tuple[int, dict[str, str | None]]]
    malformed: list[tuple[int, bytes, str]]

    @property
    def values(self) -> list[tuple[str | None, ...]]:
        return [tuple(row.values()) for _, row in self.rows]

    @property
    def lines(self) -> list[int]:
        return [line for line, _ in self.rows]

    @property
    def codes(self) -> list[tuple[int, str]]:
        return [(line, code) for line, _, code in self.malformed]


def read(source: Source, path: Path, **options: Any) -> Read:
    return collect(read_file(source, found(path), **options))


def collect(batches: Iterable[Batch]) -> Read:
    taken = list(batches)
    columns = [name for name in taken[-1].rows.column_names if name != LINE]
    rows: list[tuple[int, dict[str, str | None]]] = []
    malformed: list[tuple[int, bytes, str]] = []
    for batch in taken:
        for row in batch.rows.to_pylist():
            line = row.pop(LINE)
            rows.append((line, {name: row.get(name) for name in columns}))
        malformed.extend((line["_line"], line["raw"], line["code"]) for line in batch.malformed.to_pylist())
    return Read(columns, rows, malformed)


def read_bytes(
    folder: Path, data: bytes, *, name: str = "a.csv", source_: Source | None = None, **options: Any
) -> Read:
    path = folder / name
    path.write_bytes(data)
    return read(source_ or source(), path, **options)
