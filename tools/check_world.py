"""Clock, randomness and ids stand only in `world.py`; only `runtime` makes the real world; start-up stays light.

A module whose start-up must be quick may not load a heavy library, however indirectly, when it is imported.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.finding import Finding, modules, report

FORBIDDEN_MODULES = {"random", "secrets"}
STOPWATCHES = {f"time.{name}" for name in ("monotonic", "monotonic_ns", "perf_counter")}
FORBIDDEN_CALLS = {
    *(f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")),
    "datetime.date.today",
    *(f"time.{name}" for name in ("time", "time_ns", "sleep")),
    *STOPWATCHES,
    *(f"uuid.{name}" for name in ("uuid1", "uuid4")),
    "os.urandom",
    "numpy.random",
}
WORLD_MAKERS = {f"penstock.world.{name}" for name in ("real_world", "SystemClock", "LocalDisk", "RandomIds")}
MAY_MAKE_WORLDS = ("runtime/", "testing/", "world.py")

LIGHT = ("penstock.errors", "penstock.world", "penstock.cli.main", "penstock.lake.table", "penstock.lake.records")
HEAVY = {"pyarrow", "duckdb", "pyiceberg", "sqlalchemy", "dbt", "jsonschema", "open_data_contract_standard", "numpy"}


def uses(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Full dotted names that the module uses, with import aliases resolved."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {
                (alias.asname or alias.name.split(".")[0]): (alias.name if alias.asname else alias.name.split(".")[0])
                for alias in node.names
            }
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            dotted = _dotted(node)
            head, _, rest = dotted.partition(".")
            if head in names:
                yield f"{names[head]}.{rest}", node.lineno


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def forbidden(inside: str, used: str) -> bool:
    """Whether a module (path below the package) may not use this name; what a terminal shows may be timed."""
    if inside == "world.py" or (inside.startswith("cli/") and used in STOPWATCHES):
        return False
    return used in FORBIDDEN_CALLS or used.split(".")[0] in FORBIDDEN_MODULES


def top_level_imports(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Modules loaded when this one is imported: not those in functions or under TYPE_CHECKING."""
    waiting: list[ast.stmt] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module, node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.unparse(node.test):
            waiting += node.body + node.orelse
        elif isinstance(node, ast.Try | ast.With | ast.ClassDef):
            waiting += node.body


def heavy_start(graph: dict[str, list[tuple[str, int]]], start: str) -> Iterator[tuple[str, int, str]]:
    """(module, line, library) for every heavy library that importing `start` would load."""
    seen, waiting = set(), [start]
    while waiting:
        module = waiting.pop()
        if module in seen or module not in graph:
            continue
        seen.add(module)
        for name, line in graph[module]:
            if name.split(".")[0] in HEAVY:
                yield module, line, name.split(".")[0]
            waiting += [name, *(".".join(name.split(".")[:depth]) for depth in range(1, name.count(".") + 1))]


def findings(root: Path) -> Iterator[Finding]:
    source = root / "src"
    graph: dict[str, list[tuple[str, int]]] = {}
    paths: dict[str, str] = {}
    for path, tree in modules(root, "src/penstock"):
        where, inside = str(path.relative_to(root)), path.relative_to(source / "penstock").as_posix()
        name = ".".join(path.relative_to(source).with_suffix("").parts).removesuffix(".__init__")
        graph[name], paths[name] = list(top_level_imports(tree)), where
        for used, line in uses(tree):
            if forbidden(inside, used):
                yield Finding(where, line, f"{used} stands only in world.py: take a World, Clock or Ids")
            if used in WORLD_MAKERS and not inside.startswith(MAY_MAKE_WORLDS):
                yield Finding(where, line, f"{used}: only runtime makes the real world; take a World")
    for start in [*LIGHT, *(name for name in graph if name.startswith("penstock.spec"))]:
        for module, line, library in heavy_start(graph, start):
            yield Finding(paths[module], line, f"importing {start} loads {library}: import it inside the function")


if __name__ == "__main__":
    sys.exit(report(findings))
