"""What a rule found: where, what, and what to do about it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Finding:
    """One breach of one rule. `path` is relative to the root that was checked, `line` counts from 1."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


def modules(root: Path, *folders: str) -> Iterator[tuple[Path, ast.Module]]:
    """Every Python module below the folders, parsed, sorted by path."""
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def report(rule: Callable[[Path], Iterable[Finding]]) -> int:
    """Print what the rule finds in this repository; the exit code."""
    findings = sorted(set(map(str, rule(ROOT))))
    for finding in findings:
        print(finding)
    return 1 if findings else 0
