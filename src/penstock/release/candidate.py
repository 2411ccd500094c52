"""What the gate looks at: silver and quarantine at their snapshots, and gold as it was just built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import duckdb

from penstock.lake.table import Scan
from penstock.quality.growth import CAME
from penstock.release.model import BuiltModel, gold_name
from penstock.release.views import define_views, qualified
from penstock.sql.names import quote

_NONE: Mapping[str, Scan] = {}


def define_candidate(
    connection: duckdb.DuckDBPyConnection,
    *,
    scans: Mapping[str, Scan],
    models: Iterable[BuiltModel],
    came: Mapping[str, Scan] = _NONE,
    database: str = "warehouse",
) -> None:
    """Make the schemas silver, quarantine and gold on a connection that has the build attached as `database`.

    `scans` are silver and quarantine, by table name, as the build saw them; `came` has, by dataset, the files that
    came since the last release, for the schema came.
    """
    schemas = ("silver", "quarantine", "gold", CAME)
    define_views(connection, {**scans, **{f"{CAME}.{name}": scan for name, scan in came.items()}}, schemas=schemas)
    for model in models:
        name = gold_name(model)
        connection.execute(f"CREATE VIEW {qualified(name)} AS FROM {quote(database)}.{qualified(name)}")
