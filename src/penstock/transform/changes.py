"""What came and what went since the base, row by row: tables in the schema `changes` while a build goes on.

Such a table is called as what it tells of, `schema.name`, and has its columns and `_came`: true for a row that came,
false for one that went; a row that changed is two.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

import duckdb

from penstock.lake.table import DataFile, FieldColumn
from penstock.side_by_side import side_by_side
from penstock.sql.beside import on_own
from penstock.sql.names import quote
from penstock.sql.scan import read_scan
from penstock.transform import warehouse
from penstock.transform.result import ModelInput
from penstock.transform.selection import Change
from penstock.transform.workspace import DATABASE

SCHEMA = "changes"
CAME = "_came"
_PLACE = "_place"
_GOING = "going"
STOOD = f"(SELECT * EXCLUDE ({_PLACE}) FROM temp.{_GOING})"  # the rows that `take_out` kept
_ROW_HASH = "_row_hash"
_IDENTITY = ("_file_id", "_line", _ROW_HASH)  # where a row stood, and all it says
_ASKED = re.compile(r"\(select \*, true as _came from \S+ limit 0\) /\* changes of (\S+)\.(\S+) \*/")
_ASKED_AS_IT_STOOD = re.compile(r"\(select \* from \S+ limit 0\) /\* as it stood \*/")
_NAMED = re.compile(rf'"{DATABASE}"\."{SCHEMA}"\."([^"]+)"')


def named(table: str) -> str:
    """The relation with the changes of `schema.name`."""
    return f"{quote(DATABASE)}.{quote(SCHEMA)}.{quote(table)}"


def resolved(sql: str) -> str:
    """Compiled SQL in which changes, and rows as they stood, are read where a build keeps them; dbt alone would read none."""
    return _ASKED_AS_IT_STOOD.sub(STOOD, _ASKED.sub(lambda found: named(f"{found[1]}.{found[2]}"), sql))


def asked(texts: Iterable[str]) -> frozenset[str]:
    """The tables whose changes are read in resolved SQL."""
    return frozenset(table for text in texts for table in _NAMED.findall(text))


def define_source_changes(
    connection: duckdb.DuckDBPyConnection,
    inputs: Mapping[str, ModelInput],
    kinds: Mapping[str, Change],
    tables: Iterable[str],
) -> None:
    """Make the changes of the silver tables among `tables`; none where one cannot tell (what reads it is built anew)."""
    forget(connection)
    warehouse.make_schema(connection, SCHEMA)

    def make(own: duckdb.DuckDBPyConnection, dataset: str) -> None:
        name = named(f"silver.{dataset}")
        own.execute(f"CREATE TABLE {name} AS {_of_source(inputs[dataset], kinds[dataset])}")

    split = [table.split(".", 1) for table in tables]
    datasets = [name for schema, name in split if schema == "silver"]
    for _ in side_by_side(on_own(connection, make), datasets):
        pass


def no_changes(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Nothing changed in a table of the warehouse, or nothing that can be told."""
    connection.execute(
        f"CREATE OR REPLACE TABLE {named(table)} AS SELECT *, true AS {CAME} FROM {warehouse.relation(table)} LIMIT 0"
    )


def appended(connection: duckdb.DuckDBPyConnection, table: str, held: int) -> None:
    """The rows of a table that only grows came where it held some before."""
    connection.execute(
        f"CREATE OR REPLACE TABLE {named(table)} AS SELECT *, true AS {CAME} FROM {warehouse.relation(table)}"
        f" WHERE rowid >= {held}"
    )


def difference(connection: duckdb.DuckDBPyConnection, table: str, *, after: str, before: str) -> None:
    """Keep what two relations with the columns of a table differ in as its changes."""
    names = ", ".join(quote(name) for name, _ in warehouse.describe(connection, table))
    connection.execute(f"CREATE OR REPLACE TABLE {named(table)} AS {_difference(names, after, before)}")


def take_out(connection: duckdb.DuckDBPyConnection, table: str, found: str) -> None:
    """Keep rows of a table as they stood, with their row ids; `found` is a FROM clause that calls them `row`.

    They are found by what that clause reads, and read by their places: a table has many columns, and most rows stay.
    """
    connection.execute(f"CREATE OR REPLACE TEMP TABLE place AS SELECT row.rowid AS id FROM {found}")
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {_GOING} AS SELECT rowid AS {_PLACE}, * FROM {warehouse.relation(table)}"
        f" WHERE rowid IN (SELECT id FROM place)"
    )


