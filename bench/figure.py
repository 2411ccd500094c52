"""A measured figure with its bar and its peer, and how figures are shown and kept."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

OURS = ("penstock", "duckdb", "pyiceberg", "pyarrow", "dbt-core", "dbt-duckdb", "sqlalchemy", "numpy")


@dataclass(frozen=True)
class Figure:
    """One number. `bar` is what it may not exceed, or must reach when `higher_is_better`; None: only reported."""

    figure: str
    value: float
    unit: str
    bar: float | None = None
    peer: str | None = None
    peer_value: float | None = None
    higher_is_better: bool = False

    @property
    def ok(self) -> bool:
        if self.bar is None:
            return True
        return self.value >= self.bar if self.higher_is_better else self.value <= self.bar

    @property
    def ratio(self) -> float | None:
        """Ours divided by the peer's."""
        return self.value / self.peer_value if self.peer_value else None

    def as_json(self) -> dict[str, object]:
        rounded = {name: _rounded(getattr(self, name)) for name in ("value", "bar", "peer_value", "ratio")}
        return {
            "figure": self.figure,
            "value": rounded["value"],
            "unit": self.unit,
            "bar": rounded["bar"],
            "ok": self.ok,
            "peer": self.peer,
            "peer_value": rounded["peer_value"],
            "ratio": rounded["ratio"],
        }


@dataclass(frozen=True)
class Outcome:
    """All figures of one benchmark; `runs` are the single measurements, `peers` the versions compared with. `part` names
    what was measured when it was not all of it: that is kept in a file of its own."""

    figures: Sequence[Figure]
    runs: Mapping[str, Sequence[float]] = field(default_factory=dict)
    peers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    notes: Sequence[str] = ()
    part: str = ""


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def show(figures: Sequence[Figure]) -> None:
    """One JSON object per line, then the same as a table."""
    for figure in figures:
        print(json.dumps(figure.as_json()))
    table = Table("figure", "value", "bar", "", "peer", "peer's", "ratio")
    for figure in figures:
        row = figure.as_json()
        limit = "" if figure.bar is None else f"{'>=' if figure.higher_is_better else '<='} {row['bar']:g}"
        verdict = "" if figure.bar is None else "[green]ok[/green]" if figure.ok else "[red]missed[/red]"
        peer = "" if figure.peer_value is None else f"{row['peer_value']:g} {figure.unit}"
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
        table.add_row(figure.figure, f"{row['value']:g} {figure.unit}", limit, verdict, figure.peer or "", peer, ratio)
    Console(width=130).print(table)


def keep(path: Path, name: str, outcome: Outcome, machine: Mapping[str, object]) -> None:
    """Write the result with everything needed to judge it later: versions, machine, single runs."""
    path.parent.mkdir(exist_ok=True)
    result = {
        "bench": name,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "versions": {"python": platform.python_version(), **{lib: importlib.metadata.version(lib) for lib in OURS}},
        "peers": outcome.peers,
        "figures": [figure.as_json() for figure in outcome.figures],
        "runs": {run: [_rounded(value) for value in values] for run, values in outcome.runs.items()},
        "notes": list(outcome.notes),
    }
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
