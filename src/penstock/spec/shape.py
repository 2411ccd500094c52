"""What a declaration file may say, as data: keys with type, default and description.

One `Section` both reads a file (with every mistake placed) and is its reference page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, cast

from penstock.spec.document import Entries, Items, Node, Place, Scalar, describe
from penstock.spec.problems import Problems, did_you_mean, listed

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class ValueType(Protocol[T_co]):
    """Reads a node as a value; None after a problem was recorded. `label` names the type in the reference."""

    @property
    def label(self) -> str: ...
    def read(self, node: Node, name: str, problems: Problems) -> T_co | None: ...


_REQUIRED: Any = object()


@dataclass(frozen=True)
class Key(Generic[T_co]):
    """One key of a section. Make it with `required`, `optional` or `default`."""

    name: str
    type: ValueType[Any]
    description: str
    default: T_co = _REQUIRED

    @property
    def is_required(self) -> bool:
        return self.default is _REQUIRED


def required(name: str, kind: ValueType[T], description: str) -> Key[T]:
    return Key(name, kind, description)


def optional(name: str, kind: ValueType[T], description: str) -> Key[T | None]:
    return Key(name, kind, description, None)


def default(name: str, kind: ValueType[T], description: str, value: T) -> Key[T]:
    return Key(name, kind, description, value)


class Fields:
    """The values of one section that was read. A key that was refused or is missing has no value: see `valid`."""

    def __init__(self, node: Entries, values: dict[str, object], broken: frozenset[str]) -> None:
        self.node = node
        self._values = values
        self._broken = broken

    @property
    def complete(self) -> bool:
        """Whether every key could be read, so that every value may be asked for."""
        return not self._broken and all(child.complete for child in self._children())

    def _children(self) -> Iterator[Fields]:
        for value in self._values.values():
            for child in value if isinstance(value, tuple) else (value,):
                if isinstance(child, Fields):
                    yield child

    def valid(self, *keys: Key[Any]) -> bool:
        return all(key.name not in self._broken for key in keys)

    def given(self, key: Key[Any]) -> bool:
        return key.name in self.node.entries

    def __getitem__(self, key: Key[T]) -> T:
        return cast(T, self._values[key.name])

    def get(self, key: Key[T]) -> T | None:
        return cast("T | None", self._values.get(key.name))

    def place(self, key: Key[Any]) -> Place:
        """Where the value stands, or the section when the key is absent."""
        node = self.node.get(key.name)
        return self.node.place if node is None else node.place

    def items(self, key: Key[tuple[T, ...]] | Key[tuple[T, ...] | None]) -> list[tuple[T, Place]]:
        """The values of a list, each with its place; none where the key is absent or was refused."""
        node, values = self.node.get(key.name), self.get(key)
        if values is None or not self.valid(key) or not isinstance(node, Items):
            return []
        return list(zip(values, (item.place for item in node.items), strict=True))

    def key_place(self, key: Key[Any]) -> Place:
        return self.node.keys.get(key.name, self.node.place)


@dataclass(frozen=True)
class Section:
    """A mapping with known keys. `closed` sections refuse any other key; in open ones somebody else looks after them."""

    title: str  # what it is, in a sentence: "a source"
    keys: tuple[Key[Any], ...]
    closed: bool = True

    @property
    def label(self) -> str:
        return "mapping"

    def read(self, node: Node, name: str, problems: Problems) -> Fields | None:
        if not isinstance(node, Entries):
            what = f"`{name}` is not a mapping" if name else f"The file does not declare {self.title}"
            keys = f"keys such as {listed(key.name for key in self.keys[:4])}"
            _refuse(node, what, keys, "Write `key: value` lines.", problems)
            return None
        if self.closed:
            self._refuse_unknown(node, problems)
        values: dict[str, object] = {}
        broken: set[str] = set()
        for key in self.keys:
            value = self._value(node, key, problems)
            if value is _REQUIRED:
                broken.add(key.name)
                if not key.is_required:
                    values[key.name] = key.default
            else:
                values[key.name] = value
        return Fields(node, values, frozenset(broken))

    def _value(self, node: Entries, key: Key[Any], problems: Problems) -> object:
        child = node.get(key.name)
        if child is None:
            if key.is_required:
                problems.add(
                    node.place,
                    f"`{key.name}` is missing from {self.title}",
                    subject=key.name,
                    expected=key.type.label,
                    remedy=key.description,
                )
            return key.default
        value = key.type.read(child, key.name, problems)
        return _REQUIRED if value is None else value

    def _refuse_unknown(self, node: Entries, problems: Problems) -> None:
        known = [key.name for key in self.keys]
        for name, place in node.keys.items():
            if name not in known:
                unknown_key(problems, place, name, known, self.title)


def unknown_key(problems: Problems, place: Place, name: str, known: Sequence[str], title: str) -> None:
    problems.add(
        place,
        f"`{name}` is not a key of {title}",
        expected=f"one of {listed(known)}",
        remedy=did_you_mean(name, known) or "Remove it.",
    )


def _refuse(node: Node, what: str, expected: str, remedy: str, problems: Problems) -> None:
    """Record that the node is something else."""
    problems.add(node.place, what, expected=expected, found=describe(node), remedy=remedy)


def _too_short(node: Node, name: str, at_least: int, found: int, problems: Problems) -> None:
    problems.add(
        node.place,
        f"`{name}` is too short",
        expected=f"at least {at_least}",
        found=str(found),
        remedy="Add a value, or remove the key.",
    )


@dataclass(frozen=True)
class Anything:
    """Any node, left for the reader of the section to judge."""

    label: str = "any"

    def read(self, node: Node, name: str, problems: Problems) -> Node | None:
        return node


@dataclass(frozen=True)
class Many(Generic[T]):
    """A list of one type of value; with `or_one` a single value stands for a list of one."""

    of: ValueType[T]
    or_one: bool = False
    at_least: int = 0

    @property
    def label(self) -> str:
        return f"{self.of.label} or list of it" if self.or_one else f"list of {self.of.label}"

    def read(self, node: Node, name: str, problems: Problems) -> tuple[T, ...] | None:
        if not isinstance(node, Items):
            if self.or_one:
                one = self.of.read(node, name, problems)
                return None if one is None else (one,)
            remedy = "Begin each value with `- ` on its own line."
            _refuse(node, f"`{name}` is not a list", self.label, remedy, problems)
            return None
        if len(node.items) < self.at_least:
            _too_short(node, name, self.at_least, len(node.items), problems)
            return None
        values = [self.of.read(item, f"{name}[{index}]", problems) for index, item in enumerate(node.items)]
        kept = tuple(value for value in values if value is not None)
        return kept if len(kept) == len(values) else None


@dataclass(frozen=True)
class Pairs(Generic[T]):
    """A mapping whose keys are the user's own words."""

    of: ValueType[T]
    keys_are: str
    at_least: int = 0

    @property
    def label(self) -> str:
        return f"mapping of {self.keys_are} to {self.of.label}"

    def read(self, node: Node, name: str, problems: Problems) -> tuple[tuple[str, T], ...] | None:
        if not isinstance(node, Entries):
            _refuse(node, f"`{name}` is not a mapping", self.label, "Write `key: value` lines.", problems)
            return None
        if len(node.entries) < self.at_least:
            _too_short(node, name, self.at_least, len(node.entries), problems)
            return None
        read = [(key, self.of.read(child, f"{name}.{key}", problems)) for key, child in node.entries.items()]
        kept = tuple((key, value) for key, value in read if value is not None)
        return kept if len(kept) == len(read) else None


