"""What results look like: tables for people, one JSON document for programs."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from penstock.errors import DeclarationError, PenstockError, counted

if TYPE_CHECKING:
    from penstock.runtime.demo import DemoReport
    from penstock.runtime.doctor import Finding
    from penstock.runtime.explain import Explanation
    from penstock.runtime.landing_state import LandingState
    from penstock.runtime.plan import Plan
    from penstock.runtime.quarantine import Overview, Refused
    from penstock.runtime.report import RunReport
    from penstock.runtime.served import Served
    from penstock.runtime.status import History, QualityScore, Status
    from penstock.runtime.topology_state import TopologyState
    from penstock.spec.project import Project

_MARK = {
    "pass": "[green]pass[/]",
    "fail": "[red]fail[/]",
    "error": "[red]error[/]",
    "pending": "[yellow]pending[/]",
    "skipped": "[yellow]skipped[/]",
}

SHOWN_NOTICES = 3
SHOWN_ROWS = 3  # of those that break a rule


def _out() -> Console:
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def any_text() -> None:
    """Let a terminal that knows fewer letters than the data show the others escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def line(text: str) -> None:
    _out().print(text, markup=False, soft_wrap=True)  # a command that is broken into lines cannot be copied


def error_line(text: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False)


def document(value: object) -> None:
    """Print one JSON document; instants are ISO 8601 in UTC, decimals are text."""
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    sys.stdout.write(json.dumps(value, indent=2, default=_plain, ensure_ascii=not unicode) + "\n")


def document_line(value: object) -> None:
    """Print one JSON document on one line, at once."""
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    sys.stdout.write(json.dumps(value, default=_plain, ensure_ascii=not unicode) + "\n")
    sys.stdout.flush()


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)


def error(problem: PenstockError, *, as_json: bool) -> None:
    """What went wrong: a sentence for people on standard error, one JSON document for programs on standard output."""
    if as_json or (isinstance(problem, DeclarationError) and problem.problems):
        problems(problem, as_json=as_json)
        return
    error_line(f"error: {problem}")


def problems(problem: PenstockError, *, as_json: bool) -> None:
    """Every problem of the declarations, one a line, with its place."""
    found = (isinstance(problem, DeclarationError) and problem.problems) or (problem,)
    if as_json:
        document({"ok": False, "problems": [_facts(one) for one in found]})
        return
    for one in found:
        error_line(str(one))
    error_line(f"{counted(len(found), 'problem')} found")


def _facts(problem: PenstockError) -> dict[str, str | None]:
    return {
        "what": problem.what,
        "where": problem.where,
        "expected": problem.expected,
        "found": problem.found,
        "remedy": problem.remedy,
    }


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """Numbers to the right with thousands separators, text to the left."""
    rows = [list(row) for row in rows]
    drawn = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for index, heading in enumerate(headings):
        numeric = any(isinstance(row[index], int | float) and not isinstance(row[index], bool) for row in rows)
        drawn.add_column(heading, justify="right" if numeric else "left", no_wrap=index == 0)
    for row in rows:
        drawn.add_row(*(_cell(value) for value in row))
    console = _out()
    if not sys.stdout.isatty():
        console.width = 200
    console.print(drawn)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return str(value)


def made(files: Sequence[Path]) -> None:
    folder = files[0].parent
    line(f"made {counted(len(files), 'file')} in {folder}; next: read {folder / 'README.md'}")


def serving(served: Served) -> None:
    line(f"Release {served.release} of {served.project} is served at {served.address} (Ctrl-C ends it)")
    for path in (*served.paths, "/releases", "/health", "/openapi.json"):
        line(f"  {served.address}{path}")


def valid(project: Project, *, as_json: bool) -> None:
    facts = {
        "ok": True,
        "project": project.name,
        "contracts": sorted(project.contracts),
        "sources": sorted(project.sources),
        "checks": [check.name for check in project.checks],
        "fingerprint": project.fingerprint,
    }
    if as_json:
        document(facts)
        return
    line(
        f"{project.name} is valid: {counted(len(project.contracts), 'contract')}, {counted(len(project.sources), 'source')},"
        f" {counted(len(project.checks), 'check')}, models: {'yes' if project.models else 'none'}"
    )


