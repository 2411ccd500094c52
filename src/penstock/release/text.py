"""Values as text, the same in every format: exact, in UTC, without loss.

integers, decimals   all their digits: 1234567890.10
doubles              the shortest text that reads back as the same double; nan, inf and -inf as texts in JSON
booleans             true, false
dates, timestamps    ISO 8601; a timestamp with a zone is in UTC and ends in Z: 2010-12-01T08:26:00Z
binary               base64
lists, structs, maps JSON
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from penstock.sql.connection import connect
from penstock.sql.names import literal, quote

_WHOLE = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?")
_NESTED = re.compile(r".*\]|(STRUCT|MAP|UNION)\(.*|JSON|VARIANT", re.DOTALL)
BATCH = "batch"
Columns = Sequence[tuple[str, str]]  # name and DuckDB type


@dataclass(frozen=True)
class Value:
    """How one column is written: SQL of its text, and whether JSON takes that text without quotes."""

    text: str
    bare: bool
    number: bool = False


def value_text(name: str, kind: str) -> Value:
    """The text of a column of a DuckDB type; NULL stays NULL."""
    column = quote(name)
    plain = f"CAST({column} AS VARCHAR)"
    if _WHOLE.fullmatch(kind):
        return Value(plain, bare=True, number=True)
    if kind.startswith("DECIMAL"):
        return Value(f"regexp_replace({plain}, '^(-?)\\.', '\\10.')", bare=True, number=True)
    if kind in ("DOUBLE", "FLOAT"):
        return Value(plain, bare=False, number=True)
    if kind == "BOOLEAN":
        return Value(plain, bare=True)
    if kind.startswith("TIMESTAMP"):
        return Value(f"regexp_replace(replace({plain}, ' ', 'T'), '\\+00$', 'Z')", bare=False)
    if kind == "BLOB":
        return Value(f"base64({column})", bare=False)
    return (
        Value(f"CAST(to_json({column}) AS VARCHAR)", bare=True) if _NESTED.fullmatch(kind) else Value(plain, bare=False)
    )


def json_value(name: str, kind: str) -> str:
    """SQL of a column as JSON text; NULL becomes null."""
    value = value_text(name, kind)
    if value.bare:
        return f"coalesce({value.text}, 'null')"
    quoted = f"CAST(to_json({value.text}) AS VARCHAR)"
    if value.number:
        quoted = f"CASE WHEN isfinite({quote(name)}) THEN {value.text} ELSE {quoted} END"
    return f"coalesce({quoted}, 'null')"


def json_object(columns: Columns) -> str:
    """SQL of a row as a JSON object, columns in order."""
    names = [f"CAST(to_json({literal(name)}) AS VARCHAR) || ':'" for name, _ in columns]
    values = [json_value(name, kind) for name, kind in columns]
    parts = [f"{name}, {value}" for name, value in zip(names, values, strict=True)]
    row = ", ',', ".join(parts)
    return f"concat('{{', {row}, '}}')"


def json_rows(columns: Columns) -> str:
    """A query for every row as a JSON object, columns in order."""
    return f"SELECT {json_object(columns)} FROM {BATCH}"


def csv_rows(columns: Columns) -> str:
    """A query for every row as a CSV line (RFC 4180): NULL is nothing, an empty text is `""`."""
    values = [value_text(name, kind) for name, kind in columns]
    shorts = [quote(f"c{place}") for place in range(len(columns))]
    inner = ", ".join(f"{value.text} AS {short}" for value, short in zip(values, shorts, strict=True))
    row = ", ',', ".join(_csv_value(value, short) for value, short in zip(values, shorts, strict=True))
    return f"SELECT concat({row}) FROM (SELECT {inner} FROM {BATCH})"


def cell_rows(columns: Columns) -> str:
    """A query for every row as a list of texts."""
    return f"SELECT [{', '.join(value_text(name, kind).text for name, kind in columns)}] FROM {BATCH}"


def _csv_value(value: Value, text: str) -> str:
    if value.number:
        return f"coalesce({text}, '')"  # has nothing that needs quotes
    escaped = f"'\"' || replace({text}, '\"', '\"\"') || '\"'"
    needed = (
        f"{text} = '' OR regexp_matches({text}, '[\",\\r\\n]') OR starts_with({text}, ' ') OR ends_with({text}, ' ')"
    )
    return f"coalesce(CASE WHEN {needed} THEN {escaped} ELSE {text} END, '')"


def texts(rows: pa.RecordBatchReader, query: Callable[[Columns], str]) -> Iterator[list[Any]]:
    """What the query gives for every row, batch by batch, in the order of the rows."""
    with connect(threads=1) as connection:
        connection.execute("SET preserve_insertion_order = true")
        connection.execute("SET disabled_optimizers = 'common_subexpressions'")  # quadratic in columns, of no use here
        sql = query(_columns_of(connection, rows.schema))
        for batch in rows:
            connection.register(BATCH, pa.Table.from_batches([batch]))
            (found,) = connection.sql(sql).to_arrow_table().columns
            yield found.to_pylist()
            connection.unregister(BATCH)


def columns_of(schema: pa.Schema) -> Columns:
    """Names and DuckDB types of Arrow columns."""
    with connect(threads=1) as connection:
        return _columns_of(connection, schema)


def _columns_of(connection: duckdb.DuckDBPyConnection, schema: pa.Schema) -> Columns:
    relation = connection.from_arrow(schema.empty_table())
    return [(name, str(kind)) for name, kind in zip(relation.columns, relation.types, strict=True)]
