"""Files to bronze: rows as read, malformed lines to quarantine and the file ledger, in one commit."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from itertools import groupby
from operator import itemgetter

import pyarrow as pa
import pyarrow.compute as pc

from penstock.conform.columns import Rivals, rivals
from penstock.conform.counts import Counts
from penstock.errors import SourceError, counted
from penstock.ingest.batch import LINE, Batch
from penstock.ingest.discovery import Discovery
from penstock.ingest.file import FoundFile, KnownFile
from penstock.ingest.parallel import read_files
from penstock.ingest.reading import header
from penstock.lake.change import TableChange
from penstock.lake.lake import Lake
from penstock.lake.lease import Lease
from penstock.lake.ledger import ledger_spec
from penstock.lake.table import Scan, TableSpec
from penstock.load.conservation import check_conserved
from penstock.load.header import check_frozen, check_known, renamed, source_columns, spelled
from penstock.load.ledger import (
    Entry,
    as_declared,
    entry_table,
    files_in,
    highest_version,
    newly_known,
    version_columns,
)
from penstock.load.origin import Origin
from penstock.load.shrinking import Shrinking
from penstock.load.tables import arrow_schema, bronze_name, bronze_spec, quarantine_spec
from penstock.spec.contract import Contract
from penstock.spec.project import Project
from penstock.spec.source import DeliveryMode, Source
from penstock.world import World

BYTES_PER_COMMIT = 512 * 1024 * 1024
FILES_PER_COMMIT = 5_000

Observe = Callable[[int, int], None]
"""Called with (rows, bytes) as they are read."""


@dataclass(frozen=True)
class Taken:
    """One bronze commit: `counts.accepted` rows entered bronze, `quarantined` lines could not be read."""

    source: str
    batch: int
    files: tuple[str, ...]
    counts: Counts
    seconds: float


@dataclass(frozen=True)
class Refused:
    """A file that was not taken as a whole, and why."""

    path: str
    error: SourceError


@dataclass(frozen=True)
class Ambiguous:
    """Files in which there is more than one way onto a column; they are taken all the same."""

    paths: tuple[str, ...]
    rivals: Rivals

    def __str__(self) -> str:
        further = f" and {counted(len(self.paths) - 1, 'other file')}" if len(self.paths) > 1 else ""
        return f"in {self.paths[0]}{further} {self.rivals}"


def take(
    lake: Lake,
    project: Project,
    source: Source,
    discovery: Discovery,
    *,
    lease: Lease,
    world: World,
    observe: Observe,
) -> Iterator[Taken | Refused | Ambiguous]:
    """Commit the new files of `source` to bronze, several files a commit, in path order."""
    contract = project.contracts[source.dataset]
    accepted: list[FoundFile] = []
    headers: dict[str, None] = {}
    ambiguous: dict[Rivals, list[str]] = {}
    for file in discovery.new:
        try:
            names = _columns(contract, source, file)
        except SourceError as error:
            yield Refused(file.path, error)
            continue
        headers |= dict.fromkeys(names)
        for one in rivals(contract, source.reading, names):
            ambiguous.setdefault(one, []).append(file.path)
        accepted.append(file)
    yield from (Ambiguous(tuple(paths), one) for one, paths in ambiguous.items())
    if not accepted:
        return
    before = lake.spec(bronze_name(source.name))
    bronze = bronze_spec(contract, source, spelled(source_columns(before), headers), before=before)
    for group in _groups(accepted):
        yield from _take_group(_Taking(lake, project, source, bronze, lease, world, observe), group)


def _take_group(taking: _Taking, group: list[FoundFile]) -> Iterator[Taken | Refused]:
    """Commit `group`; a file that turns out unreadable is refused and the rest is taken without it."""
    while group:
        try:
            taken = taking.run(group)
            if taken is not None:
                yield taken
            return
        except _Unreadable as unreadable:
            yield Refused(unreadable.file.path, unreadable.error)
            group = [file for file in group if file.file_id != unreadable.file.file_id]


class _Unreadable(Exception):
    def __init__(self, file: FoundFile, error: SourceError) -> None:
        self.file = file
        self.error = error
        super().__init__(str(error))


def _columns(contract: Contract, source: Source, file: FoundFile) -> tuple[str, ...]:
    """The columns of a file, if it may come in."""
    names = header(source, file)
    check_known(contract, source, names, where=str(file.absolute))
    check_frozen(contract, source, names, where=str(file.absolute))
    return names


def _groups(files: Sequence[FoundFile]) -> Iterator[list[FoundFile]]:
    group: list[FoundFile] = []
    size = 0
    for file in files:
        if group and (size + file.size > BYTES_PER_COMMIT or len(group) == FILES_PER_COMMIT):
            yield group
            group, size = [], 0
        group.append(file)
        size += file.size
    yield group


@dataclass
class _Taking:
    """One commit in the making: heads first, then the position, then the rows."""

    lake: Lake
    project: Project
    source: Source
    bronze: TableSpec
    lease: Lease
    world: World
    observe: Observe
    read: int = 0
    malformed: int = 0
    done: list[Entry] = field(default_factory=list)
    shrinking: Shrinking | None = None

    def __post_init__(self) -> None:
        self.contract = self.project.contracts[self.source.dataset]
        self.schema = arrow_schema(self.bronze)
        self.specs = (self.bronze, quarantine_spec(self.contract.dataset), ledger_spec(self.source.name))

    def run(self, files: Sequence[FoundFile]) -> Taken | None:
        """Commit `files`, or None when another writer has taken all of them since they were discovered."""
        started = self.world.clock.monotonic()
        self.read = self.malformed = 0
        self.done = []
        self.shrinking = Shrinking.watch(self.source, self.contract, self.schema.names)
        bronze, quarantine, ledger = (self.lake.ensure(spec, lease=self.lease) for spec in self.specs)
        known = self.lake.derived(ledger, files_in)
        taken = {file.file_id for file in known}
        files = [file for file in files if file.file_id not in taken]
        if not files:
            return None
        batch = int(self.lake.position(bronze, self.source.name) or 0) + 1
        ingested_at = self.world.clock.now()
        with self.lake.stage(lease=self.lease, token=_token(self.source, batch, files)) as commit:
            change = commit.table(bronze)
            rows = self._rows(files, lambda: commit.table(quarantine), batch, ingested_at)
            written = change.append(pa.RecordBatchReader.from_batches(self.schema, rows))
            self._refuse_shrunken(known, self.lake.scan_head(bronze))
            ledger_change = commit.table(ledger)
            ledger_change.append(entry_table(self.done, batch=batch, ingested_at=ingested_at))
            for moved in (change, ledger_change):
                moved.position(self.source.name, str(batch))
            counts = Counts(self.read, accepted=written, quarantined=self.malformed)
            check_conserved(counts, where=bronze.name)
            change.summary("counts", json.dumps(asdict(counts)))
            facts = {"table": bronze.name, "batch": batch, "files": len(files), "at": ingested_at.isoformat()}
            commit.record("batch", f"{bronze.name}/{self.world.ids.new()}", facts | asdict(counts))
            heads = commit.apply()
        self.lake.tell(heads[ledger.name], files_in, (*known, *newly_known(self.done, batch=batch)))
        seconds = self.world.clock.monotonic() - started
        return Taken(self.source.name, batch, tuple(file.path for file in files), counts, seconds)

    def _rows(
        self,
        files: Sequence[FoundFile],
        quarantine: Callable[[], TableChange],
        batch: int,
        ingested_at: datetime,
    ) -> Iterator[pa.RecordBatch]:
        for file, parts in groupby(_batches(self.source, files), key=itemgetter(0)):
            origin = Origin(self.project.tenant, self.source.name, file.path, file.file_id, ingested_at, batch)
            rows = malformed = seen = 0
            version = file.version
            for _, part in parts:
                rows += part.rows.num_rows
                malformed += part.malformed.num_rows
                version = self._version(file, version, part.rows)
                if part.malformed.num_rows:
                    quarantine().append(origin.refused(part.malformed, self.source, _names(part.rows)))
                complete = origin.complete(renamed(part.rows, self.schema.names), self.schema)
                if self.shrinking is not None:
                    self.shrinking.note(complete)
                yield from complete.to_batches()
                near = min(part.rows.nbytes, file.size * 9 // 10 - seen)  # text takes about as much in memory
                seen += near
                self.observe(part.rows.num_rows + part.malformed.num_rows, near)
            self.observe(0, file.size - seen)
            self.read += rows + malformed
            self.malformed += malformed
            self.done.append(Entry(replace(file, version=version), rows, malformed))

    def _version(self, file: FoundFile, version: str | None, rows: pa.Table) -> str | None:
        """The version so far, or a higher one among the rows."""
        columns = version_columns(self.source, self.contract, _names(rows))
        values = [value for name in columns for value in pc.unique(rows[name]).to_pylist()]
        if self.source.delivery.mode is DeliveryMode.SNAPSHOT:
            values = [value for value in values if value not in (None, *self.source.reading.null_values)]
            if len({*values, *([] if version is None else [version])}) > 1:
                raise _Unreadable(file, _of_several_moments(file, self.contract, values))
        return highest_version([version, *values])

    def _refuse_shrunken(self, known: Sequence[KnownFile], bronze: Scan) -> None:
        """Stop at a snapshot that would delete too much; what was written of the group is thrown away."""
        if self.shrinking is None:
            return
        known = as_declared(self.source, known, bronze, self.contract)
        refused = self.shrinking.refused([entry.file for entry in self.done], known, bronze)
        if refused is not None:
            raise _Unreadable(*refused)


def _of_several_moments(file: FoundFile, contract: Contract, values: Sequence[str]) -> SourceError:
    return SourceError(
        "The rows of the snapshot are of several moments",
        where=str(file.absolute),
        expected=f"one value of `{contract.history}` in the whole file",
        found=", ".join(sorted(set(values))[:3]),
        remedy="Deliver each snapshot in a file of its own, or declare the delivery `upsert`. Nothing of it was taken.",
    )


def _batches(source: Source, files: Sequence[FoundFile]) -> Iterator[tuple[FoundFile, Batch]]:
    """Every batch of every file, in order, read on the cores there are; an error says which file it is about."""
    try:
        yield from read_files(source, files, workers=os.cpu_count() or 1)
    except SourceError as error:
        about = next((file for file in files if _is_about(error, file)), None)
        if about is None:
            raise
        raise _Unreadable(about, error) from error


def _is_about(error: SourceError, file: FoundFile) -> bool:
    """`a.csv.gz` begins like `a.csv`, but is another file; a line may follow the path."""
    where, path = error.where or "", str(file.absolute)
    return where == path or where.startswith(f"{path}:")


def _names(rows: pa.Table) -> tuple[str, ...]:
    return tuple(name for name in rows.column_names if name != LINE)


def _token(source: Source, batch: int, files: Sequence[FoundFile]) -> str:
    """Made of content positions only, so that the same work has the same token."""
    text = "\n".join([source.name, str(batch - 1), str(batch), *(file.file_id for file in files)])
    return sha256(text.encode()).hexdigest()