def plan(made_plan: Plan, *, as_json: bool) -> None:
    if as_json:
        document(made_plan.as_record())
        return
    if not made_plan.steps:
        current = "" if made_plan.release is None else f": release {made_plan.release} is up to date"
        line(f"nothing to do{current}")
    for number, step in enumerate(made_plan.steps, 1):
        line(f"{number}. {step}")
        for rebuild in getattr(step, "rebuilds", ()):
            line(f"   {rebuild}")


def explanation(explained: Explanation, *, as_json: bool) -> None:
    if as_json:
        document(explained.as_record())
        return
    for text in explained.lines():
        line(text)


def run(report: RunReport, *, as_json: bool) -> None:
    if as_json:
        document(report.as_record())
        return
    _notices(report)
    if report.datasets:
        headings = (
            "dataset",
            "files",
            "rows in",
            "accepted",
            "quarantined",
            "duplicates",
            "superseded",
            "filtered",
            "seconds",
        )
        table(
            headings,
            (
                (
                    result.dataset,
                    result.files,
                    result.rows_in,
                    result.accepted,
                    result.quarantined,
                    result.duplicates,
                    result.superseded,
                    result.filtered,
                    result.seconds,
                )
                for result in report.datasets
            ),
        )
    if report.gold:
        line("gold: " + ", ".join(f"{name} {rows:,}" for name, rows in sorted(report.gold.items())))
    _checks(report)
    line(f"{report.verdict} ({report.seconds:.1f} s)")
    for notice in report.notices:
        if notice.kind == "unfinished":
            error_line(f"error: {notice.text}")