def move(connection: duckdb.DuckDBPyConnection, table: str, coming: str) -> None:
    """Put the rows of `coming` in the place of those taken out, and keep what they differ in as the table's changes.

    A row that both have is not touched.
    """
    run = connection.execute
    names = ", ".join(quote(name) for name, _ in warehouse.describe(connection, table))
    rows = (
        f"SELECT {names}, 1 AS _sign, CAST(NULL AS BIGINT) AS {_PLACE} FROM {coming}"
        f" UNION ALL SELECT {names}, -1 AS _sign, {_PLACE} FROM {_GOING}"
    )
    run(
        f"CREATE OR REPLACE TEMP TABLE differing AS SELECT {names}, sum(_sign) AS _times,"
        f" list({_PLACE}) FILTER ({_PLACE} IS NOT NULL) AS _places FROM ({rows}) GROUP BY {names} HAVING sum(_sign) <> 0"
    )
    run(f"CREATE OR REPLACE TABLE {named(table)} AS {_as_often(names, 'differing')}")
    gone = "SELECT unnest(_places[:CAST(-_times AS BIGINT)]) FROM differing WHERE _times < 0"
    run(f"DELETE FROM {warehouse.relation(table)} WHERE rowid IN ({gone})")
    run(f"INSERT INTO {warehouse.relation(table)} BY NAME SELECT {names} FROM {named(table)} WHERE {CAME}")


def counts(connection: duckdb.DuckDBPyConnection, table: str) -> tuple[int, int]:
    """How many rows of a table came, and how many went."""
    sql = f"SELECT count(*) FILTER (WHERE {CAME}), count(*) FILTER (WHERE NOT {CAME}) FROM {named(table)}"
    return connection.execute(sql).fetchall()[0]


def forget(connection: duckdb.DuckDBPyConnection, *, but: Collection[str] = ()) -> None:
    """Drop the changes of a build, but those of some tables, whose release is still to come."""
    if not but:
        connection.execute(f"DROP SCHEMA IF EXISTS {quote(DATABASE)}.{quote(SCHEMA)} CASCADE")
        return
    found = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = $1 AND schema_name = $2", [DATABASE, SCHEMA]
    ).fetchall()
    for (table,) in found:
        if table not in but:
            connection.execute(f"DROP TABLE {named(table)}")


def _difference(names: str, after: str, before: str) -> str:
    """Rows of two relations that do not cancel out, as often as they are more in one than in the other."""
    signed = f"SELECT {names}, 1 AS _sign FROM {after} UNION ALL SELECT {names}, -1 AS _sign FROM {before}"
    differing = f"(SELECT {names}, sum(_sign) AS _times FROM ({signed}) GROUP BY ALL HAVING sum(_sign) <> 0)"
    return _as_often(names, differing)


def _as_often(names: str, differing: str) -> str:
    """Each row as often as it came or went."""
    often = f"SELECT *, unnest(range(CAST(abs(_times) AS BIGINT))) FROM {differing}"
    return f"SELECT {names}, _times > 0 AS {CAME} FROM ({often})"


def _of_source(given: ModelInput, kind: Change) -> str:
    columns = given.scan.columns
    nothing = f"SELECT *, true AS {CAME} FROM ({read_scan([], columns)})"
    if kind in (Change.NONE, Change.OTHER) or given.added is None:
        return nothing
    added = read_scan(given.added.files, columns)
    if kind is Change.ADDED or given.removed is None:
        return f"SELECT *, true AS {CAME} FROM ({added})"
    removed = read_scan(given.removed.files, columns)
    names = [column.name for column in columns]
    if _ROW_HASH not in names:
        return _difference(", ".join(quote(name) for name in names), f"({added})", f"({removed})")
    came = _alone(added, given.removed.files, columns, came=True)
    return f"{came} UNION ALL {_alone(removed, given.added.files, columns, came=False)}"


def _alone(rows: str, others: Sequence[DataFile], columns: Sequence[FieldColumn], *, came: bool) -> str:
    """The rows that stand in none of the other files: they are told by place and hash, so little is read."""
    identity = [column for column in columns if column.name in _IDENTITY]
    same = " AND ".join(
        f"row.{quote(column.name)} IS NOT DISTINCT FROM other.{quote(column.name)}" for column in identity
    )
    other = read_scan(others, identity)
    return f"SELECT row.*, {str(came).lower()} AS {CAME} FROM ({rows}) AS row ANTI JOIN ({other}) AS other ON {same}"
