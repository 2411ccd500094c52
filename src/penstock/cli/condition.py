"""How all of it is doing: tables, topologies and parts, past runs, what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from penstock.cli import output

if TYPE_CHECKING:
    from penstock.runtime.doctor import Finding
    from penstock.runtime.landing_state import LandingState
    from penstock.runtime.status import History, QualityScore, Status
    from penstock.runtime.topology_state import TopologyState


def status(read: Status, *, as_json: bool) -> None:
    if as_json:
        output.document(read.as_record())
        return
    output.line(f"{read.project}: {'no release yet' if read.release is None else f'release {read.release}'}")
    if read.tables:
        output.table(
            ("table", "rows", "files", "bytes", "snapshot"),
            ((t.name, t.rows, t.files, t.bytes, str(t.snapshot)) for t in read.tables),
        )
    if read.topologies:
        topologies(read.topologies)
    if read.landings:
        _landings(read.landings)
    if read.parts:
        output.table(
            ("part", "running", "process", "restarts", "last exit", "given up"),
            ((p.part, p.is_running, str(p.process or "-"), p.restarts, p.last_exit, p.given_up) for p in read.parts),
        )
    for one in read.commits:
        output.line(f"{one.part}: last commit {_of_micros(one.at)}, {one.what}")
    if read.quality:
        _quality(read.quality)
    for text in read.notes:
        output.line(text)


def _quality(scores: Sequence[QualityScore]) -> None:
    """The score of everything, and those datasets of which rows wait in quarantine."""
    whole, *others = scores
    output.line(f"quality: {whole.message}")
    for one in others:
        if one.score is not None and one.score != "100.0000":
            output.line(f"  {one.dataset}: {one.message}")


def topologies(states: Sequence[TopologyState]) -> None:
    output.table(
        (
            "topology",
            "running",
            "round",
            "committed",
            "rows",
            "rows/s",
            "rejected",
            "late",
            "lag",
            "watermark",
            "remembers",
        ),
        (
            (
                one.topology,
                one.is_running,
                one.round,
                _of_micros(one.committed),
                one.counts.get("rows_in", 0),
                one.rate if one.is_running else None,
                one.counts.get("quarantined", 0),
                one.counts.get("late", 0),
                one.lag,
                _of_micros(one.watermark),
                ", ".join(f"{name} {size:,}" for name, size in one.keys.items()),
            )
            for one in states
        ),
    )


def _landings(states: Sequence[LandingState]) -> None:
    output.table(
        ("topic to the lake", "running", "commits", "committed", "rows", "rows/s", "quarantined", "lag"),
        (
            (
                one.topic,
                one.is_running,
                one.commits,
                _of_micros(one.committed),
                one.rows,
                one.rate if one.is_running else None,
                one.malformed + one.quarantined,
                one.lag,
            )
            for one in states
        ),
    )


def _of_micros(micros: int | None) -> str:
    return "-" if micros is None else f"{datetime.fromtimestamp(micros / 1_000_000, UTC):%Y-%m-%d %H:%M:%SZ}"


def history(read: History, *, as_json: bool) -> None:
    if as_json:
        output.document(read.as_record())
        return
    if not read.runs:
        output.line("nothing was run yet")
        return
    output.table(
        ("run", "started", "seconds", "outcome", "release", "rows in"),
        ((r["run"], _instant(r["started"]), r["seconds"], r["outcome"], r["release"], r["rows_in"]) for r in read.runs),
        title="runs",
    )
    output.table(
        ("release", "committed at", "gold tables", "readable"),
        ((r["number"], _instant(r["committed_at"]), len(r["gold"]), r["readable"]) for r in read.releases),
        title="releases",
    )


def _instant(text: str) -> str:
    """An instant of a record as people read it, in UTC.

    >>> _instant("2026-11-21T05:12:33.120+00:00")
    '2026-11-21 05:12:33Z'
    """
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"


def findings(found: Sequence[Finding], *, as_json: bool) -> None:
    if as_json:
        output.document(
            {"ok": all(finding.ok for finding in found), "findings": [asdict(finding) for finding in found]}
        )
        return
    for finding in found:
        output.line(f"{'ok  ' if finding.ok else 'BAD '} {finding.subject}: {finding.text}")
