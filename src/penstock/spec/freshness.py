"""The freshness that a contract promises, from its service levels."""

from __future__ import annotations

from datetime import timedelta

from penstock.spec import contract_keys as keys
from penstock.spec.document import Scalar, describe
from penstock.spec.duration import parse_duration
from penstock.spec.problems import Problems
from penstock.spec.scalars import decimal_of
from penstock.spec.shape import Fields

_UNITS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), timedelta(seconds=1)),
    **dict.fromkeys(("m", "min", "minute", "minutes"), timedelta(minutes=1)),
    **dict.fromkeys(("h", "hr", "hour", "hours"), timedelta(hours=1)),
    **dict.fromkeys(("d", "day", "days"), timedelta(days=1)),
    **dict.fromkeys(("w", "week", "weeks"), timedelta(weeks=1)),
}


def read_freshness(root: Fields, dataset: Fields, problems: Problems) -> timedelta | None:
    """The greatest age of the newest row, counted from its arrival."""
    levels = [
        level
        for level in root.get(keys.SLA_PROPERTIES) or ()
        if (level.get(keys.SLA_PROPERTY) or "").lower() in ("freshness", "latency", "fr", "ly")
    ]
    if not levels:
        return None
    for extra in levels[1:]:
        problems.add(
            extra.place(keys.SLA_PROPERTY),
            "The freshness is promised twice",
            expected="one of `freshness` and `latency`",
            found=f"the first on line {levels[0].place(keys.SLA_PROPERTY).line}",
            remedy="Keep one of them.",
        )
    _refuse_element(levels[0], dataset, problems)
    return _age(levels[0], problems)


def _age(level: Fields, problems: Problems) -> timedelta | None:
    node = level.get(keys.SLA_VALUE)
    if node is None:
        return None
    unit = level.get(keys.SLA_UNIT)
    age = None
    if isinstance(node, Scalar) and not isinstance(node.value, bool):
        number = decimal_of(node.text)
        scale = _UNITS.get(unit.lower()) if unit is not None else None
        try:
            age = parse_duration(node.text) if number is None else None if scale is None else scale * float(number)
        except OverflowError:
            age = None
    if age is None or age <= timedelta(0):
        problems.add(
            node.place,
            "The freshness is not a length of time",
            expected="a number with `unit: h` (`s`, `m`, `h`, `d`, `w`), or an ISO 8601 duration",
            found=describe(node) + ("" if unit is None else f" with unit `{unit}`"),
            remedy="Write for example `value: 24` and `unit: h`.",
        )
        return None
    return age


def _refuse_element(level: Fields, dataset: Fields, problems: Problems) -> None:
    element, name = level.get(keys.SLA_ELEMENT), dataset.get(keys.DATASET)
    if element is not None and name is not None and element != name:
        problems.add(
            level.place(keys.SLA_ELEMENT),
            "The freshness is counted from the arrival of rows, not from one of their columns",
            expected=f"`{name}`",
            found=f"`{element}`",
            remedy="Remove it; for the age of a column declare a check of kind `threshold` under checks/.",
        )
