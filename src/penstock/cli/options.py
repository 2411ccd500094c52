"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Project = Annotated[Path, typer.Option("--project", "-p", metavar="DIR", help="The project's folder.")]
Data = Annotated[
    Path | None,
    typer.Option(  # one that may not be read is named by whoever reads it
        "--data-dir", metavar="DIR", readable=False, help="Where data lives. [default: .penstock in the project]"
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
Release = Annotated[int | None, typer.Option("--release", metavar="N", help="Read at release N. [default: the latest]")]

HERE = Path()
