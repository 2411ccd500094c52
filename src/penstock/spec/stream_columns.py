"""The columns that each step of a topology makes, after every name in it was looked up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.spec import stream_keys as keys
from penstock.spec.document import Entries, Node, Place
from penstock.spec.problems import Problems, did_you_mean, listed
from penstock.spec.shape import Fields, Key
from penstock.spec.stream import (
    FINAL,
    VERSION,
    WINDOW_END,
    WINDOW_START,
    Deduplicate,
    Derive,
    Join,
    Lookup,
    Running,
    Score,
    Step,
    Union,
    Window,
)

Columns = tuple[str, ...] | None
"""The columns of a topic or step; None where a mistake elsewhere hides them."""


@dataclass(frozen=True)
class StepColumns:
    """Looks names up among what is known so far, and records those that are not there."""

    problems: Problems

    def find_source(self, name: str, known: Iterable[str], place: Place, what: str) -> bool:
        known = [one for one in known if one]
        if name in known:
            return True
        self.problems.add(
            place,
            f"There is no {what} `{name}`",
            remedy=did_you_mean(name, known) or "Declare it above, or name another one.",
        )
        return False

    def find(self, name: str, columns: Columns, place: Place) -> bool:
        if columns is None or name in columns:
            return True
        self.problems.add(
            place,
            f"There is no column `{name}` here",
            expected=f"one of {listed(columns)}",
            remedy=did_you_mean(name, columns) or "Name another one.",
        )
        return False

    def made_by(self, step: Step, columns: Columns, known: Mapping[str, Columns], declared: Fields) -> Columns:
        """The columns of the step, after every name in it was looked up."""
        section = _section(declared)
        match operation := step.operation:
            case Derive():
                return self._added(columns, [name for name, _ in operation.columns], _places(declared, keys.DERIVE))
            case Deduplicate():
                self.find_items(section, keys.DEDUPLICATE_KEY, columns)
            case Lookup():
                places = _places(section, keys.ON)
                for name, _ in operation.on:
                    self.find(name, columns, places.get(name, declared.node.place))
                return self._added(
                    columns, [name for name, _ in operation.columns], _places(section, keys.LOOKUP_COLUMNS)
                )
            case Running():
                self.find_items(section, keys.RUNNING_KEY, columns)
                self.find(operation.value, columns, _place(section, keys.VALUE, declared))
                return self._added(columns, operation.added, _chosen(section, keys.STATISTICS))
            case Window():
                self.find_items(section, keys.BY, columns)
                self._keep_free(section, (WINDOW_START, WINDOW_END, VERSION, FINAL))
                places = _places(section, keys.AGGREGATES)
                for one in operation.aggregates:
                    if one.column is not None:
                        self.find(one.column, columns, places.get(one.name, declared.node.place))
                made = (WINDOW_START, WINDOW_END, *operation.by)
                return self._added(made, [*(one.name for one in operation.aggregates), VERSION, FINAL], places)
            case Join():
                return self._join(operation, columns, known, declared)
            case Union():
                self._union(step, columns, known, declared)
            case Score():
                self.find_items(section, keys.SCORE_COLUMNS, columns)
                return self._added(columns, [operation.into], _chosen(section, (keys.INTO,)))
        return columns

    def _join(self, join: Join, columns: Columns, known: Mapping[str, Columns], declared: Fields) -> Columns:
        section = _section(declared)
        self.find_source(join.other, known, _place(section, keys.OTHER, declared), "topic or step")
        other = known.get(join.other)
        for key, pairs in ((keys.JOIN_ON, join.on), (keys.JOIN_COLUMNS, join.columns)):
            places = _places(section, key)
            for name, theirs in pairs:
                place = places.get(name, declared.node.place)
                if key is keys.JOIN_ON:
                    self.find(name, columns, place)
                self.find(theirs, other, place)
        for name in (one for one in (VERSION, FINAL) if one in (columns or ())):
            self.problems.add(
                declared.node.place,
                f"A join adds a column `{name}`, and the rows have one",
                subject=name,
                remedy="Let it read a topic without that column: `columns` of an output leave it out.",
            )
        self.find_items(section, keys.IDENTITY, columns)
        self.find_items(section, keys.TIES, other)
        names = [*(name for name, _ in join.columns), VERSION, FINAL]
        return self._added(columns, names, _places(section, keys.JOIN_COLUMNS))

    def _union(self, step: Step, columns: Columns, known: Mapping[str, Columns], declared: Fields) -> None:
        """Every other source is there, has the same columns, and is named once."""
        seen = {step.source}
        for name, place in declared.items(keys.UNION):
            if name in seen:
                self.problems.add(place, f"The rows of `{name}` are there already", remedy="Name it once.")
            seen.add(name)
            theirs = known.get(name) if self.find_source(name, known, place, "topic or step") else None
            if columns is None or theirs is None or set(theirs) == set(columns):
                continue
            self.problems.add(
                place,
                f"`{name}` has other columns than `{step.source}`",
                expected=listed(columns),
                found=listed(theirs),
                remedy="Let both have the same columns: name them under `columns` of an output, or `derive` them.",
            )

    def _added(self, columns: Columns, names: Sequence[str], places: Mapping[str, Place]) -> Columns:
        if columns is None:
            return None
        seen = list(columns)
        for name in names:
            if name in places and name in seen:
                self.problems.add(
                    places[name], f"The column `{name}` is there already", remedy="Choose another name for it."
                )
            elif name in places and not keys.is_column(name):
                self.problems.add(
                    places[name],
                    f"No column may be called `{name}`",
                    expected="a letter, then letters, digits and `_`",
                    remedy="Choose another name for it.",
                )
            seen.append(name)
        return tuple(dict.fromkeys(seen))

    def _keep_free(self, section: Fields | None, own: tuple[str, ...]) -> None:
        for name, place in () if section is None else section.items(keys.BY):
            if name in own:
                self.problems.add(
                    place,
                    f"A window has a column `{name}` of its own",
                    remedy="`derive` it under another name, and name that one.",
                )

    def find_items(self, declared: Fields | None, key: Key[tuple[str, ...]], columns: Columns) -> None:
        """Every column that a key lists is there, and listed once."""
        seen = set()
        for name, place in () if declared is None else declared.items(key):
            if self.find(name, columns, place) and name in seen:
                self.problems.add(place, f"The column `{name}` is named twice", remedy="Name it once.")
            seen.add(name)


def _section(declared: Fields) -> Fields | None:
    for key in keys.OPERATIONS:
        value = declared.get(key)
        if isinstance(value, Fields):
            return value
    return None


def _place(section: Fields | None, key: Key[str], declared: Fields) -> Place:
    return declared.node.place if section is None else section.place(key)


def _chosen(section: Fields | None, given: Iterable[Key[Any]]) -> dict[str, Place]:
    """The columns that keys name, each with its place; of one that several name, that of the last."""
    if section is None:
        return {}
    return {section[key]: section.place(key) for key in given if section.get(key) is not None}


def _places(fields: Fields | None, key: Key[object]) -> dict[str, Place]:
    node: Node | None = None if fields is None else fields.node.get(key.name)
    return dict(node.keys) if isinstance(node, Entries) else {}
