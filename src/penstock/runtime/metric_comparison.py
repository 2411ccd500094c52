"""Metrics of the latest release held against values that somebody else counted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from penstock.runtime.installation import Installation
from penstock.runtime.metrics import open_gold, read_metrics

Expected = tuple[str, str, str, bool, Mapping[tuple[str, str], Decimal]]
"""(metric, dimension, grain, whether exactly, value by member and first day of the period)."""

CLOSE = 1e-9
"""The relative and absolute difference that a quotient may have."""


@dataclass(frozen=True)
class Compared:
    """One metric: how many values were compared, how many differ, and one of them (the first that differs, if any)."""

    metric: str
    values: int
    differing: int
    member: str
    day: str
    ours: str
    truth: str

    @property
    def equal(self) -> bool:
        return self.differing == 0

    def as_record(self) -> dict[str, object]:
        return {
            "metric": self.metric,
            "values": self.values,
            "differing": self.differing,
            "member": self.member,
            "day": self.day,
            "ours": self.ours,
            "truth": self.truth,
            "equal": self.equal,
        }


def compare(installation: Installation, expected: Iterable[Expected]) -> Iterator[Compared]:
    """Ask each metric by its dimension and grain; a value that only one side has differs."""
    from penstock.metrics.query import query_metric
    from penstock.metrics.request import MetricRequest

    release, metrics = read_metrics(installation)
    with open_gold(installation, release) as connection:
        for metric, dimension, grain, exact, truth in expected:
            rows = query_metric(connection, metrics, MetricRequest(metric, by=(dimension,), grain=grain)).to_pylist()
            ours = {key: value for key, value in map(_cell, rows) if value is not None}
            yield _compared(metric, ours, truth, exact)


def _cell(row: Mapping[str, Any]) -> tuple[tuple[str, str], Decimal | float | int | None]:
    """((member, first day of the period), value) of a row whose columns are period, member, value."""
    period, member, value = row.values()
    return (str(member), str(period if type(period) is date else period.date())), value


def _compared(
    metric: str, ours: Mapping[tuple[str, str], Any], truth: Mapping[tuple[str, str], Decimal], exact: bool
) -> Compared:
    keys = sorted(ours.keys() | truth.keys())
    differing = [key for key in keys if not _same(ours.get(key), truth.get(key), exact)]
    member, day = (differing or keys or [("-", "-")])[0 if differing else -1]
    shown = (member, day)
    return Compared(metric, len(keys), len(differing), member, day, _text(ours.get(shown)), _text(truth.get(shown)))


def _same(ours: Decimal | float | None, truth: Decimal | None, exact: bool) -> bool:
    if ours is None or truth is None:
        return ours is truth
    if exact:
        return Decimal(ours) == truth
    return math.isclose(ours, truth, rel_tol=CLOSE, abs_tol=CLOSE)


def _text(value: Decimal | float | None) -> str:
    if value is None:
        return "-"
    return f"{Decimal(str(value)).normalize():,f}"
