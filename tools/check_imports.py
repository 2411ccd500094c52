"""Which room may import which, and which library stands where (imports inside functions included).

The table is DESIGN's: a room not listed here does not exist. Those in `OPEN` are open to all and import
nothing of Penstock. Heavy optional libraries stand only in leaf modules named after them.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.finding import Finding, modules, report

PACKAGE = "penstock"
OPEN = {"errors", "world", "alone", "checkpoint", "side_by_side", "sorting"}
ROOMS: dict[str, set[str]] = {
    "spec": set(),
    "sql": {"spec"},
    "ingest": {"spec"},
    "log": {"spec"},
    "collect": {"spec", "log", "conform", "govern"},
    "lake": {"spec", "sql"},
    "conform": {"spec", "sql"},
    "load": {"spec", "sql", "log", "ingest", "lake", "conform"},
    "stream": {"spec", "sql", "log", "conform"},
    "transform": {"spec", "sql", "lake"},
    "metrics": {"spec", "sql"},
    "quality": {"spec", "sql", "lake"},
    "release": {"spec", "sql", "lake", "quality"},
    "store": {"spec"},
    "govern": {"spec", "sql"},
    "serve": {"spec", "sql", "lake", "release", "metrics", "store", "govern"},
    "cli": {"runtime", "spec"},
    "testing": {"log"},
}
EVERYTHING = {"runtime"}

# A library that only these rooms may import, at whatever depth.
LIBRARY_ROOMS: dict[str, set[str]] = {
    "pyiceberg": {"lake"},
    "sqlalchemy": {"lake"},
    "dbt": {"transform"},
    "metricflow": {"metrics"},
    "metricflow_semantics": {"metrics"},
    "metricflow_semantic_interfaces": {"metrics"},
    "jsonschema": {"spec"},
    "open_data_contract_standard": {"spec"},
    "typer": {"cli"},
    "rich": {"cli"},
}
# A library that only a module (or package) of this name may import.
LIBRARY_LEAVES: dict[str, str] = {
    "metricflow": "metricflow",
    "metricflow_semantics": "metricflow",
    "metricflow_semantic_interfaces": "metricflow",
    "confluent_kafka": "kafka",
    "kafka": "kafka",
    "pyspark": "spark",
    "pyflink": "flink",
    "psycopg": "postgres",
    "psycopg2": "postgres",
    "pymongo": "mongo",
    "redis": "redis",
    "boto3": "s3",
    "s3fs": "s3",
    "airflow": "airflow",
    "feast": "feast",
    "sklearn": "scikit_learn",
}


def imports(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Dotted names imported anywhere in the module; `from a import b` gives a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield f"{'.' * node.level}{node.module or ''}.{alias.name}", node.lineno


def room_of(parts: tuple[str, ...]) -> str:
    """The room of a module given by its path below the package: a folder, or a module beside the rooms."""
    return parts[0] if len(parts) > 1 else Path(parts[0]).stem


def breach(room: str, parts: tuple[str, ...], name: str) -> str | None:
    """Why this module may not import `name`, or None."""
    if name.startswith("."):
        return "relative import: write the whole name"
    library, *rest = name.split(".")
    if library == PACKAGE:
        other = rest[0] if rest else ""
        allowed = ROOMS.get(room, set())
        if other in OPEN | {room, "__version__"} or room in EVERYTHING or other in allowed:
            return None
        return f"{room} may not import {other or PACKAGE} (allowed: {', '.join(sorted(allowed)) or 'nothing'})"
    if room not in LIBRARY_ROOMS.get(library, {room}):
        return f"only {', '.join(sorted(LIBRARY_ROOMS[library]))} may import {library}"
    leaf = LIBRARY_LEAVES.get(library)
    if leaf is not None and leaf not in {Path(part).stem for part in parts}:
        return f"{library} stands only in a module named {leaf}"
    return None


def findings(root: Path) -> Iterator[Finding]:
    source = root / "src" / PACKAGE
    for path, tree in modules(root, f"src/{PACKAGE}"):
        parts, where = path.relative_to(source).parts, str(path.relative_to(root))
        room = room_of(parts)
        if room not in set(ROOMS) | OPEN | EVERYTHING | {"__init__", "__main__"}:
            yield Finding(where, 1, f"{room} is not a room: add it to the table, or find the room it belongs to")
            continue
        if path.name == "__init__.py" and len(parts) > 1 and not all(map(_is_docstring, tree.body)):
            yield Finding(where, 1, "a room's __init__ holds its docstring and nothing else: import from its modules")
        for name, line in imports(tree):
            why = breach("cli" if room == "__main__" else room, parts, name)
            if why is not None:
                yield Finding(where, line, why)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


if __name__ == "__main__":
    sys.exit(report(findings))
