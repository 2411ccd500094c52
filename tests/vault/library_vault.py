"""A vault over a feed of histories in DuckDB, made by the engine's macros alone: batch by batch, or at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import duckdb
import pyarrow as pa

from tests.vault.history import BATCHES, HOURS, Row, as_record, hour
from tests.vault.macros import render

TABLES = {
    "hub_member": "vault_hub('member', key=['member_id'], sources=['version_feed', 'relation_feed'])",
    "link_loan": "vault_link('loan', hubs={'book': ['book_id'], 'member': ['member_id']}, sources='relation_feed')",
    "sat_member": "vault_satellite('member', key=['member_id'], payload=['name', 'fee'], sources='version_feed',"
    " deleted='is_gone')",
    "eff_loan": "vault_effectivity('loan', hubs={'book': ['book_id'], 'member': ['member_id']},"
    " sources=['relation_feed'], deleted='is_gone')",
    "trk_member": "vault_tracking('member', key=['member_id'], sources='snapshot_feed', snapshots='listed_feed')",
}
FEEDS = {
    "version_feed": "kind in ('version', 'snapshot')",
    "snapshot_feed": "kind = 'snapshot'",
    "listed_feed": "kind = 'listed'",
    "relation_feed": "kind = 'relation'",
}
SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("applied_at", pa.timestamp("us", "UTC")),
        ("loaded_at", pa.timestamp("us", "UTC")),
        ("tenant", pa.string()),
        ("member_id", pa.string()),
        ("book_id", pa.int64()),
        ("name", pa.string()),
        ("fee", pa.decimal128(18, 4)),
        ("is_gone", pa.bool_()),
        ("record_source", pa.string()),
        ("batch", pa.int64()),
    ]
)


class LibraryVault:
    """The tables of one vault. `load` makes them of the rows' batches in turn, `load(at_once=True)` in one build."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._connection = duckdb.connect(config={"threads": 1})
        self._connection.execute("SET TimeZone = 'UTC'")
        feed = pa.Table.from_pylist([as_record(row) for row in rows], SCHEMA)
        self._connection.register("arriving", feed)
        self._connection.execute("CREATE TABLE feed AS SELECT * FROM arriving")
        hours = ", ".join(f"('{hour(number)}'::TIMESTAMPTZ)" for number in range(HOURS))
        self._connection.execute(f"CREATE TABLE hours AS FROM (VALUES {hours}) AS hours(as_of)")
        for name, condition in FEEDS.items():
            self._connection.execute(
                f"CREATE VIEW {name} AS SELECT *, batch = getvariable('batch') AS _new FROM feed"
                f" WHERE batch <= getvariable('batch') AND {condition}"
            )

    def load(self, *, at_once: bool = False) -> LibraryVault:
        for batch in [BATCHES - 1] if at_once else range(BATCHES):
            self._connection.execute(f"SET VARIABLE batch = {batch}")
            for name, call in TABLES.items():
                if at_once or batch == 0:
                    self._connection.execute(f"CREATE OR REPLACE TABLE {name} AS {render(call)}")
                else:
                    self._connection.execute(f"INSERT INTO {name} {render(call, this=name, incremental=True)}")
        return self

    def define(self, view: str, call: str) -> str:
        """A view of one of the macros that compute and keep nothing; its name."""
        self._connection.execute(f"CREATE OR REPLACE VIEW {view} AS {render(call)}")
        return view

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()
