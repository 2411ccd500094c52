"""The commands and their arguments. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Annotated

import typer

from penstock import __version__
from penstock.cli import condition, metrics, output, quarantine, show, stream, topics
from penstock.cli.options import HERE, Data, Json, Project, Release
from penstock.cli.up import up

app = typer.Typer(
    name="penstock",
    help="A commerce data platform in one package: files in, released Iceberg gold out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(metrics.app, name="metrics")
app.add_typer(stream.app, name="stream")
app.add_typer(topics.app, name="topics")


def version(value: bool) -> None:
    if value:
        output.line(f"penstock {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A commerce data platform in one package: files in, released Iceberg gold out."""


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that does not exist yet, or is empty.")],
    template: Annotated[str, typer.Option(help="commerce, online_retail or empty.")] = "empty",
) -> None:
    """Make a new project from a template."""
    from penstock.runtime.template import make_project

    show.made(make_project(directory, template))


@app.command()
def validate(project: Project = HERE, data_dir: Data = None, as_json: Json = False) -> None:
    """Check every declaration of the project; report all problems at once."""
    from penstock.cli.progress import watch
    from penstock.runtime.validation import validate

    with watch(quiet=as_json or not sys.stderr.isatty()) as watching:  # elsewhere a line is a problem
        valid = validate(project, data_dir, watching)
    show.valid(valid, as_json=as_json)


@app.command()
def plan(project: Project = HERE, data_dir: Data = None, as_json: Json = False) -> None:
    """Show the steps that `run` would take now."""
    from penstock.runtime.installation import Installation
    from penstock.runtime.planning import plan_run

    show.plan(plan_run(Installation.at(project, data_dir)), as_json=as_json)


@app.command()
def explain(
    name: Annotated[str, typer.Argument(help="A dataset, a source, a model, `layer.table`, a topology, or a metric.")],
    project: Project = HERE,
    data_dir: Data = None,
    as_json: Json = False,
) -> None:
    """Show how a dataset, model, topology or metric is made: where from, by which rules and SQL."""
    from penstock.runtime.explain import explain
    from penstock.runtime.installation import Installation

    show.explanation(explain(Installation.at(project, data_dir), name), as_json=as_json)


@app.command()
def run(project: Project = HERE, data_dir: Data = None, as_json: Json = False) -> None:
    """Take what is new all the way: files, bronze, silver, gold, one release."""
    from penstock.runtime.place import DataDirectory
    from penstock.runtime.preparing import begun_before

    gc.set_threshold(100_000, 20, 100)  # what a run makes stays until it ends: to look through it again finds nothing
    with begun_before(project, DataDirectory.of(project, data_dir)) as compiler:
        from penstock.cli.progress import watch
        from penstock.runtime.installation import Installation
        from penstock.runtime.run import run

        installation = Installation.at(project, data_dir)
        with watch(quiet=as_json) as watching:
            report = run(installation, watching, compiler)
    show.run(report, as_json=as_json)
    raise typer.Exit(report.exit_code)


@app.command()
def status(project: Project = HERE, data_dir: Data = None, as_json: Json = False) -> None:
    """Show every table with rows, snapshot, files and bytes, and the current release."""
    from penstock.runtime.installation import Installation
    from penstock.runtime.status import read_status

    condition.status(read_status(Installation.at(project, data_dir)), as_json=as_json)


