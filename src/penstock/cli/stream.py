"""`penstock stream`: run topologies, and see what they remember."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from penstock.cli import condition, output
from penstock.cli.options import HERE, Data, Json, Project

if TYPE_CHECKING:
    from penstock.runtime.installation import Installation
    from penstock.runtime.topology_state import TopologyState


class _RunByDefault(TyperGroup):
    """`penstock stream NAME` runs NAME."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("-h", "--help")):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(help="Run topologies, and see what they remember.", cls=_RunByDefault)


@app.command("run")
def stream_run(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Topologies. [default: all]")] = None,
    until_idle: Annotated[bool, typer.Option("--until-idle", help="Stop when nothing is left to take.")] = False,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Go on with a changed topology: changed steps begin anew.")
    ] = False,
    replay: Annotated[
        bool, typer.Option("--replay", help="Take every round of history again, and compare the live tables.")
    ] = False,
    project: Project = HERE,
    data_dir: Data = None,
    as_json: Json = False,
) -> None:
    """Run topologies until stopped: rows of topics become topics and live tables, each exactly once."""
    from penstock.runtime.installation import Installation

    if replay:
        _replay(Installation.at(project, data_dir), names or (), as_json=as_json)
        return
    from penstock.runtime.shutdown import stop_requested
    from penstock.runtime.stream import stream

    installation = Installation.at(project, data_dir)
    with stop_requested() as stopped:
        done = stream(
            installation, names or (), until_idle=until_idle, adopt=adopt, stopped=stopped, note=output.error_line
        )
    _show(done, as_json=as_json)


def _replay(installation: Installation, names: Sequence[str], *, as_json: bool) -> None:
    from penstock.runtime.replaying import replay_topologies

    done = replay_topologies(installation, names)
    if as_json:
        output.document([vars(one) for one in done])
    else:
        rows = [(one.topology, one.table, one.rounds, one.rows, one.different) for one in done]
        output.table(("topology", "live table", "rounds", "rows", "different"), rows)
    raise typer.Exit(1 if any(one.different for one in done) else 0)


@app.command("state")
def stream_state(project: Project = HERE, data_dir: Data = None, as_json: Json = False) -> None:
    """Show how far topologies are, and how much each step remembers, as told by the process that runs them."""
    from penstock.runtime.installation import Installation
    from penstock.runtime.topology_state import read_states

    _show(read_states(Installation.at(project, data_dir)), as_json=as_json)


@app.command("rows")
def stream_rows(
    table: Annotated[str, typer.Argument(help="A live table.")],
    order: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="`COLUMN` or `COLUMN desc`. [default: the key]")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many rows.")] = 20,
    project: Project = HERE,
    data_dir: Data = None,
    as_json: Json = False,
) -> None:
    """Show rows of a live table as they are now."""
    from penstock.runtime.installation import Installation
    from penstock.runtime.live_rows import live_rows

    rows = live_rows(Installation.at(project, data_dir), table, order=order, limit=limit)
    if as_json:
        output.document(rows)
    elif rows:
        output.table(tuple(rows[0]), [tuple(row.values()) for row in rows])
    else:
        output.line("no rows")


def _show(states: Sequence[TopologyState], *, as_json: bool) -> None:
    if as_json:
        output.document([{**vars(one), "running": one.is_running} for one in states])
        return
    condition.topologies(states)


def land(
    topics: Annotated[list[str] | None, typer.Argument(metavar="[TOPIC]...", help="Topics. [default: all]")] = None,
    until_idle: Annotated[bool, typer.Option("--until-idle", help="Stop when nothing is left to take.")] = False,
    project: Project = HERE,
    data_dir: Data = None,
    as_json: Json = False,
) -> None:
    """Take topics into the lake until stopped: bronze with offsets, then silver and quarantine."""
    from penstock.runtime.installation import Installation
    from penstock.runtime.landing import land_topics
    from penstock.runtime.shutdown import stop_requested

    installation = Installation.at(project, data_dir)
    with stop_requested() as stopped:
        done = land_topics(installation, topics or (), until_idle=until_idle, stopped=stopped, note=output.error_line)
    if as_json:
        output.document([vars(one) for one in done])
        return
    output.table(
        ("topic", "commits", "rows", "malformed", "accepted", "rejected", "duplicates", "superseded"),
        [
            (
                one.topic,
                one.commits,
                one.rows,
                one.malformed,
                one.settled,
                one.quarantined,
                one.duplicates,
                one.superseded,
            )
            for one in done
        ],
    )
