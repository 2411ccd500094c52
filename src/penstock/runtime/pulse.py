"""What moves while everything runs: how fast topologies are, and the newest rows of some live tables, as lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock.errors import PenstockError
from penstock.runtime.installation import Installation
from penstock.runtime.live_rows import live_rows
from penstock.runtime.topology_state import TopologyState, read_states

SECONDS = 5.0
_MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class Figure:
    """Columns of the first rows of a live table in an order."""

    table: str
    order: str
    columns: tuple[str, ...]
    rows: int = 3


@dataclass
class Pulse:
    """Gives lines every few seconds, nothing in between."""

    installation: Installation
    figures: Sequence[Figure]
    seconds: float = SECONDS
    due: float = 0.0
    before: dict[str, TopologyState] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        now = self.installation.world.clock.monotonic()
        if now < self.due:
            return
        self.due = now + self.seconds
        for state in read_states(self.installation):
            former = self.before.get(state.topology)
            if former is not None and former.process == state.process and former.at < state.at:
                yield _pace(former, state)
            self.before[state.topology] = state
        for figure in self.figures:
            yield from self._shown(figure)

    def _shown(self, figure: Figure) -> Iterator[str]:
        try:
            rows = live_rows(self.installation, figure.table, order=figure.order, limit=figure.rows)
        except PenstockError:  # not there yet, or just being made
            return
        for row in rows:
            yield f"  {figure.table}: {', '.join(f'{name} {_brief(row[name])}' for name in figure.columns)}"


def _pace(former: TopologyState, state: TopologyState) -> str:
    """Rows a second since the last look."""
    rows = state.counts.get("rows_in", 0) - former.counts.get("rows_in", 0)
    seconds = (state.at - former.at) / _MICROSECONDS
    return f"{state.topology}: {rows / seconds:,.0f} rows/s, {state.lag:,} behind"


def _brief(value: Any) -> str:
    """
    >>> _brief("2026-03-02T12:01:00+00:00"), _brief(0.123456), _brief(1234567), _brief("berlin")
    ('2026-03-02 12:01:00', '0.12', '1,234,567', 'berlin')
    """
    match value:
        case bool() | None:
            return str(value)
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.2f}"
        case str() if value.endswith("+00:00") and "T" in value:
            return value.partition("+")[0].replace("T", " ").partition(".")[0]
    return f"{value:,.2f}" if hasattr(value, "quantize") else str(value)
