"""JSON values as the strings bronze keeps: numbers exactly as written, nested values as canonical JSON."""

from __future__ import annotations

import json
import re
from typing import TypeAlias

from penstock.ingest.malformed import Fault

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Number(str):
    """A JSON number as it was written; it never passes through a float."""

    __slots__ = ()


Value: TypeAlias = "str | Number | bool | list[Value] | dict[str, Value] | None"


class JsonDecoder:
    """Decodes one value at a time and notes what strict JSON forbids but can be read past."""

    def __init__(self) -> None:
        self._notes: list[tuple[Fault, str, str]] = []
        self._decoder = json.JSONDecoder(
            parse_int=Number, parse_float=Number, parse_constant=self._constant, object_pairs_hook=self._object
        )

    def decode(self, text: str, at: int = 0) -> tuple[Value, int]:
        """The value at `at` (no blanks before it), and where it ends. JSONDecodeError or RecursionError if there is none."""
        self._notes.clear()
        value, end = self._decoder.raw_decode(text, at)
        return value, end

    def fault(self, value: Value, text: str) -> tuple[Fault, str, str] | None:
        """Why the value just decoded from `text` is no row: the fault, expected, found; None when it is one."""
        if self._notes:
            return self._notes[0]
        if not isinstance(value, dict):
            return Fault.NOT_AN_OBJECT, "an object", kind(value)
        if _SURROGATE.search(text) is not None and not _is_text(value):
            return Fault.UNDECODABLE, "surrogates in pairs", "one that stands alone"
        return None

    def _object(self, pairs: list[tuple[str, Value]]) -> dict[str, Value]:
        result = dict(pairs)
        if len(result) < len(pairs):
            self._notes.append((Fault.DUPLICATE_KEY, "every key once", f"{len(pairs) - len(result)} more than once"))
        return result

    def _constant(self, name: str) -> None:
        self._notes.append((Fault.BROKEN_JSON, "JSON", name))


def value_text(value: Value) -> str | None:
    """The string for one value: text and numbers as they are, `true`, `false`, None for null, else canonical JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):  # before JSON's own encoder, which is dear to ask for one value
        return "true" if value else "false"
    return canonical(value)


def canonical(value: Value) -> str:
    """JSON without blanks, keys sorted by code point, numbers as written, only what must be escaped is.

    >>> canonical({"b": [Number("1.50"), None], "a": "\u00e9"})
    '{"a":"é","b":[1.50,null]}'
    """
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{quoted(key)}:{canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return quoted(value)


def quoted(value: str | bool | None) -> str:
    """A scalar as JSON."""
    return json.dumps(value, ensure_ascii=False)


def kind(value: Value) -> str:
    """What a value is, in JSON's words."""
    if isinstance(value, Number):
        return "a number"
    names = {dict: "an object", list: "an array", str: "a string", bool: "true or false"}
    return names.get(type(value), "null")


def _is_text(value: Value) -> bool:
    try:
        canonical(value).encode()
    except UnicodeEncodeError:
        return False
    return True
