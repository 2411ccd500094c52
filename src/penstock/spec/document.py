"""A declaration as a tree whose every node knows where it stands in its file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a file of the project; line and column count from 1.

    >>> str(Place("contracts/loans.yml", 3, 7))
    'contracts/loans.yml:3:7'
    """

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value: `value` is what it means (text, whole number, fraction, flag or nothing), `text` is what was written."""

    place: Place
    value: str | int | float | bool | None
    text: str


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    place: Place
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Entries:
    """A mapping from text to nodes; `keys` says where each key stands."""

    place: Place
    entries: Mapping[str, Node]
    keys: Mapping[str, Place]

    def get(self, key: str) -> Node | None:
        return self.entries.get(key)


Node: TypeAlias = Scalar | Items | Entries


def plain(node: Node) -> Any:
    """The tree as plain Python values, as a JSON reader would give them."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    return {key: plain(value) for key, value in node.entries.items()}


def describe(node: Node) -> str:
    """What was found, for a sentence."""
    if isinstance(node, Items):
        return "a list" if node.items else "an empty list"
    if isinstance(node, Entries):
        return "a mapping"
    if node.value is None:
        return "nothing"
    return f"`{shortened(node.text)}`" if node.text.strip() else "an empty text"


def shortened(text: str, limit: int = 60) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    yield node
    children = node.items if isinstance(node, Items) else node.entries.values() if isinstance(node, Entries) else ()
    for child in children:
        yield from walk(child)
