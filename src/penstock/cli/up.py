"""`penstock up`: everything of a project at once."""

from __future__ import annotations

from typing import Annotated

import typer

from penstock.cli import output
from penstock.cli.options import HERE, Data, Project


def up(
    project: Project = HERE,
    data_dir: Data = None,
    every: Annotated[float, typer.Option(min=1, help="Seconds from the beginning of a batch run to the next.")] = 300,
    host: Annotated[str, typer.Option(help="The address the API listens at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port the API listens at.")] = 8000,
) -> None:
    """Run streams, topics into the lake, batch runs and the API together until stopped; what dies is begun again."""
    from penstock.runtime.installation import Installation
    from penstock.runtime.up import parts_of, require_address
    from penstock.runtime.up import up as keep_up

    installation = Installation.at(project, data_dir)
    parts = parts_of(installation, every=every, host=host, port=port)
    require_address(parts, host, port)
    raise typer.Exit(keep_up(installation, parts, say=lambda words: output.error_line(f"up: {words}")))
