"""Every key of every declaration file, for the reference page of the project format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from penstock.spec import contract_keys
from penstock.spec.check_file import CHECK_FILE
from penstock.spec.duration import format_duration
from penstock.spec.endpoint_keys import ENDPOINT_FILE
from penstock.spec.project_file import PROJECT_FILE
from penstock.spec.shape import Key, Many, Section
from penstock.spec.source_file import SOURCE_FILE
from penstock.spec.stream_keys import STREAM_FILE


@dataclass(frozen=True)
class ReferenceKey:
    """One key: `path` from the top of the file with `[]` for lists, `default` as one would write it (None: there
    is none), whether it must be given."""

    path: str
    type: str
    required: bool
    default: str | None
    description: str


@dataclass(frozen=True)
class ReferenceFile:
    """One kind of file, with a paragraph about it in Markdown. `closed` files refuse any other key; contracts also take every key of their standard."""

    files: str
    title: str
    introduction: str
    closed: bool
    keys: tuple[ReferenceKey, ...]


_PROJECT = "The project itself: its name, whose data it is, how long what stays readable."
_CONTRACTS = """What a dataset looks like: one file for each, in the [Open Data Contract Standard](https://bitol.io), version 3.
A contract is first held against the standard's own schema, so every key of the standard may be used; those below are
acted upon, all others are documentation. A promise that nobody would keep is refused rather than ignored.

What the standard has no word for stands in `customProperties` under a name that begins with `penstock.`; there are no
others, and properties of other vendors are left alone. Names of datasets and columns are small letters, digits and
`_`, with a letter first."""
_SOURCES = "Where rows come from and how their text is read: one file for each source."
_STREAMS = """Events in motion: any number of files with any number of topics and topologies. A topology reads a topic, does
its steps one after the other (`from` begins a branch elsewhere), and writes topics and live tables. Rows of a topic are
held to its contract first. SQL expressions see the columns of the row and functions of one row."""
_CHECKS = """What is checked before a release: any number of files with any number of checks. References, the uniqueness of
keys and freshness are checked without being declared here, as the contracts say them, and that no two files of one version
differ."""


_ENDPOINTS = """What the API serves: any number of files with any number of endpoints. Each serves columns of
one gold table; columns that hold personal values are refused. A page has at most 1,000 rows."""


def project_reference() -> tuple[ReferenceFile, ...]:
    """The format of a project, in the order in which one writes it."""
    contract = (
        *_keys(contract_keys.CONTRACT, ""),
        *_keys(contract_keys.OBJECT_EXTENSIONS, "schema[].customProperties "),
        *_keys(contract_keys.COLUMN_EXTENSIONS, "schema[].properties[].customProperties "),
    )
    return (
        ReferenceFile("penstock.yml", "The project", _PROJECT, True, tuple(_keys(PROJECT_FILE, ""))),
        ReferenceFile("contracts/*.yml", "Contracts", _CONTRACTS, False, contract),
        ReferenceFile("sources/*.yml", "Sources", _SOURCES, True, tuple(_keys(SOURCE_FILE, ""))),
        ReferenceFile("streams/*.yml", "Streams", _STREAMS, True, tuple(_keys(STREAM_FILE, ""))),
        ReferenceFile("checks/*.yml", "Checks", _CHECKS, True, tuple(_keys(CHECK_FILE, ""))),
        ReferenceFile("endpoints/*.yml", "Endpoints", _ENDPOINTS, True, tuple(_keys(ENDPOINT_FILE, ""))),
    )


def _keys(section: Section, prefix: str) -> Iterator[ReferenceKey]:
    for key in section.keys:
        yield _key(key, f"{prefix}{key.name}")
        yield from _below(key, f"{prefix}{key.name}")


def _below(key: Key[object], path: str) -> Iterator[ReferenceKey]:
    if isinstance(key.type, Section):
        yield from _keys(key.type, f"{path}.")
    elif isinstance(key.type, Many) and isinstance(key.type.of, Section):
        yield from _keys(key.type.of, f"{path}[].")


def _key(key: Key[object], path: str) -> ReferenceKey:
    shown = None if key.is_required or key.default is None or key.default in ("", ()) else _written(key.default)
    return ReferenceKey(path, key.type.label, key.is_required, shown, key.description)


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, tuple):
        return f"[{', '.join(_written(item) for item in value)}]"
    return "''" if value == "" else str(value)
