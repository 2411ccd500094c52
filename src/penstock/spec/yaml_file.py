"""One YAML file read into a tree.

Scalars follow the core schema of YAML 1.2: only `true` and `false` are flags (`NO` is a country),
dates stay text, and a number keeps the digits it was written with.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from penstock.spec.document import Entries, Items, Node, Place, Scalar, describe, shortened, walk
from penstock.spec.problems import Problems

MAX_BYTES = 1 << 20
MAX_DEPTH = 50
MAX_NODES = 100_000


def parse_document(data: bytes, file: str, problems: Problems) -> Node | None:
    """The tree of one YAML document, or None after its problems were recorded."""
    text = _decoded(data, file, problems)
    if text is None:
        return None
    builder = _Builder(file, problems)
    try:
        root = builder.build(text)
    except _Stop:
        return None
    if root is None:
        problems.add(Place(file), "The file is empty", remedy="Declare something in it, or delete it.")
    return root


def _decoded(data: bytes, file: str, problems: Problems) -> str | None:
    if len(data) > MAX_BYTES:
        problems.add(
            Place(file),
            "The file is too large for a declaration",
            expected=f"at most {MAX_BYTES:,} bytes",
            found=f"{len(data):,} bytes",
            remedy="Keep data out of the folders of declarations.",
        )
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line_start = before.rfind(b"\n") + 1
        problems.add(
            Place(file, before.count(b"\n") + 1, len(before[line_start:].decode("utf-8", "replace")) + 1),
            "The file is not UTF-8",
            expected="UTF-8 text",
            found=f"byte 0x{data[error.start]:02x}",
            remedy="Save the file as UTF-8.",
        )
        return None


_SYNTAX_REMEDY = "Check indentation, quotes and brackets here and in the lines above."
_SYNTAX_REMEDIES = (  # by what the parser says
    ("mapping values are not allowed", "Put text with a colon in quotes, or correct the indentation."),
    ("cannot start any token", "Put the text in quotes: it begins with a character that YAML keeps for itself."),
    ("scanning an alias", "Put text that begins with `*` in quotes."),
    ("scanning an anchor", "Put text that begins with `&` in quotes."),
    ("found unexpected end of stream", "Close the quote."),
)


class _Stop(Exception):
    """The document cannot be read further."""


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not been read yet."""

    place: Place
    anchor: str | None
    is_mapping: bool
    children: list[Node] = field(default_factory=list)


