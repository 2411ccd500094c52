"""Questions to the lake and whole tables as files."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from penstock.errors import UsageError
from penstock.release.export import export as export_table
from penstock.release.formats import write
from penstock.release.query import query as answer
from penstock.release.query import stream
from penstock.release.reader import open_reader
from penstock.runtime.installation import Installation

FORMATS = ("table", "json", "csv", "parquet")


def query(
    installation: Installation, sql: str, *, release: int | None, form: str, limit: int, output: BinaryIO
) -> bool:
    """Write the rows of one SELECT; `limit` bounds the table format alone (0: all).

    Gives whether every row was written.
    """
    if form not in FORMATS:
        raise UsageError("There is no such format", expected=", ".join(FORMATS), found=form)
    with open_reader(installation.place.root, installation.world, release=release) as reader:
        if form != "table":
            write(stream(reader, sql), form, output)
            return True
        found = answer(reader, sql, limit=limit or None)
        write(found.rows.to_reader(), form, output)
        return found.complete


def export(
    installation: Installation, dataset: str, to: Path, *, release: int | None = None, overwrite: bool = False
) -> int:
    """Write a whole table to a file in the format of its ending; gives the number of rows."""
    with open_reader(installation.place.root, installation.world, release=release) as reader:
        return export_table(reader, dataset, to, world=installation.world, overwrite=overwrite)
