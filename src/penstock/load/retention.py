"""How long the bytes of lines that could not be read are kept: they may hold anything, so not for ever."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256

from penstock.lake.lake import Lake
from penstock.lake.lease import Lease
from penstock.lake.table import DataFile
from penstock.lake.upkeep import FORGETS
from penstock.load.tables import quarantine_name
from penstock.sql.connection import connect
from penstock.sql.names import literal, quote
from penstock.sql.scan import read_scan


def forget_raw(lake: Lake, dataset: str, *, older_than: timedelta, lease: Lease) -> int:
    """Replace raw bytes that entered quarantine longer ago by null; file, line and reasons stay. Gives how many.

    Older snapshots still hold them; the next upkeep expires those.
    """
    head = lake.head(quarantine_name(dataset))
    if head is None:
        return 0
    limit = lake.world.clock.now() - older_than
    scan = lake.scan_head(head)
    old = [file for file in scan.files if _begins_before(file, limit)]
    if not old:
        return 0
    past = f"raw IS NOT NULL AND _ingested_at < {literal(limit.isoformat())}::TIMESTAMPTZ"
    with connect() as connection:
        rows = read_scan(old, scan.columns, origin="_path")
        held = dict(connection.execute(f"SELECT _path, count(*) FROM ({rows}) WHERE {past} GROUP BY 1").fetchall())
        if not held:
            return 0
        losing = [file for file in old if file.path in held]
        columns = ", ".join(
            f"CASE WHEN {past} THEN NULL ELSE raw END AS raw" if column.name == "raw" else quote(column.name)
            for column in scan.columns
        )
        kept = read_scan(losing, scan.columns)
        token = sha256(f"{head.name} raw {limit.isoformat()}".encode()).hexdigest()
        with lake.stage(lease=lease, token=token) as commit:
            change = commit.table(head)
            change.append(connection.sql(f"SELECT {columns} FROM ({kept})").to_arrow_reader(100_000))
            change.remove(losing)
            change.summary(FORGETS, str(sum(held.values())))
            commit.apply()
    return sum(held.values())


def _begins_before(file: DataFile, limit: datetime) -> bool:
    """Bounds of instants are microseconds since 1970."""
    bounds = file.bounds.get("_ingested_at")
    return bounds is None or int(str(bounds[0])) < int(limit.timestamp() * 1_000_000)