class _Builder:
    """Turns the parser's events into nodes with a stack of its own, so that depth is a limit and not a crash."""

    def __init__(self, file: str, problems: Problems) -> None:
        self.file = file
        self.problems = problems
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.root: Node | None = None
        self.count = 0
        self.documents = 0

    def build(self, text: str) -> Node | None:
        import yaml

        loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
        try:
            for event in yaml.parse(text, Loader=loader):
                self._take(event)
        except yaml.MarkedYAMLError as error:
            self._refuse_syntax(error, text)
            raise _Stop from error
        except yaml.YAMLError as error:
            self._refuse_character(error, text)
            raise _Stop from error
        return self.root

    def _take(self, event: Any) -> None:
        name = type(event).__name__
        if name == "ScalarEvent":
            self._place_node(self._scalar(event), event.anchor)
        elif name in ("MappingStartEvent", "SequenceStartEvent"):
            self._open(event, is_mapping=name == "MappingStartEvent")
        elif name in ("MappingEndEvent", "SequenceEndEvent"):
            opened = self.stack.pop()
            node = self._mapping(opened) if opened.is_mapping else Items(opened.place, tuple(opened.children))
            self._place_node(node, opened.anchor)
        elif name == "AliasEvent":
            self._alias(event)
        elif name == "DocumentStartEvent":
            self.documents += 1
            if self.documents > 1:
                self._stop(self._at(event), "The file holds a second document", remedy="Keep one document in a file.")

    def _at(self, event: Any) -> Place:
        return Place(self.file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _stop(self, place: Place, what: str, *, remedy: str, **facts: str) -> None:
        self.problems.add(place, what, remedy=remedy, **facts)
        raise _Stop

    def _open(self, event: Any, *, is_mapping: bool) -> None:
        place = self._at(event)
        if event.tag is not None and not event.tag.startswith("tag:yaml.org,2002:"):
            self._refuse_tag(place, event.tag)
        if len(self.stack) >= MAX_DEPTH:
            self._stop(place, "The file is nested too deeply", remedy="Flatten it.", expected=f"{MAX_DEPTH} levels")
        self.stack.append(_Open(place, event.anchor, is_mapping))

    def _scalar(self, event: Any) -> Scalar:
        place = self._at(event)
        if event.tag is None and event.implicit[0]:
            return Scalar(place, resolve(event.value), event.value)
        if event.tag in (None, "!", "tag:yaml.org,2002:str"):
            return Scalar(place, event.value, event.value)
        self._refuse_tag(place, event.tag)
        return Scalar(place, event.value, event.value)

    def _refuse_tag(self, place: Place, tag: str) -> None:
        self.problems.add(place, "Tags are not used in declarations", found=f"`{shortened(tag)}`", remedy="Remove it.")

    def _alias(self, event: Any) -> None:
        place = self._at(event)
        known = self.anchors.get(event.anchor)
        if known is None:
            self._stop(
                place,
                f"The alias `*{event.anchor}` names no finished node above it",
                remedy=f"Define `&{event.anchor}` earlier in the file.",
            )
            return
        node, size = known
        self._place_node(node, None, size=size)

    def _place_node(self, node: Node, anchor: str | None, *, size: int | None = None) -> None:
        self.count += 1 if size is None else size
        if self.count > MAX_NODES:
            self._stop(
                node.place,
                "The file is too large for a declaration",
                expected=f"at most {MAX_NODES:,} values, aliases written out",
                remedy="Use fewer aliases.",
            )
        if anchor is not None:
            self.anchors[anchor] = (node, sum(1 for _ in walk(node)))
        if self.stack:
            self.stack[-1].children.append(node)
        else:
            self.root = node

    def _mapping(self, opened: _Open) -> Entries:
        entries: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        for key, value in zip(opened.children[::2], opened.children[1::2], strict=True):
            if not isinstance(key, Scalar):
                self.problems.add(key.place, "A key is not text", found=describe(key), remedy="Use a plain word.")
            elif key.text in entries:
                self.problems.add(
                    key.place,
                    f"The key `{shortened(key.text)}` stands twice",
                    found=f"the first on line {keys[key.text].line}",
                    remedy="Keep one of them.",
                )
            else:
                entries[key.text] = value
                keys[key.text] = key.place
        return Entries(opened.place, entries, keys)

    def _refuse_syntax(self, error: Any, text: str) -> None:
        mark = error.problem_mark or error.context_mark
        place = Place(self.file, mark.line + 1, mark.column + 1) if mark is not None else Place(self.file)
        lines = text.splitlines()
        line = lines[place.line - 1] if 0 < place.line <= len(lines) else ""
        if "\t" in line[: len(line) - len(line.lstrip())] or line[place.column - 1 : place.column] == "\t":
            column = line.index("\t") + 1
            self.problems.add(
                Place(self.file, place.line, column),
                "A tab is used for indentation",
                expected="spaces",
                found="a tab",
                remedy="Indent with spaces.",
            )
            return
        said = " ".join(part for part in (error.context, error.problem) if part is not None)
        remedy = next((remedy for part, remedy in _SYNTAX_REMEDIES if part in said), _SYNTAX_REMEDY)
        self.problems.add(
            place, "The file is not valid YAML", found=f"`{shortened(line, 40)}`, {said or 'unreadable'}", remedy=remedy
        )

    def _refuse_character(self, error: Any, text: str) -> None:
        found = next(((index, char) for index, char in enumerate(text) if not _printable(char)), None)
        index, char = found if found is not None else (0, "")
        self.problems.add(
            Place(self.file, text.count("\n", 0, index) + 1, index - (text.rfind("\n", 0, index) + 1) + 1),
            "The file holds a character that YAML does not allow",
            found=f"U+{ord(char):04X}" if char else shortened(str(error)),
            remedy="Remove it, or write it as an escape in double quotes.",
        )


def _printable(char: str) -> bool:
    return (
        char in "\t\n\r\x85"
        or " " <= char <= "~"
        or "\xa0" <= char <= "\ud7ff"
        or "\ue000" <= char <= "\ufffd"
        or char > "\uffff"
    )


_NULL = {"", "~", "null", "Null", "NULL"}
_FLAG = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]{1,100}")
_BASED = re.compile(r"0o[0-7]{1,40}|0x[0-9a-fA-F]{1,40}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,100}|[0-9]{1,100}(\.[0-9]{0,100})?)([eE][-+]?[0-9]{1,10})?")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def resolve(text: str) -> str | int | float | bool | None:
    """What a plain scalar means.

    >>> [resolve(text) for text in ("NO", "true", "~", "0x1f", "1.50", "2010-12-01")]
    ['NO', True, None, 31, 1.5, '2010-12-01']
    """
    if text in _NULL:
        return None
    if text in _FLAG:
        return _FLAG[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _SPECIAL.fullmatch(text):
        return float(text.replace(".", "").lower())
    return text
