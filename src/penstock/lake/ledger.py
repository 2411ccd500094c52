"""The file ledger: which files of a source were taken, in which batch; it commits with the rows it counts."""

from __future__ import annotations

from penstock.lake.table import TableColumn, TableSpec

_COLUMNS = (
    TableColumn("path", "path", "string", required=True, doc="Path below the source's base folder"),
    TableColumn(
        "file_id", "file_id", "string", required=True, doc="First 32 hex digits of SHA-256 of path and content hash"
    ),
    TableColumn("content_hash", "content_hash", "string", required=True, doc="SHA-256 of the file as it lay there"),
    TableColumn("size", "size", "long", required=True, doc="Bytes"),
    TableColumn("mtime_ns", "mtime_ns", "long", required=True, doc="Modification time, nanoseconds since 1970"),
    TableColumn(
        "name", "name", "string", required=True, doc="What the delivery is called; a new version replaces the old"
    ),
    TableColumn("version", "version", "string", doc="Which version of the delivery; empty when there is only one"),
    TableColumn("rows", "rows", "long", required=True, doc="Rows read into bronze"),
    TableColumn("malformed", "malformed", "long", required=True, doc="Lines that could not be read as a row"),
    TableColumn("batch", "batch", "long", required=True, doc="The batch of the source that took the file"),
    TableColumn("ingested_at", "ingested_at", "timestamptz", required=True, doc="When the batch was taken"),
)


def ledger_spec(source: str) -> TableSpec:
    """The ledger of a source: one row per file taken, append only.

    >>> ledger_spec("shop").name
    'ledger.shop'
    """
    return TableSpec(f"ledger.{source}", _COLUMNS, doc=f"Files taken from source {source}")
