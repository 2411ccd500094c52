"""Tables that streams look up, read at a release."""

from __future__ import annotations

import pyarrow as pa

from penstock.release.record import latest_release
from penstock.runtime.installation import Installation
from penstock.runtime.topology_graphs import describe
from penstock.sql.names import quote
from penstock.stream.reference import Reference

UNRELEASED = 0  # version of tables as they are while nothing was released


def newest_release(installation: Installation) -> int:
    """The number of the latest release; 0 before the first."""
    release = latest_release(installation.place.root) if installation.place.exists else None
    return UNRELEASED if release is None else release.number


def read_reference(
    installation: Installation, table: str, columns: tuple[str, ...], *, release: int | None = None
) -> Reference:
    """The columns of `layer.name` at a release, by default the newest; silver as it is now while there is none, and no
    rows before the first run. UsageError when there is no such release any more."""
    from penstock.release.reader import open_reader

    number = newest_release(installation) if release is None else release
    if installation.place.exists:
        root, world = installation.place.root, installation.world
        with open_reader(root, world, release=number or None, only=[table]) as reader:
            if table in reader.tables:
                layer, _, name = table.partition(".")
                listed = ", ".join(map(quote, columns))
                rows = reader.connection.sql(f"SELECT {listed} FROM {quote(layer)}.{quote(name)}").to_arrow_table()
                return Reference(number, rows)
    known = describe(installation, table)
    fields = [pa.field(name, pa.string() if known is None else known.field(name).type) for name in columns]
    return Reference(number, pa.schema(fields).empty_table())