def _notices(report: RunReport) -> None:
    """Each kind of notice of each source, the first few in full."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for notice in report.notices:
        if notice.kind == "unfinished":
            continue  # it comes last
        kinds.setdefault((notice.kind, notice.source), []).append(notice.text)
    for (kind, source), texts in kinds.items():
        for text in texts if len(texts) <= SHOWN_NOTICES + 1 else texts[:SHOWN_NOTICES]:
            line(f"{kind}: {text}")
        if len(texts) > SHOWN_NOTICES + 1:
            line(f"{kind}: {source}: and {len(texts) - SHOWN_NOTICES:,} more files (all of them with --json)")


def _checks(report: RunReport) -> None:
    noteworthy = [check for check in report.checks if check.status != "pass"]
    if noteworthy:
        console = _out()
        for check in noteworthy:
            console.print(f"{_MARK[check.status]} ({check.severity}) ", end="")
            console.print(f"{check.name}: {check.message}", markup=False, soft_wrap=True)
            for row in check.sample[:SHOWN_ROWS]:
                line("    " + ", ".join(f"{name} {'NULL' if value is None else value}" for name, value in row.items()))
            if check.sample and check.description:
                line(f"    {' '.join(check.description.split())}")
    if report.checks:
        passed = len(report.checks) - len(noteworthy)
        line(f"gate: {passed} of {len(report.checks)} checks and tests passed")


def status(read: Status, *, as_json: bool) -> None:
    if as_json:
        document(read.as_record())
        return
    line(f"{read.project}: {'no release yet' if read.release is None else f'release {read.release}'}")
    if read.tables:
        table(
            ("table", "rows", "files", "bytes", "snapshot"),
            ((t.name, t.rows, t.files, t.bytes, str(t.snapshot)) for t in read.tables),
        )
    if read.topologies:
        topologies(read.topologies)
    if read.landings:
        _landings(read.landings)
    if read.parts:
        table(
            ("part", "running", "process", "restarts", "last exit", "given up"),
            ((p.part, p.is_running, str(p.process or "-"), p.restarts, p.last_exit, p.given_up) for p in read.parts),
        )
    for one in read.commits:
        line(f"{one.part}: last commit {_of_micros(one.at)}, {one.what}")
    if read.quality:
        _quality(read.quality)
    for text in read.notes:
        line(text)


def _quality(scores: Sequence[QualityScore]) -> None:
    """The score of everything, and those datasets of which rows wait in quarantine."""
    whole, *others = scores
    line(f"quality: {whole.message}")
    for one in others:
        if one.score is not None and one.score != "100.0000":
            line(f"  {one.dataset}: {one.message}")


def topologies(states: Sequence[TopologyState]) -> None:
    table(
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
    table(
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
        document(read.as_record())
        return
    if not read.runs:
        line("nothing was run yet")
        return
    table(
        ("run", "started", "seconds", "outcome", "release", "rows in"),
        ((r["run"], _instant(r["started"]), r["seconds"], r["outcome"], r["release"], r["rows_in"]) for r in read.runs),
        title="runs",
    )
    table(
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


def exported(dataset: str, to: Path, rows: int, *, as_json: bool) -> None:
    if as_json:
        document({"dataset": dataset, "file": str(to), "rows": rows})
        return
    line(f"{dataset}: {counted(rows, 'row')} written to {to}")


def written(files: Sequence[Path], *, as_json: bool) -> None:
    if as_json:
        document({"files": [str(file) for file in files]})
        return
    line(f"written: {', '.join(str(file) for file in files)}")


def findings(found: Sequence[Finding], *, as_json: bool) -> None:
    if as_json:
        document({"ok": all(finding.ok for finding in found), "findings": [asdict(finding) for finding in found]})
        return
    for finding in found:
        line(f"{'ok  ' if finding.ok else 'BAD '} {finding.subject}: {finding.text}")


def quarantine_summary(overview: Overview, *, as_json: bool) -> None:
    if as_json:
        document([asdict(summary) for summary in overview.rules])
        return
    if not overview.rules:
        line("no refused rows")
        return
    table(
        ("dataset", "stage", "rule", "column", "status", "rows"),
        ((s.dataset, s.stage, s.code, s.column, s.status, s.rows) for s in overview.rules),
    )
    total = "; ".join(f"{name} {counted(rows, 'row')} {status}" for (name, status), rows in overview.rows.items())
    line(f"in all: {total} (a row that broke several rules counts for each of them above)")


def quarantine_rows(rows: Sequence[Refused], *, as_json: bool) -> None:
    if as_json:
        document([asdict(row) for row in rows])
        return
    for row in rows:
        line(f"{row.file}:{row.line} [{row.stage}, {row.status}]")
        for reason in row.reasons:
            line(f"  {_reason(reason)}")
        line(f"  read: {row.read}")
    if not rows:
        line("no refused rows")
    if any(row.hidden for row in rows):
        line("What may be personal is hidden; --reveal shows it.")


def _reason(reason: Mapping[str, Any]) -> str:
    column = f" in {reason['column']}" if reason.get("column") else ""
    found = "nothing" if reason.get("found") is None else reason["found"]
    remedy = "" if reason.get("remedy") is None else f". {reason['remedy']}"
    return f"{reason['code']}{column}: expected {reason.get('expected')}, found {found}{remedy}"


def replayed(report: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        document(report)
        return
    line(report["sentence"])


def demo(report: DemoReport, *, as_json: bool) -> None:
    if as_json:
        document(report.as_record())
        return
    for title, done in (("First run", report.first), ("Second run", report.second)):
        line(f"\n{title}")
        run(done, as_json=False)
    for answered in report.answers:
        line(f"\n{answered.question}\n  {' '.join(answered.sql.split())}\n")
        line(answered.answer.rstrip())
    if report.compared:
        line("\nMetrics, and what the simulated shop itself counted")
        table(
            ("metric", "values compared", "differing", "for example", "ours", "truth", "equal"),
            (
                (one.metric, one.values, one.differing, f"{one.member} {one.day}", one.ours, one.truth, one.equal)
                for one in report.compared
            ),
        )
    line("")
    for text in report.closing():
        line(text)
