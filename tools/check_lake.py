"""Only the lake imports PyIceberg, and only `lake.commit` moves a table.

PyIceberg's own ways to change a table re-base and retry, which would let the same batch in twice. All of them
begin at a `Table`, so nothing may make one, nor call what changes it, nor write the catalogue's rows elsewhere.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.finding import Finding, modules, report

LAKE = "src/penstock/lake"
COMMITTER = f"{LAKE}/commit.py"

# What makes a PyIceberg table or transaction, and what only they can do.
FORBIDDEN = {
    "add_files",
    "append_data_file",
    "commit_table",
    "commit_transaction",
    "create_table",
    "drop_table",
    "fast_append",
    "load_table",
    "manage_snapshots",
    "merge_append",
    "overwrite",
    "register_table",
    "transaction",
    "update_schema",
    "update_snapshot",
    "upsert",
}
DISK_SEAM = ("disk", "transaction")  # `world.disk.transaction(...)` marks the atomic point, and is ours
TABLE_NAMES = {"Table", "StaticTable", "StagedTable", "Transaction", "UpdateSnapshot"}
CATALOGUE_ROWS = "IcebergTables"
WRITING = {"insert", "update", "delete"}


def findings(root: Path) -> Iterator[Finding]:
    for path, tree in modules(root, "src"):
        place = path.relative_to(root).as_posix()
        in_lake = place.startswith(LAKE + "/")
        for node in ast.walk(tree):
            if (what := _breach(node, in_lake=in_lake, committer=place == COMMITTER)) is not None:
                yield Finding(place, getattr(node, "lineno", 1), what)


def _breach(node: ast.AST, *, in_lake: bool, committer: bool) -> str | None:
    imported = _imported(node)
    if not in_lake:
        foreign = any(module.split(".")[0] == "pyiceberg" for module, _ in imported)
        return "only penstock.lake imports pyiceberg: ask it for what you need" if foreign else None
    for module, name in imported:
        if module == "pyiceberg.table" and name in TABLE_NAMES:
            return f"pyiceberg.table.{name} changes tables by itself: stage a change with Lake.stage"
    if isinstance(node, ast.Call) and not committer and (what := _call(node)) is not None:
        return what
    return None


def _call(node: ast.Call) -> str | None:
    function = node.func
    if isinstance(function, ast.Attribute) and function.attr in FORBIDDEN and not _is_seam(function):
        return f".{function.attr}() is PyIceberg's own commit: stage a change with Lake.stage"
    if isinstance(function, ast.Name) and function.id in WRITING:
        rows = [argument for argument in node.args if isinstance(argument, ast.Name) and argument.id == CATALOGUE_ROWS]
        return f"{function.id}({CATALOGUE_ROWS}) moves a table: only lake/commit.py does" if rows else None
    return None


def _is_seam(function: ast.Attribute) -> bool:
    return (function.value.attr if isinstance(function.value, ast.Attribute) else None, function.attr) == DISK_SEAM


def _imported(node: ast.AST) -> list[tuple[str, str]]:
    if isinstance(node, ast.Import):
        return [(alias.name, "") for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [(node.module or "", alias.name) for alias in node.names]
    return []


if __name__ == "__main__":
    sys.exit(report(findings))
