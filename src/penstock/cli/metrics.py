"""`penstock metrics`: what numbers there are, what they mean, and what they are."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli import show as shown
from penstock.cli.options import HERE, Data, Json, Project, Release

if TYPE_CHECKING:
    from penstock.metrics.metric import Metric

app = typer.Typer(
    help="Numbers with one definition each: list them, see what they mean, ask for them.", no_args_is_help=True
)


@app.command("list")
def metrics_list(
    project: Project = HERE, data_dir: Data = None, release: Release = None, as_json: Json = False
) -> None:
    """List the metrics of a release."""
    from penstock.runtime.installation import Installation
    from penstock.runtime.metrics import read_metrics

    number, found = read_metrics(Installation.at(project, data_dir), release=release)
    if as_json:
        every = [metric.as_summary() for metric in found.metrics.values()]
        shown.document({"release": number.number, "metrics": every})
    elif not found.metrics:
        shown.line("The release has no metrics; declare them beside the models.")
    else:
        shown.table(
            ("metric", "label", "unit", "final after", "description"),
            [
                (one.name, one.label, one.unit, _days(one.final_after_days), one.description)
                for one in found.metrics.values()
            ],
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
    from penstock.metrics.query import statement_of
    from penstock.metrics.request import MetricRequest, find_metric
    from penstock.runtime.installation import Installation
    from penstock.runtime.metrics import read_metrics
    from penstock.sql.pretty import pretty

    number, metrics = read_metrics(Installation.at(project, data_dir), release=release)
    found = find_metric(metrics, metric)
    grain = None if found.has_total else str(found.grains[0])
    sql = pretty(statement_of(metrics, MetricRequest(metric, grain=grain)).sql)
    if as_json:
        shown.document({"release": number.number, **found.as_summary(), "sql": sql})
        return
    for text in _described(found, sql):
        shown.line(text)


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


def _days(number: int) -> str:
    return "at once" if number == 0 else f"{number} day{'' if number == 1 else 's'}"


def _described(metric: Metric, sql: str) -> Iterator[str]:
    yield f"{metric.name}: {metric.label} ({metric.unit})"
    yield f"  {metric.description}"
    yield f"kind:        {metric.kind}"
    yield f"owner:       {metric.owner}"
    yield f"final after: {_days(metric.final_after_days)}"
    yield f"grains:      {', '.join(metric.grains)}" + ("" if metric.has_total else "; never without one")
    yield "dimensions:"
    for dimension in metric.dimensions:
        names = dimension.name if dimension.short == dimension.name else f"{dimension.short} ({dimension.name})"
        yield f"  {names}" + (f": {dimension.description}" if dimension.description else "")
    yield "sql:"
    yield from (f"  {line}" for line in sql.splitlines())
