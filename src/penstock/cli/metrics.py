"""`penstock metrics`: what numbers there are, what they mean, and what they are."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from penstock.cli import output
from penstock.cli.options import HERE, Data, Json, Project, Release

app = typer.Typer(
    help="Numbers with one definition each: list them, see what they mean, ask for them.", no_args_is_help=True
)


@app.command("list")
def metrics_list(
    project: Project = HERE, data_dir: Data = None, release: Release = None, as_json: Json = False
) -> None:
    """List the metrics of a release."""
    from penstock.runtime.installation import Installation
    from penstock.runtime.metrics import days_until_final, read_metrics

    read, found = read_metrics(Installation.at(project, data_dir), release=release)
    if as_json:
        every = [metric.as_summary() for metric in found.metrics.values()]
        output.document({"release": read.number, "metrics": every})
    elif not found.metrics:
        output.line("The release has no metrics; declare them beside the models.")
    else:
        output.table(
            ("metric", "label", "unit", "final after", "description"),
            [(one.name, one.label, one.unit, days_until_final(one), one.description) for one in found.metrics.values()],
        )


@app.command("show")
def metrics_show(
    metric: Annotated[str, typer.Argument(help="The metric.")],
    project: Project = HERE,
    data_dir: Data = None,
    release: Release = None,
    as_json: Json = False,
) -> None:
    """Show what a metric means, its dimensions, and its SQL."""
    from penstock.runtime.installation import Installation
    from penstock.runtime.metrics import explain_metric

    found = explain_metric(Installation.at(project, data_dir), metric, release=release)
    if as_json:
        output.document(found.as_record())
        return
    for text in found.lines():
        output.line(text)


@app.command("query")
def metrics_query(
    metric: Annotated[str, typer.Argument(help="The metric.")],
    by: Annotated[list[str] | None, typer.Option(metavar="DIM[,DIM]", help="Dimensions to cut it by.")] = None,
    grain: Annotated[
        str | None, typer.Option(help="day, week, month, quarter or year. [default: one value over all time]")
    ] = None,
    first: Annotated[str | None, typer.Option("--from", metavar="DAY", help="The first day, as 2011-12-01.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DAY", help="The last day, included.")] = None,
    where: Annotated[
        str | None, typer.Option(help="A condition on dimensions, as \"country = 'France' AND NOT is_product\".")
    ] = None,
    project: Project = HERE,
    data_dir: Data = None,
    release: Release = None,
    form: Annotated[str, typer.Option("--format", help="table, json or csv (standard output).")] = "table",
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Ask for a metric, cut by dimensions and periods."""
    from penstock.runtime.installation import Installation
    from penstock.runtime.metrics import query_metric, request_of

    names = [name for several in by or () for name in several.split(",")]
    query_metric(
        Installation.at(project, data_dir),
        request_of(metric, by=names, grain=grain, first=first, last=last, where=where),
        release=release,
        form="json" if as_json else form,
        output=sys.stdout.buffer,
    )
