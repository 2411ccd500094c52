"""Refused rows: counted, shown, and tried again under the declarations as they are now."""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

from penstock.conform.columns import resolve
from penstock.errors import UsageError, choices, counted
from penstock.lake.records import exists
from penstock.load.remedies import REMEDIES
from penstock.release.reader import Reader, open_reader
from penstock.runtime.installation import Installation
from penstock.runtime.secret import pseudonym_key
from penstock.spec.contract import Classification, Contract
from penstock.spec.problems import did_you_mean
from penstock.spec.source import Reading
from penstock.sql.names import quote

RAW_SHOWN = 500
HIDDEN = "(hidden)"


@dataclass(frozen=True)
class Summary:
    """How many rows broke one rule; a row that broke several counts for each."""

    dataset: str
    stage: str
    code: str
    column: str | None
    status: str
    rows: int


@dataclass(frozen=True)
class Overview:
    """Refused rows by rule, and how many rows there are in each dataset and status: a row may break several rules."""

    rules: tuple[Summary, ...]
    rows: Mapping[tuple[str, str], int]  # by dataset and status


@dataclass(frozen=True)
class Refused:
    """One refused row: where it stood, every rule it broke, and what was read (bytes as text, escaped).

    `hidden` says that something of it is hidden, for it may be personal.
    """

    dataset: str
    source: str
    file: str
    line: int
    stage: str
    status: str
    reasons: tuple[Mapping[str, Any], ...]
    read: str
    hidden: bool


def summarise(installation: Installation, dataset: str | None) -> Overview:
    """Refused rows by dataset, stage, rule and status, most first."""
    if not exists(installation.place.root):
        return Overview((), {})
    names = tuple(installation.project.contracts) if dataset is None else (_checked(installation, dataset),)
    found: list[Summary] = []
    rows: dict[tuple[str, str], int] = {}
    with open_reader(installation.place.root, installation.world) as reader:
        for name in names:
            if f"quarantine.{name}" in reader.tables:
                found += _summaries(reader, name)
                rows |= _rows(reader, name)
    return Overview(tuple(found), rows)


def _summaries(reader: Reader, dataset: str) -> list[Summary]:
    rows = reader.connection.execute(
        "SELECT stage, reason ->> 'code', reason ->> 'column', status, count(*) FROM ("
        f" SELECT stage, status, unnest(CAST(reasons AS JSON[])) AS reason FROM quarantine.{quote(dataset)})"
        " GROUP BY ALL ORDER BY count(*) DESC, 1, 2, 3, 4"
    ).fetchall()
    return [Summary(dataset, *row) for row in rows]


def _rows(reader: Reader, dataset: str) -> dict[tuple[str, str], int]:
    sql = f"SELECT status, count(*) FROM quarantine.{quote(dataset)} GROUP BY status ORDER BY status"
    return {(dataset, status): rows for status, rows in reader.connection.execute(sql).fetchall()}


def refused(
    installation: Installation, dataset: str, *, code: str | None = None, limit: int, reveal: bool = False
) -> tuple[Refused, ...]:
    """Refused rows in the order of file and line.

    Unless `reveal`, personal columns are hidden, and where the dataset has any, so are lines that could not be read:
    nobody can say which part of such a line is which.
    """
    _checked(installation, dataset)
    _check_code(code)
    with open_reader(installation.place.root, installation.world) as reader:
        if f"quarantine.{dataset}" not in reader.tables:
            return ()
        rows = reader.connection.execute(
            f"SELECT _source, _file, _line, stage, status, reasons, raw, row FROM quarantine.{quote(dataset)}"
            " WHERE $1 IS NULL OR list_contains(codes, $1) ORDER BY _source, _file, _line LIMIT $2",
            [code, limit],
        ).fetchall()
    contract = installation.project.contracts[dataset]
    personal = frozenset(one.name for one in contract.columns if one.classification is Classification.PERSONAL)
    hidden = frozenset[str]() if reveal else personal
    seen = []
    for source, file, line, stage, status, reasons, raw, row in rows:
        declared = installation.project.sources.get(source)
        reading = Reading() if declared is None else declared.reading
        is_line = stage == "parse"
        read = _line_text(raw, is_hidden=bool(hidden)) if is_line else _row_text(row, contract, reading, hidden)
        told = tuple(reason | {"remedy": REMEDIES.get(reason["code"])} for reason in json.loads(reasons))
        seen.append(Refused(dataset, source, file, line, stage, status, told, read, HIDDEN in read))
    return tuple(seen)


