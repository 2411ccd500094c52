"""`penstock quarantine`: rows that were refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli import output
from penstock.cli.options import HERE, Data, Json, Project
from penstock.errors import counted

if TYPE_CHECKING:
    from penstock.runtime.quarantine import Overview, Refused

app = typer.Typer(help="Rows that were refused: see them, mend the declaration, replay them.", no_args_is_help=True)


@app.command("list")
def quarantine_list(
    dataset: Annotated[str | None, typer.Argument(help="One dataset. [default: all]")] = None,
    project: Project = HERE,
    data_dir: Data = None,
    as_json: Json = False,
) -> None:
    """Count refused rows by dataset, stage and rule. A row that broke several rules counts for each."""
    from penstock.runtime.installation import Installation
    from penstock.runtime.quarantine import summarise

    _summary(summarise(Installation.at(project, data_dir), dataset), as_json=as_json)


@app.command("show")
def quarantine_show(
    dataset: Annotated[str, typer.Argument(help="The dataset.")],
    code: Annotated[str | None, typer.Option(help="Only rows that broke this rule.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many rows.")] = 20,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show personal values and malformed lines too.")] = False,
    project: Project = HERE,
    data_dir: Data = None,
    as_json: Json = False,
) -> None:
    """Show refused rows with file, line, reasons and what was read; what may be personal only with --reveal."""
    from penstock.runtime.installation import Installation
    from penstock.runtime.quarantine import refused

    rows = refused(Installation.at(project, data_dir), dataset, code=code, limit=limit, reveal=reveal)
    _rows(rows, as_json=as_json)


@app.command("replay")
def quarantine_replay(
    dataset: Annotated[str, typer.Argument(help="The dataset.")],
    project: Project = HERE,
    data_dir: Data = None,
    as_json: Json = False,
) -> None:
    """Try refused rows again under the declarations as they are now."""
    from penstock.runtime.installation import Installation
    from penstock.runtime.quarantine import replay

    _replayed(replay(Installation.at(project, data_dir), dataset), as_json=as_json)


def _summary(overview: Overview, *, as_json: bool) -> None:
    if as_json:
        output.document([asdict(summary) for summary in overview.rules])
        return
    if not overview.rules:
        output.line("no refused rows")
        return
    output.table(
        ("dataset", "stage", "rule", "column", "status", "rows"),
        ((s.dataset, s.stage, s.code, s.column, s.status, s.rows) for s in overview.rules),
    )
    total = "; ".join(f"{name} {counted(rows, 'row')} {status}" for (name, status), rows in overview.rows.items())
    output.line(f"in all: {total} (a row that broke several rules counts for each of them above)")


def _rows(rows: Sequence[Refused], *, as_json: bool) -> None:
    if as_json:
        output.document([asdict(row) for row in rows])
        return
    for row in rows:
        output.line(f"{row.file}:{row.line} [{row.stage}, {row.status}]")
        for reason in row.reasons:
            output.line(f"  {_reason(reason)}")
        output.line(f"  read: {row.read}")
    if not rows:
        output.line("no refused rows")
    if any(row.hidden for row in rows):
        output.line("What may be personal is hidden; --reveal shows it.")


def _reason(reason: Mapping[str, Any]) -> str:
    column = f" in {reason['column']}" if reason.get("column") else ""
    found = "nothing" if reason.get("found") is None else reason["found"]
    remedy = "" if reason.get("remedy") is None else f". {reason['remedy']}"
    return f"{reason['code']}{column}: expected {reason.get('expected')}, found {found}{remedy}"


def _replayed(report: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        output.document(report)
        return
    output.line(report["sentence"])
