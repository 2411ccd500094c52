"""What a user's SQL may do: read, once, from the relations it was given."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

import duckdb

from penstock.errors import UsageError
from penstock.sql.names import literal

_TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest"})
_FUNCTIONS_DENIED = frozenset(
    {"getenv", "getvariable", "current_setting", "query", "query_table", "json_execute_serialized_sql"}
)
_BLANK = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)"
_EXPLAIN = re.compile(rf"^{_BLANK}*explain\b{_BLANK}*(?:analyze\b|\([^)]*\))?{_BLANK}*", re.IGNORECASE | re.DOTALL)
_REMEDY = "Write one SELECT, WITH, VALUES, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN statement over the tables shown."


def lock_down(connection: duckdb.DuckDBPyConnection, files: Sequence[str]) -> None:
    """From now on the connection reads `files` and nothing else: no other path, no ATTACH, COPY, INSTALL or SET.

    Make the views before; it cannot be undone on this connection.
    """
    paths = ", ".join(literal(path) for path in files)
    connection.execute(f"SET allowed_paths = [{paths}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def check_query(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """The statement, when it is a single one that only reads relations of the connection; UsageError otherwise.

    DuckDB's own parser decides, so there is no second grammar to disagree with it. A name with a point in it is
    never taken for one of the statement's own tables: where that is out of scope, DuckDB opens the file of that name.
    """
    statements = _statements(connection, sql)
    if len(statements) != 1:
        raise _refusal("one statement", f"{len(statements)} statements")
    statement = statements[0]
    if statement.type == duckdb.StatementType.EXPLAIN:
        _check_explained(connection, statement.query)
    elif statement.type == duckdb.StatementType.SELECT:
        _check_tree(connection, statement.query)
    else:
        raise _refusal("a statement that only reads", statement.type.name)
    return statement.query


def _check_explained(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """What an EXPLAIN explains is held to the same rules, for EXPLAIN ANALYZE runs it."""
    explained = _EXPLAIN.sub("", sql, count=1)
    if explained == sql:
        raise _refusal("EXPLAIN before a statement that only reads", sql)
    check_query(connection, explained)


def _statements(connection: duckdb.DuckDBPyConnection, sql: str) -> list[duckdb.Statement]:
    try:
        return list(connection.extract_statements(sql))
    except duckdb.Error as error:
        raise UsageError("The SQL cannot be parsed", found=_first_line(error), remedy=_REMEDY) from error


def _check_tree(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    rows = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()
    tree = json.loads(rows[0][0])
    if tree["error"]:
        raise _refusal("a statement that only reads", str(tree.get("error_message", sql)))
    known = _relations(connection) | {name for name in _cte_names(tree) if "." not in name}
    for node in _nodes(tree):
        _check_node(node, known)


def _check_node(node: dict[str, object], known: frozenset[str]) -> None:
    kind = node.get("type")
    if kind == "TABLE_FUNCTION":
        function = node.get("function")
        name = str(function.get("function_name", "")).lower() if isinstance(function, dict) else ""
        if name not in _TABLE_FUNCTIONS:
            raise _refusal("tables, or " + ", ".join(sorted(_TABLE_FUNCTIONS)), f"{name}()")
    elif kind == "BASE_TABLE":
        name = str(node.get("table_name", ""))
        if name.lower() not in known:
            raise UsageError(f"There is no table {name!r}", remedy="`SHOW ALL TABLES` lists what there is.")
    elif kind == "FUNCTION" and str(node.get("function_name", "")).lower() in _FUNCTIONS_DENIED:
        raise _refusal("functions of values", f"{node['function_name']}()")


def _relations(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    rows = connection.execute(
        "SELECT lower(view_name) FROM duckdb_views() UNION SELECT lower(table_name) FROM duckdb_tables()"
    ).fetchall()
    return frozenset(name for (name,) in rows)


def _cte_names(tree: object) -> frozenset[str]:
    found: set[str] = set()
    for node in _nodes(tree):
        entries = node.get("map")
        if isinstance(entries, list):
            found.update(str(entry["key"]).lower() for entry in entries if isinstance(entry, dict) and "key" in entry)
        if node.get("type") == "RECURSIVE_CTE_NODE":
            found.add(str(node.get("cte_name", "")).lower())
    return frozenset(found)


def _nodes(tree: object) -> Iterator[dict[str, object]]:
    stack = [tree]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            yield item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def _refusal(expected: str, found: str) -> UsageError:
    return UsageError("This SQL is not allowed here", expected=expected, found=found, remedy=_REMEDY)
