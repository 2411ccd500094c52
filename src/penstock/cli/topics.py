"""`penstock topics`: look into topics, append to them, forget who read them, and give up what is lost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from penstock.cli import output
from penstock.cli.options import HERE, Data, Json, Project
from penstock.errors import counted

app = typer.Typer(
    help="Topics of events: list them, look into them, append to them, forget who read them, give up what is lost.",
    no_args_is_help=True,
)

Partition = Annotated[int | None, typer.Option(min=0, help="Only this partition.")]
Offset = Annotated[int | None, typer.Option(min=0, help="Begin at this offset, not with the newest rows.")]


@app.command("list")
def topics_list(project: Project = HERE, data_dir: Data = None, as_json: Json = False) -> None:
    """List the topics that exist, with what they hold."""
    from penstock.runtime.installation import Installation
    from penstock.runtime.topics import list_topics

    found = list_topics(Installation.at(project, data_dir))
    if as_json:
        output.document([vars(one) for one in found])
        return
    rows = [(one.name, one.partitions, one.rows, one.appended) for one in found]
    output.table(("topic", "partitions", "rows", "appended"), rows)


@app.command("peek")
def topics_peek(
    topic: Annotated[str, typer.Argument(help="The topic.")],
    limit: Annotated[int, typer.Option(min=1, help="How many rows of each partition, the newest.")] = 10,
    partition: Partition = None,
    offset: Offset = None,
    project: Project = HERE,
    data_dir: Data = None,
) -> None:
    """Print the newest rows of a topic as JSON."""
    from penstock.runtime.installation import Installation
    from penstock.runtime.topics import peek

    installation = Installation.at(project, data_dir)
    output.document(peek(installation, topic, limit=limit, partition=partition, offset=offset))


@app.command("tail")
def topics_tail(
    topic: Annotated[str, typer.Argument(help="The topic.")],
    last: Annotated[int, typer.Option(min=0, help="How many rows of each partition that are there already.")] = 0,
    partition: Partition = None,
    offset: Offset = None,
    project: Project = HERE,
    data_dir: Data = None,
) -> None:
    """Print rows of a topic as they come, one JSON object on each line, until stopped."""
    from penstock.runtime.installation import Installation
    from penstock.runtime.shutdown import stop_requested
    from penstock.runtime.topics import tail

    installation = Installation.at(project, data_dir)
    with stop_requested() as stopped:
        for row in tail(installation, topic, last=last, partition=partition, offset=offset, stopped=stopped):
            output.document_line(row)


@app.command("append")
def topics_append(
    topic: Annotated[str, typer.Argument(help="A declared topic.")],
    file: Annotated[Path, typer.Argument(help="A file with one JSON object on each line; `-` is standard input.")],
    project: Project = HERE,
    data_dir: Data = None,
    as_json: Json = False,
) -> None:
    """Append JSON objects to a topic; they are durable when the command ends."""
    from penstock.runtime.installation import Installation
    from penstock.runtime.topics import append_lines

    installation = Installation.at(project, data_dir)
    if str(file) == "-":
        count = append_lines(installation, topic, sys.stdin.buffer)
    else:
        with file.open("rb") as lines:
            count = append_lines(installation, topic, lines)
    if as_json:
        output.document({"topic": topic, "rows": count})
    else:
        output.line(f"{counted(count, 'row')} appended to {topic}")


@app.command("forget")
def topics_forget(
    reader: Annotated[str, typer.Argument(help="A reader or job that is no longer declared.")],
    project: Project = HERE,
    data_dir: Data = None,
    as_json: Json = False,
) -> None:
    """Forget how far a reader came, so that no row is kept for it any more; say what it had not read."""
    from penstock.runtime.installation import Installation
    from penstock.runtime.readers import forget_reader

    given_up = forget_reader(Installation.at(project, data_dir), reader)
    if as_json:
        output.document({"reader": reader, "given_up": [{"topic": one.topic, "rows": one.rows} for one in given_up]})
        return
    output.line(f"{reader} is forgotten")
    for one in given_up:
        output.line(f"{counted(one.rows, 'row')} of {one.topic} that it had not read will not be kept for it")


@app.command("give-up")
def topics_give_up(
    topic: Annotated[str, typer.Argument(help="The topic of a batch that cannot be read.")],
    partition: Annotated[int, typer.Option(min=0, help="Its partition, as the error says.")],
    offset: Annotated[int, typer.Option(min=0, help="Its first offset, as the error says.")],
    project: Project = HERE,
    data_dir: Data = None,
    as_json: Json = False,
) -> None:
    """Let all readers go on without rows that cannot be read: each gets them as rejected rows with the code `lost`."""
    from penstock.runtime.installation import Installation
    from penstock.runtime.log_health import give_up

    lost = give_up(Installation.at(project, data_dir), topic, partition=partition, offset=offset)
    if as_json:
        output.document({"topic": topic, "partition": partition, "first": lost.first, "next": lost.next})
        return
    rows = counted(lost.next - lost.first, "row")
    output.line(f"{rows} given up: {topic}, partition {partition}, offsets {lost.first} to {lost.next - 1}")
    output.line("readers go on without them; each is told as a rejected row with the code `lost`")
