"""Contracts as short as a test needs them, and relations to hold to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from penstock.spec.contract import Column, Contract, Dedupe, Evolution, LogicalType, Reference, RowRule

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)


def column(name: str, type: LogicalType = LogicalType.STRING, **facts: object) -> Column:
    return Column(id=f"id_{name}", name=name, type=type, **facts)  # type: ignore[arg-type]


def contract(
    *columns: Column,
    key: Sequence[str] = (),
    dedupe: Dedupe | None = None,
    evolution: Evolution = Evolution.EVOLVE,
    rules: Sequence[RowRule] = (),
    references: Sequence[Reference] = (),
) -> Contract:
    return Contract(
        dataset="readings",
        version="1",
        description="",
        owner="",
        columns=columns,
        key=tuple(key),
        dedupe=dedupe or Dedupe(),
        evolution=evolution,
        partitions=(),
        rules=tuple(rules),
        references=tuple(references),
        freshness=None,
        path=Path("contracts/readings.yml"),
        fingerprint="fingerprint",
    )


def bronze(
    connection: duckdb.DuckDBPyConnection,
    rows: Sequence[Mapping[str, str | None]],
    *,
    name: str = "bronze",
    columns: Sequence[str] | None = None,
    file: str = "a.csv",
    first_line: int = 2,
) -> str:
    """Make a table of source columns as text and system columns, lines counted from 2."""
    names = list(columns) if columns is not None else list(dict.fromkeys(name for row in rows for name in row))
    arrays = {name: pa.array([row.get(name) for row in rows], pa.string()) for name in names}
    size = len(rows)
    arrays |= {
        "_tenant": pa.array(["default"] * size, pa.string()),
        "_source": pa.array(["source"] * size, pa.string()),
        "_file": pa.array([file] * size, pa.string()),
        "_line": pa.array(range(first_line, first_line + size), pa.int64()),
        "_file_id": pa.array([f"id of {file}"] * size, pa.string()),
        "_ingested_at": pa.array([NOW] * size, pa.timestamp("us", "UTC")),
        "_batch": pa.array([1] * size, pa.int64()),
    }
    connection.register("arriving", pa.table(arrays))
    connection.execute(f'CREATE OR REPLACE TEMP TABLE "{name}" AS SELECT * FROM arriving')
    connection.unregister("arriving")
    return name