@app.command()
def history(
    project: Project = HERE,
    data_dir: Data = None,
    limit: Annotated[int, typer.Option(min=1, help="How many of each, newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """Show the last runs and releases."""
    from penstock.runtime.installation import Installation
    from penstock.runtime.status import read_history

    condition.history(read_history(Installation.at(project, data_dir), limit=limit), as_json=as_json)


@app.command()
def query(
    sql: Annotated[
        str,
        typer.Argument(
            help="One SELECT over bronze, silver, quarantine, gold, quality and the other schemas of models."
        ),
    ],
    project: Project = HERE,
    data_dir: Data = None,
    release: Release = None,
    form: Annotated[str, typer.Option("--format", help="table, json, csv or parquet (standard output).")] = "table",
    limit: Annotated[int, typer.Option(min=0, help="Rows shown by the table format; 0 shows all.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Ask the lake a question in SQL."""
    from penstock.runtime.installation import Installation
    from penstock.runtime.query import query

    query(
        Installation.at(project, data_dir),
        sql,
        release=release,
        form="json" if as_json else form,
        limit=limit,
        output=sys.stdout.buffer,
    )


@app.command()
def export(
    dataset: Annotated[str, typer.Argument(help="A table, for example gold.fact_sales.")],
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="Ends in .csv, .parquet or .json.")],
    project: Project = HERE,
    data_dir: Data = None,
    release: Release = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing file.")] = False,
    as_json: Json = False,
) -> None:
    """Write a whole table to a file."""
    from penstock.runtime.installation import Installation
    from penstock.runtime.query import export

    rows = export(Installation.at(project, data_dir), dataset, to, release=release, overwrite=overwrite)
    show.exported(dataset, to, rows, as_json=as_json)


@app.command()
def docs(
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="The folder that the pages are written into.")],
    project: Project = HERE,
    data_dir: Data = None,
    as_json: Json = False,
) -> None:
    """Write the documentation of the models as one page that needs no server."""
    from penstock.runtime.documentation import write_pages
    from penstock.runtime.installation import Installation

    show.written(write_pages(Installation.at(project, data_dir), to), as_json=as_json)


@app.command()
def serve(
    project: Project = HERE,
    data_dir: Data = None,
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen at.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=256, help="How many processes answer.")] = 1,
) -> None:
    """Serve the declared endpoints over HTTP until stopped; a new release appears by itself."""
    from penstock.runtime.shutdown import exit_on_stop

    with exit_on_stop():
        from penstock.runtime.installation import Installation
        from penstock.runtime.serving import serve

        serve(Installation.at(project, data_dir), host=host, port=port, workers=workers, ready=show.serving)


@app.command()
def doctor(
    project: Project = HERE,
    data_dir: Data = None,
    adopt: Annotated[
        str | None, typer.Option(metavar="TABLE", help="Accept a table that was rolled back by hand.")
    ] = None,
    restore: Annotated[str | None, typer.Option(metavar="TABLE", help="Undo a roll-back made by hand.")] = None,
    relocate: Annotated[bool, typer.Option(help="The data directory was moved: correct the paths inside.")] = False,
    as_json: Json = False,
) -> None:
    """Examine project and data directory, and mend what is named."""
    from penstock.runtime.doctor import examine, mend
    from penstock.runtime.installation import Installation

    installation = Installation.at(project, data_dir)
    mend(installation, adopt=adopt, restore=restore, relocate=relocate)
    findings = examine(installation)
    condition.findings(findings, as_json=as_json)
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


@app.command()
def demo(
    data_dir: Data = None,
    once: Annotated[bool, typer.Option("--once", help="Stop after the summary, do not go live.")] = False,
    template: Annotated[str, typer.Option(help="commerce or online_retail.")] = "commerce",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port of the API.")] = 8000,
    as_json: Json = False,
) -> None:
    """Show the whole road on a shop's data: a full run, a day with dirt, metrics against the truth, then all of it live."""
    from penstock.cli.progress import watch
    from penstock.runtime.demo import demo, demonstration

    if not (once or as_json):
        from penstock.runtime.demo_live import can_go_live, go_live, require_port

        require_port(port)
    with watch(quiet=as_json) as watching:
        report = demo(data_dir, watching, template=template)
    show.demo(report, as_json=as_json)
    installation = demonstration(data_dir)
    if once or as_json or report.exit_code or not installation.project.endpoints:
        raise typer.Exit(report.exit_code)
    if can_go_live(installation.project.root):
        raise typer.Exit(go_live(installation, port=port, say=output.error_line, show=output.line))
    from penstock.runtime.serving import serve

    serve(installation, host="127.0.0.1", port=port, workers=1, ready=show.serving)


app.command("land")(stream.land)
app.command("up")(up)
