"""Making a release: every changed gold table and the record of the release move in one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256
from itertools import islice
from typing import Any

import pyarrow as pa

from penstock.errors import CommitConflict, GateFailed, PenstockError
from penstock.lake.change import TableChange
from penstock.lake.commit import Commit
from penstock.lake.datafile import EncodedFile
from penstock.lake.lake import Lake
from penstock.lake.lease import Lease
from penstock.lake.table import DataFile, FieldColumn, Head, Scan
from penstock.quality.masking import personal_columns
from penstock.quality.result import CheckResult
from penstock.quality.results import SPEC as RESULTS_SPEC
from penstock.quality.results import result_rows
from penstock.quality.verdict import ModelTest, Verdict
from penstock.release.gate import remember_refusal
from penstock.release.model import BuiltModel, BuiltRows, gold_name
from penstock.release.record import KIND, GoldTable, Release, latest_release
from penstock.release.shape import Personal, gold_spec, is_retired, keeps_fields, shape_fingerprint, with_retired
from penstock.release.slices import cut, may_amend, may_grow, may_hold, patch
from penstock.side_by_side import side_by_side
from penstock.spec.project import Project
from penstock.sql.names import unused
from penstock.sql.scan import read_scan

POSITION = "release"
Part = AbstractContextManager[pa.RecordBatchReader]  # rows for a file or more, not yet read


class Move(StrEnum):
    """What becomes of a gold table in a release."""

    KEEP = "keep"  # the rows released before stand
    APPEND = "append"  # new rows come to those released before
    AMEND = "amend"  # rows that came are written, those that went named; where that does not serve, patch or replace
    PATCH = "patch"  # files that hold the date of a row that came or went are written anew; where none went, one comes
    REPLACE = "replace"  # all rows are written anew


@dataclass(frozen=True)
class Candidate:
    """A build that wants to be released.

    `models` are all gold models, those that were not run included. `built_on` is the release that the build
    started from, None when it started from nothing. `silver` are the snapshots it was made from, by table name.
    """

    models: Sequence[BuiltModel]
    rows: BuiltRows
    built_on: int | None
    silver: Mapping[str, int | None]


def publish(
    lake: Lake,
    project: Project,
    candidate: Candidate,
    *,
    checks: Sequence[CheckResult],
    verdict: Verdict,
    lease: Lease,
    tests: Sequence[ModelTest] = (),
    counts: Mapping[str, Any] | None = None,
) -> Release:
    """Release the candidate when the verdict lets it; GateFailed otherwise, and the refusal is remembered. What the gate
    found becomes rows of `quality.results` in either case.

    A table is kept when its content is what it was, grows when rows only came to it, is amended when it is known which
    rows came and went, and few did, is patched when it is known where, and is replaced as a whole in every other case. Schemas are prepared before the commit (other readers of the catalogue may see
    an empty new column meanwhile; readers of releases do not). Whatever fails before the one transaction
    leaves the last release as it is. Raises CommitConflict when another process released meanwhile.
    """
    heads = lake.heads("gold")  # before the last release is read: a head that moved since makes a conflict
    last = latest_release(lake.root)
    number = 1 if last is None else last.number + 1
    clock = lake.world.clock
    found = result_rows(checks, tests, release=number, released=verdict.passed, judged_at=clock.now())
    results = lake.ensure(RESULTS_SPEC, lease=lease)
    if not verdict.passed:
        with lake.stage(lease=lease, token=f"{_token(number, project, candidate)}:{clock.now().isoformat()}") as commit:
            commit.table(results).append(found)
            commit.apply()
        remember_refusal(lake.root, project, verdict, number=number, silver=candidate.silver, clock=clock)
        raise GateFailed(verdict.sentence(), where=verdict.blocking[0].where, remedy=_REFUSED)
    trusted = last is not None and candidate.built_on == last.number
    personal = Personal(personal_columns(project))
    moves = {
        gold_name(model): decide(model, released(last, model), heads.get(gold_name(model)), personal, trusted=trusted)
        for model in candidate.models
    }
    with lake.stage(lease=lease, token=_token(number, project, candidate)) as commit:
        tables, moving = {}, []
        for model in candidate.models:
            name = gold_name(model)
            before = released(last, model)
            if moves[name] is Move.KEEP and before is not None:
                tables[name] = replace(before, shown_in=model.shown_in)
            else:
                head = _prepared(lake, model, heads.get(name), personal, lease)
                moving.append(_moving(lake, commit, candidate, model, head, moves[name]))
        tables |= {gold_name(one.model): _stage(one, number) for one in _written(moving)}
        release = Release(
            number=number,
            committed_at=clock.now(),
            project=project.fingerprint,
            models=project.models_fingerprint,
            silver=dict(candidate.silver),
            gold=tables,
            changed=tuple(name for name, move in moves.items() if move is not Move.KEEP),
            checks=tuple(check.remembered() for check in checks),
            counts=counts or {},
        )
        commit.table(results).append(found)
        commit.record(KIND, release.key, release.as_record())
        commit.apply()
    return release


def decide(
    model: BuiltModel, before: GoldTable | None, head: Head | None, personal: Personal, *, trusted: bool
) -> Move:
    """What to do with a table; pure. `trusted`: the build started from the very release that `before` is of.

    The head must be the snapshot that was released: if anybody moved it, the table is written anew; so it is where a
    column gets another field.
    """
    if before is None or head is None or head.snapshot_id != before.snapshot:
        return Move.REPLACE
    if before.shape != shape_fingerprint(model) or not keeps_fields(model, before.columns, head, personal):
        return Move.REPLACE
    if model.content_hash is not None and model.content_hash == before.content:
        return Move.KEEP
    if trusted and model.status == "moved":
        return Move.AMEND
    if trusted and model.slice_by is not None and model.moved_slices is not None:
        return Move.PATCH
    if not trusted or model.rows - model.new_rows != before.rows:
        return Move.REPLACE
    if model.status == "kept" or (model.status == "appended" and model.new_rows == 0):
        return Move.KEEP
    return Move.APPEND if model.status == "appended" else Move.REPLACE


def released(release: Release | None, model: BuiltModel) -> GoldTable | None:
    """The model's table in a release."""
    return None if release is None else release.gold.get(gold_name(model))


def _prepared(lake: Lake, model: BuiltModel, head: Head | None, personal: Personal, lease: Lease) -> Head:
    """The table with the fields that the model needs; its rows are those that were decided upon."""
    name = gold_name(model)
    ready = lake.ensure(gold_spec(model, lake.spec(name), personal), lease=lease)
    expected = None if head is None else head.snapshot_id
    if ready.snapshot_id != expected:
        raise CommitConflict(
            "Another writer moved the table since it was loaded",
            where=name,
            expected=str(expected),
            found=str(ready.snapshot_id),
            remedy="Run again: nothing was written twice.",
        )
    return ready


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


def _token(number: int, project: Project, candidate: Candidate) -> str:
    content = json.dumps([project.fingerprint, project.models_fingerprint, dict(candidate.silver)], sort_keys=True)
    return f"release:{number}:{sha256(content.encode()).hexdigest()[:32]}"


_REFUSED = "Mend the rows or the rule, then run again; the last release stays readable meanwhile."
