"""What runs, plans and other work look like when they are done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.cli import output
from penstock.errors import counted

if TYPE_CHECKING:
    from penstock.runtime.demo import DemoReport
    from penstock.runtime.explain import Explanation
    from penstock.runtime.plan import Plan
    from penstock.runtime.report import RunReport
    from penstock.runtime.served_release import Served
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


def made(files: Sequence[Path]) -> None:
    folder = files[0].parent
    output.line(f"made {counted(len(files), 'file')} in {folder}; next: read {folder / 'README.md'}")


def serving(served: Served) -> None:
    what = (
        f"Release {served.release} of {served.project} is" if served.release else f"Live tables of {served.project} are"
    )
    output.line(f"{what} served at {served.address} (Ctrl-C ends it)")
    for path in (*served.paths, "/releases", "/health", "/openapi.json"):
        output.line(f"  {served.address}{path}")


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
        output.document(facts)
        return
    output.line(
        f"{project.name} is valid: {counted(len(project.contracts), 'contract')}, {counted(len(project.sources), 'source')},"
        f" {counted(len(project.checks), 'check')}, models: {'yes' if project.models else 'none'}"
    )


def plan(made_plan: Plan, *, as_json: bool) -> None:
    if as_json:
        output.document(made_plan.as_record())
        return
    if not made_plan.steps:
        current = "" if made_plan.release is None else f": release {made_plan.release} is up to date"
        output.line(f"nothing to do{current}")
    for number, step in enumerate(made_plan.steps, 1):
        output.line(f"{number}. {step}")
        for change in (*getattr(step, "rebuilds", ()), *getattr(step, "leaving", ())):
            output.line(f"   {change}")


def explanation(explained: Explanation, *, as_json: bool) -> None:
    if as_json:
        output.document(explained.as_record())
        return
    for text in explained.lines():
        output.line(text)


def run(report: RunReport, *, as_json: bool) -> None:
    if as_json:
        output.document(report.as_record())
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
        output.table(
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
        _refused(report)
    if report.gold:
        output.line("gold: " + ", ".join(f"{name} {rows:,}" for name, rows in sorted(report.gold.items())))
    _checks(report)
    output.line(f"{report.verdict} ({report.seconds:.1f} s)")
    for notice in report.notices:
        if notice.kind == "unfinished":
            output.error_line(f"error: {notice.text}")


def _refused(report: RunReport) -> None:
    names = [result.dataset for result in report.datasets if result.quarantined]
    if names:
        rows = counted(sum(result.quarantined for result in report.datasets), "row")
        show = f"penstock quarantine show {names[0] if len(names) == 1 else 'DATASET'}"
        output.line(f"refused: {rows} of {', '.join(names)}; `{show}` says why, and what to do")


def _notices(report: RunReport) -> None:
    """Each kind of notice of each source, the first few in full."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for notice in report.notices:
        if notice.kind == "unfinished":
            continue  # it comes last
        kinds.setdefault((notice.kind, notice.source), []).append(notice.text)
    for (kind, source), texts in kinds.items():
        for text in texts if len(texts) <= SHOWN_NOTICES + 1 else texts[:SHOWN_NOTICES]:
            output.line(f"{kind}: {text}")
        if len(texts) > SHOWN_NOTICES + 1:
            output.line(f"{kind}: {source}: and {len(texts) - SHOWN_NOTICES:,} more files (all of them with --json)")


def _checks(report: RunReport) -> None:
    noteworthy = [check for check in report.checks if check.status != "pass"]
    if noteworthy:
        console = output.console()
        for check in noteworthy:
            console.print(f"{_MARK[check.status]} ({check.severity}) ", end="")
            console.print(f"{check.name}: {check.message}", markup=False, soft_wrap=True)
            for row in check.sample[:SHOWN_ROWS]:
                output.line(
                    "    " + ", ".join(f"{name} {'NULL' if value is None else value}" for name, value in row.items())
                )
            if check.sample and check.description:
                output.line(f"    {' '.join(check.description.split())}")
    if report.checks:
        passed = len(report.checks) - len(noteworthy)
        output.line(f"gate: {passed} of {len(report.checks)} checks and tests passed")


def exported(dataset: str, to: Path, rows: int, *, as_json: bool) -> None:
    if as_json:
        output.document({"dataset": dataset, "file": str(to), "rows": rows})
        return
    output.line(f"{dataset}: {counted(rows, 'row')} written to {to}")


def written(files: Sequence[Path], *, as_json: bool) -> None:
    if as_json:
        output.document({"files": [str(file) for file in files]})
        return
    output.line(f"written: {', '.join(str(file) for file in files)}")


def demo(report: DemoReport, *, as_json: bool) -> None:
    if as_json:
        output.document(report.as_record())
        return
    for title, done in (("First run", report.first), ("Second run", report.second)):
        output.line(f"\n{title}")
        run(done, as_json=False)
    for answered in report.answers:
        output.line(f"\n{answered.question}\n  {' '.join(answered.sql.split())}\n")
        output.line(answered.answer.rstrip())
    if report.compared:
        output.line("\nMetrics, and what the simulated shop itself counted")
        output.table(
            ("metric", "values compared", "differing", "for example", "ours", "truth", "equal"),
            (
                (one.metric, one.values, one.differing, f"{one.member} {one.day}", one.ours, one.truth, one.equal)
                for one in report.compared
            ),
        )
    output.line("")
    for text in report.closing():
        output.line(text)
