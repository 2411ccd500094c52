"""The gold tables of a release that may come: what is written of each, and what goes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from itertools import islice

import pyarrow as pa

from penstock.errors import CommitConflict, PenstockError
from penstock.lake.change import TableChange
from penstock.lake.commit import Commit
from penstock.lake.datafile import EncodedFile
from penstock.lake.lake import Lake
from penstock.lake.lease import Lease
from penstock.lake.table import DataFile, FieldColumn, Head, Scan, TableSpec
from penstock.release.model import BuiltModel, BuiltRows, Candidate, gold_name
from penstock.release.move import Move, decide
from penstock.release.record import GoldTable, Release
from penstock.release.shape import Personal, gold_spec, is_retired, shape_fingerprint, with_retired
from penstock.release.slices import cut, may_amend, may_grow, may_hold, patch
from penstock.side_by_side import side_by_side
from penstock.sql.names import unused
from penstock.sql.scan import read_scan

POSITION = "release"
Part = AbstractContextManager[pa.RecordBatchReader]  # rows for a file or more, not yet read


@dataclass
class GoldTables:
    """The gold tables of a release that may come; `heads` are theirs from before `last` was read."""

    lake: Lake
    lease: Lease
    commit: Commit
    candidate: Candidate
    number: int
    last: Release | None
    heads: Mapping[str, Head]
    personal: Personal
    staged: dict[str, GoldTable] = field(default_factory=dict)

    def __post_init__(self) -> None:
        trusted = self.last is not None and self.candidate.built_on == self.last.number
        self.moves = {
            gold_name(model): decide(
                model, self._released(model), self.heads.get(gold_name(model)), self.personal, trusted=trusted
            )
            for model in self.candidate.models
        }

    @property
    def changed(self) -> tuple[str, ...]:
        return tuple(name for name, move in self.moves.items() if move is not Move.KEEP)

    def stage_fitting(self) -> None:
        """Stage the tables that change and can hold the new rows as they are."""
        found = [(model, self.lake.fitting(self._spec(model))) for model in self._moving]
        self._stage([(model, head) for model, head in found if head is not None])

    def stage_others(self) -> None:
        """Give the others the columns that they need, and stage them."""
        others = [model for model in self._moving if gold_name(model) not in self.staged]
        self._stage([(model, self.lake.ensure(self._spec(model), lease=self.lease)) for model in others])

    def tables(self) -> dict[str, GoldTable]:
        """Every table of the release."""
        found = {}
        for model in self.candidate.models:
            name, before = gold_name(model), self._released(model)
            if self.moves[name] is Move.KEEP and before is not None:
                found[name] = replace(before, shown_in=model.shown_in)
            else:
                found[name] = self.staged[name]
        return found

    @property
    def _moving(self) -> Sequence[BuiltModel]:
        return [model for model in self.candidate.models if self.moves[gold_name(model)] is not Move.KEEP]

    def _released(self, model: BuiltModel) -> GoldTable | None:
        """The model's table in the last release."""
        return None if self.last is None else self.last.gold.get(gold_name(model))

    def _stage(self, models: Sequence[tuple[BuiltModel, Head]]) -> None:
        """Stage tables that have the fields that their models need."""
        moving = []
        for model, head in models:
            self._require_unmoved(head)
            moving.append(_moving(self.lake, self.commit, self.candidate, model, head, self.moves[head.name]))
        self.staged |= {gold_name(one.model): _stage(one, self.number) for one in _written(moving)}

    def _spec(self, model: BuiltModel) -> TableSpec:
        return gold_spec(model, self.lake.spec(gold_name(model)), self.personal)

    def _require_unmoved(self, ready: Head) -> None:
        """The rows of the table are those that were decided upon."""
        head = self.heads.get(ready.name)
        expected = None if head is None else head.snapshot_id
        if ready.snapshot_id != expected:
            raise CommitConflict(
                "Another writer moved the table since it was loaded",
                where=ready.name,
                expected=str(expected),
                found=str(ready.snapshot_id),
                remedy="Run again: nothing was written twice.",
            )


@dataclass(frozen=True)
class Anew:
    """What is written of a table: rows in parts of a file or more, and what goes: whole files, and rows of others by
    their places."""

    parts: Sequence[Part]
    removed: Sequence[DataFile] = ()
    taken_out: pa.Table | None = None


