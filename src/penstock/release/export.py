"""A whole table as one file: complete or not there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from penstock.errors import StorageError, UsageError, choices
from penstock.release.formats import write
from penstock.release.query import nearest, stream
from penstock.release.reader import Reader
from penstock.release.views import qualified
from penstock.world import World

ENDINGS = {".csv": "csv", ".parquet": "parquet", ".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson"}
_LAYERS = ("gold", "silver", "quarantine", "bronze", "quality")


def export(reader: Reader, dataset: str, to: Path, *, world: World, overwrite: bool = False) -> int:
    """Write a table to a file in the format of its ending; the number of rows.

    `dataset` is `layer.table`, or a table's name alone: gold is then looked at first, then silver,
    quarantine, bronze. The file is written beside its place and moved there when it is whole and durable;
    one that exists is refused unless `overwrite`.
    """
    table = resolve(dataset, reader.tables)
    form = ENDINGS.get(to.suffix.lower())
    if form is None:
        raise UsageError(
            "The file's ending names no format", where=str(to), expected=" ".join(ENDINGS), found=to.suffix or "none"
        )
    if to.exists() and not overwrite:
        raise UsageError("The file exists", where=str(to), remedy="Choose another name, or say --overwrite.")
    if not to.parent.is_dir():
        raise UsageError("There is no such folder", where=str(to.parent), remedy="Make it first.")
    target = to.resolve()
    draft = str(target.with_name(f".{target.name}.{world.ids.new()}.part"))
    try:
        with world.disk.create(draft) as output:
            count = write(stream(reader, f"SELECT * FROM {qualified(table)}"), form, output)
        world.disk.sync(draft)
        world.disk.rename(draft, str(target))
    except OSError as error:
        world.disk.remove(draft)
        raise StorageError(
            "The file could not be written",
            where=str(to),
            found=error.strerror or str(error),
            remedy="Nothing was left.",
        ) from error
    except BaseException:
        world.disk.remove(draft)
        raise
    return count


def resolve(dataset: str, tables: Iterable[str]) -> str:
    """The table that a name means; UsageError with what comes near when there is none.

    >>> resolve("books", ["bronze.books", "silver.books"])
    'silver.books'
    """
    known = list(tables)
    for name in (dataset, *(f"{layer}.{dataset}" for layer in _LAYERS)):
        if name in known:
            return name
    near = nearest(dataset, known)
    meant = f"Did you mean {' or '.join(near)}? " if near else ""
    named = choices(sorted(known), near) or "none yet"
    raise UsageError(f"There is no table {dataset}", remedy=f"{meant}Tables: {named}.")