def _line_text(raw: bytes | None, *, is_hidden: bool) -> str:
    if raw is None:
        return "(forgotten)"
    return f"{HIDDEN}, {counted(len(raw), 'byte')}" if is_hidden else raw[:RAW_SHOWN].decode(errors="backslashreplace")


def _row_text(row: str, contract: Contract, reading: Reading, hidden: Set[str]) -> str:
    """The row as JSON, without what feeds a hidden column, whatever the file calls it."""
    values = json.loads(row)
    found = resolve(contract, reading, list(values))
    names = {name for column in hidden for name in found.sources.get(column, ())}
    shown = {name: HIDDEN if name in names else value for name, value in values.items()}
    return json.dumps(shown, ensure_ascii=False)


def _checked(installation: Installation, dataset: str) -> str:
    if dataset not in installation.project.contracts:
        known = sorted(installation.project.contracts)
        near = did_you_mean(dataset, known)
        raise UsageError("There is no such dataset", expected=choices(known), found=dataset, remedy=near)
    return dataset


def _check_code(code: str | None) -> None:
    known = sorted(REMEDIES)
    if code is not None and code not in known:
        near = did_you_mean(code, known)
        raise UsageError("There is no such rule", expected=f"one of {', '.join(known)}", found=code, remedy=near)


def replay(installation: Installation, dataset: str) -> Mapping[str, Any]:
    """Try refused rows again: malformed lines are read as the source is declared now, and when contract or reading
    changed, all rows are conformed again. Gold follows with the next run.
    """
    from penstock.lake.lake import Lake
    from penstock.load.replay import reread
    from penstock.load.silver import Settings, settle

    _checked(installation, dataset)
    project, place, world = installation.project, installation.place, installation.world
    if not exists(place.root):
        raise UsageError("There is no data yet", where=str(place.root), remedy="Run `penstock run` first.")
    place.prepare()
    settings = Settings(pseudonym_key(place, world), place.cache / "spill")
    with Lake.open(place.root, world) as lake, lake.lease("run", holder="penstock quarantine replay") as lease:
        read = [reread(lake, project, source, lease=lease, world=world) for source in project.sources_of(dataset)]
        settled = list(settle(lake, project, project.contracts[dataset], lease=lease, world=world, settings=settings))
    tried, parsed = sum(one.tried for one in read), sum(one.parsed for one in read)
    accepted = sum(one.counts.accepted for one in settled)
    refused_again = sum(one.counts.quarantined for one in settled)
    rebuilt = any(one.rebuilt for one in settled)
    return {
        "dataset": dataset,
        "lines_tried": tried,
        "lines_read": parsed,
        "rebuilt": rebuilt,
        "accepted": accepted,
        "quarantined": refused_again,
        "sentence": _sentence(dataset, tried, parsed, rebuilt=rebuilt, accepted=accepted, refused_again=refused_again),
    }


def _sentence(dataset: str, tried: int, parsed: int, *, rebuilt: bool, accepted: int, refused_again: int) -> str:
    lines = f"{dataset}: {parsed:,} of {tried:,} malformed lines could be read"
    if not rebuilt and not parsed:
        return f"{lines}; contract and reading are as they were, so the other rows were not tried again."
    scope = "all rows were conformed again" if rebuilt else "they were conformed"
    return f"{lines}; {scope}: {accepted:,} accepted, {refused_again:,} refused. `penstock run` releases them."