@dataclass
class _Moving:
    """A table on its way, and how many rows were written."""

    model: BuiltModel
    scan: Scan
    change: TableChange
    anew: Anew
    written: int = 0

    def encode(self, rows: pa.RecordBatchReader) -> list[EncodedFile]:
        retired = [column.name for column in self.scan.columns if is_retired(column.name)]
        return list(self.change.encode(with_retired(rows, retired)))


def _moving(lake: Lake, commit: Commit, candidate: Candidate, model: BuiltModel, head: Head, move: Move) -> _Moving:
    scan = lake.scan_head(head)
    return _Moving(model, scan, commit.table(head), _written_anew(candidate, model, scan, move))


def _written(moving: Sequence[_Moving]) -> Iterator[_Moving]:
    """The tables in order, each when its files are written. Parts are read and encoded side by side meanwhile; what is
    ready is written in order, so the disk sees one file after another."""
    encoded = side_by_side(_encoded, [(table, part) for table in moving for part in table.anew.parts])
    for table in moving:
        for files in islice(encoded, len(table.anew.parts)):
            table.written += table.change.add(files)
        yield table


def _encoded(item: tuple[_Moving, Part]) -> list[EncodedFile]:
    table, part = item
    with part as rows:
        return table.encode(rows)


def _stage(one: _Moving, number: int) -> GoldTable:
    model, scan, change = one.model, one.scan, one.change
    change.remove(one.anew.removed)
    if one.anew.taken_out is not None:
        change.take_out(one.anew.taken_out)
    change.position(POSITION, str(number))
    change.summary("counts", json.dumps({"written": one.written, "rows": model.rows}))
    snapshot = change.staged()[1].current_snapshot_id
    if snapshot is None:
        raise AssertionError("a staged change has a snapshot")
    _check_written(model, change.live_rows())
    columns = _in_order(model, scan.columns)
    return GoldTable(snapshot, model.rows, model.content_hash, shape_fingerprint(model), columns, model.shown_in)


def _written_anew(candidate: Candidate, model: BuiltModel, scan: Scan, move: Move) -> Anew:
    rows, files = candidate.rows, scan.files
    if move is Move.APPEND or (move in (Move.AMEND, Move.PATCH) and _grew(model, scan) and may_grow(files)):
        return Anew([rows.read(model, only_new=True)])
    amended = _amended(rows, model, scan) if move is Move.AMEND else None
    if amended is not None:
        return amended
    days = {} if model.slice_by is None else rows.by_day(model)
    dated = {day: count for day, count in days.items() if day is not None}
    if model.slice_by is None or len(dated) < len(days):  # rows without a date are in no range
        return Anew([rows.read(model)], files)
    patched = None
    if move in (Move.AMEND, Move.PATCH) and model.moved_slices is not None and not scan.deletes:
        column = next(column for column in scan.columns if column.name == model.slice_by)
        patched = patch(files, column, moved=model.moved_slices, rows=dated)
    ranges = cut(dated) if patched is None else patched.ranges
    removed = files if patched is None else patched.removed
    return Anew([rows.slice(model, first, last) for first, last in ranges], removed)


def _amended(rows: BuiltRows, model: BuiltModel, scan: Scan) -> Anew | None:
    """Nothing is written but what came; None where that does not serve, or a row that went is not found."""
    came, gone = rows.moved(model)
    if not may_amend(scan, came=came, gone=gone):
        return None
    shown = [column for column in scan.columns if not is_retired(column.name)]
    names = [column.name for column in scan.columns]
    path, pos = unused("file_path", names), unused("pos", names)
    stored = read_scan(may_hold(scan, model.slice_by, model.moved_slices), shown, origin=path, place=pos)
    places = rows.gone(model, stored, (path, pos))
    return None if places is None else Anew([rows.read(model, only_new=True)] if came else [], taken_out=places)


def _grew(model: BuiltModel, scan: Scan) -> bool:
    """Whether rows came and none went."""
    held = model.rows - model.new_rows
    return model.status == "moved" and 0 < held < model.rows and scan.rows == held


def _check_written(model: BuiltModel, held: int) -> None:
    if held != model.rows:
        raise PenstockError(
            "The rows of a model changed while it was released, so nothing was committed",
            where=gold_name(model),
            expected=f"{model.rows:,} rows",
            found=f"{held:,}",
            remedy="Run again; if it happens again, please report it as a defect of Penstock.",
        )


def _in_order(model: BuiltModel, columns: Sequence[FieldColumn]) -> tuple[FieldColumn, ...]:
    """The model's columns in the model's order; the table keeps its own."""
    by_name = {column.name: column for column in columns}
    return tuple(by_name[column.name] for column in model.columns)
