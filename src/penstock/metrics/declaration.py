"""What a project says of its metrics, read from the semantic manifest that dbt makes (JSON)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from penstock.errors import DeclarationError
from penstock.metrics.metric import Dimension, Metric, called

_LAYOUT = "1"  # raise it when templates made by an older version must not be used


def fingerprint_of(manifest: str) -> str:
    """The fingerprint of a semantic manifest and of what compiles it, without importing that."""
    engine = f"{_LAYOUT} metricflow {version('metricflow')}"
    text = json.dumps(_without_places(json.loads(manifest)), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(f"{engine}\0{text}".encode()).hexdigest()


def _without_places(value: Any) -> Any:
    """Where something stands in a file does not matter."""
    if isinstance(value, dict):
        return {key: _without_places(child) for key, child in value.items() if key != "metadata"}
    return [_without_places(child) for child in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Meaning:
    """What is declared of one metric besides its formula, and what is missing."""

    name: str
    label: str
    description: str
    kind: str
    unit: str
    owner: str
    final_after_days: int
    type: str | None
    unit_dimension: str | None
    problems: tuple[DeclarationError, ...]

    def metric(self, dimensions: Sequence[Dimension], templates: Mapping[str, str]) -> Metric:
        return Metric(
            name=self.name,
            label=self.label,
            description=self.description,
            kind=self.kind,
            unit=self.unit,
            owner=self.owner,
            final_after_days=self.final_after_days,
            type=self.type,
            dimensions=tuple(dimensions),
            templates=templates,
            unit_dimension=None if self.unit_dimension is None else self._dimension_of_unit(dimensions),
        )

    def _dimension_of_unit(self, dimensions: Sequence[Dimension]) -> str:
        fitting = [one.name for one in called(dimensions, str(self.unit_dimension))]
        if len(fitting) != 1:
            raise DeclarationError(
                f"The metric `{self.name}` does not have the dimension that tells its unit",
                expected="the name of one of its dimensions under config: meta: unit_dimension",
                found=str(self.unit_dimension) if not fitting else " and ".join(fitting),
                remedy=f"Name one of {', '.join(one.name for one in dimensions) or 'none'}.",
            )
        return fitting[0]


def meaning_of(metric: Mapping[str, Any]) -> Meaning:
    """The facts of a metric of the manifest; those under `config: meta:` are ours."""
    name = str(metric["name"])
    meta: Mapping[str, Any] = (metric.get("config") or {}).get("meta") or {}
    description = " ".join(str(metric.get("description") or "").split())
    days = meta.get("final_after_days")
    whole = isinstance(days, int) and not isinstance(days, bool) and days >= 0
    missing = [
        what
        for what, present in (
            ("a description", bool(description)),
            ("a label", bool(metric.get("label"))),
            ("a unit (config: meta: unit)", _is_text(meta.get("unit"))),
            ("an owner (config: meta: owner)", _is_text(meta.get("owner"))),
            ("a number of days after which it is final (config: meta: final_after_days)", whole),
        )
        if not present
    ]
    return Meaning(
        name=name,
        label=str(metric.get("label") or name),
        description=description,
        kind=str(metric["type"]).lower(),
        unit=str(meta.get("unit")),
        owner=str(meta.get("owner")),
        final_after_days=days if isinstance(days, int) else 0,
        type=None if meta.get("type") is None else str(meta["type"]),
        unit_dimension=None if meta.get("unit_dimension") is None else str(meta["unit_dimension"]),
        problems=tuple(
            DeclarationError(f"The metric `{name}` lacks {what}", remedy="Say it where the metric is declared.")
            for what in missing
        ),
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