@dataclass(frozen=True)
class Parsed(Generic[T]):
    """A scalar that a function turns into a value; the function answers None when it cannot."""

    label: str
    parse: Callable[[str], T | None]
    remedy: str
    text_only: bool = True  # numbers and flags written without quotes are refused

    def read(self, node: Node, name: str, problems: Problems) -> T | None:
        remedy = self.remedy
        if isinstance(node, Scalar) and node.value is not None:
            value = self.parse(node.text)
            if value is not None and (isinstance(node.value, str) or not self.text_only):
                return value
            if value is not None:
                remedy = f'Put it in quotes: "{node.text}".'
        _refuse(node, f"`{name}` has a wrong value", self.label, remedy, problems)
        return None


@dataclass(frozen=True)
class Flag:
    label: str = "true or false"

    def read(self, node: Node, name: str, problems: Problems) -> bool | None:
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value
        remedy = "Write `true` or `false`, without quotes."
        _refuse(node, f"`{name}` has a wrong value", self.label, remedy, problems)
        return None


@dataclass(frozen=True)
class Choice(Generic[T]):
    """One of a closed vocabulary, by the words it may be written with."""

    words: tuple[tuple[str, T], ...]

    @property
    def label(self) -> str:
        return f"one of {listed(word for word, _ in self.words)}"

    def read(self, node: Node, name: str, problems: Problems) -> T | None:
        if isinstance(node, Scalar) and isinstance(node.value, str):
            for word, value in self.words:
                if node.value.lower() == word.lower():
                    return value
        words = [word for word, _ in self.words]
        remedy = (did_you_mean(node.text, words) if isinstance(node, Scalar) else None) or "Choose one of them."
        _refuse(node, f"`{name}` has a wrong value", self.label, remedy, problems)
        return None
