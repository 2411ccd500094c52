"""Where rows come from, written beside every row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from penstock.load.tables import arrow_schema, quarantine_spec
from penstock.spec.source import Source

QUARANTINE_SCHEMA = arrow_schema(quarantine_spec("any"))


@dataclass(frozen=True)
class Origin:
    """The system columns that all rows of one file and batch share."""

    tenant: str
    source: str
    file: str
    file_id: str
    ingested_at: datetime
    batch: int

    def values(self) -> dict[str, object]:
        return {
            "_tenant": self.tenant,
            "_source": self.source,
            "_file": self.file,
            "_file_id": self.file_id,
            "_ingested_at": self.ingested_at,
            "_batch": self.batch,
        }

    def complete(self, rows: pa.Table, schema: pa.Schema, **more: object) -> pa.Table:
        """`rows` with every column of `schema`: system values, null where the file has no such column."""
        constant = self.values() | more
        arrays = [
            rows[field.name].cast(field.type)
            if field.name in rows.column_names
            else pa.repeat(pa.scalar(constant.get(field.name), field.type), rows.num_rows)
            for field in schema
        ]
        return pa.table(arrays, schema=schema)

    def refused(self, malformed: pa.Table, source: Source, columns: Sequence[str]) -> pa.Table:
        """Quarantine rows for malformed lines; the file's columns are kept so that a line can be read again."""
        codes = malformed["code"].to_pylist()
        facts = zip(codes, malformed["expected"].to_pylist(), malformed["found"].to_pylist(), strict=True)
        reasons = [
            json.dumps([{"code": code, "column": None, "expected": expected, "found": found}])
            for code, expected, found in facts
        ]
        rows = pa.table(
            {
                "_line": malformed["_line"],
                "raw": malformed["raw"],
                "codes": pa.array([[code] for code in codes], pa.list_(pa.string())),
                "reasons": pa.array(reasons, pa.string()),
            }
        )
        return self.complete(
            rows, QUARANTINE_SCHEMA, stage="parse", status="open", contract=source.fingerprint, row=json.dumps(columns)
        )
