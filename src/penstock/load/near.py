"""Which files of silver may hold one of some keys, by the spans in their footers: most new keys are beyond all."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from penstock.lake.scan import is_own_file
from penstock.lake.spans import SPANS, Pair, spans_in
from penstock.lake.table import DataFile, FieldColumn
from penstock.spec.contract import Contract
from penstock.sql.names import literal, quote

MANY = 100_000  # of fewer rows the keys themselves are read as fast as the footers
_LISTED = "spans_listed"
_SCHEMA = pa.schema([(name, pa.string()) for name in ("path", "value", "lowest", "highest")])


def spanned(contract: Contract, columns: Sequence[FieldColumn]) -> Pair | None:
    """The columns whose spans the files of silver tell: the first two of the key, where both are texts."""
    texts = {column.name: column.field_id for column in columns if column.duckdb_type == "VARCHAR"}
    first, second, *_ = (*(texts.get(name) for name in contract.identity[:2]), None, None)
    return None if first is None or second is None else (first, second)


def near(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    files: Sequence[DataFile],
    columns: Sequence[FieldColumn],
    keys: str,
) -> Sequence[DataFile]:
    """The files that may hold one of `keys`, which is a relation with the columns of the key; without spans, all may. What
    another engine wrote may hold every key, whatever its footer tells: it may have come from one of ours."""
    pair, own = spanned(contract, columns), [file.path for file in files if is_own_file(file.path)]
    if pair is None or not own or sum(file.rows for file in files) < MANY:
        return files
    told = _spans(connection, own, pair)
    listed = [
        {"path": path, "value": value, "lowest": lowest, "highest": highest}
        for path, spans in told.items()
        for value, lowest, highest in spans
    ]
    connection.register(_LISTED, pa.Table.from_pylist(listed, schema=_SCHEMA))
    first, second = (quote(name) for name in contract.identity[:2])
    found = connection.execute(
        f"SELECT path FROM {_LISTED} AS s SEMI JOIN {quote(keys)} AS k"
        f" ON s.value = k.{first} AND s.lowest <= k.{second} AND k.{second} <= s.highest"
    ).fetchall()
    connection.unregister(_LISTED)
    paths = {path for (path,) in found}
    return [file for file in files if file.path in paths or file.path not in told]


def _spans(
    connection: duckdb.DuckDBPyConnection, paths: Sequence[str], pair: Pair
) -> dict[str, list[tuple[str, str, str]]]:
    """The spans of the files whose footers tell them, by path."""
    listed = ", ".join(map(literal, paths))
    footers = connection.execute(
        f"SELECT file_name, decode(value) FROM parquet_kv_metadata([{listed}]) WHERE decode(key) = {literal(SPANS)}"
    ).fetchall()
    told = ((path, spans_in(footer, pair)) for path, footer in footers)
    return {path: list(spans) for path, spans in told if spans is not None}
