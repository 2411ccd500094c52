"""JSON objects, one a row, as columns of text: what DuckDB reads of them, and why it cannot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.conform.columns import SYSTEM, VERSION
from penstock.conform.texts import Flags, decoded, long_numbers, without
from penstock.sql.names import literal, quote
from penstock.sql.planned import PlannedQuery

VALUE = "value"
TEXT = "__text"
MOST_BYTES = 1 << 20
DIGITS = 17  # that make a number long
_SUSPECT = "__suspect"  # it may hold a long number
_LONG_NUMBER = rf"[:,\[]\s*-?[0-9.]{{{DIGITS},}}"
_FRACTION = r"[:,\[]\s*-?[0-9]+[.][0-9]"

_FAULTS = (  # (code, expected); the first that holds counts
    ("line_too_long", f"at most {MOST_BYTES} bytes"),
    ("undecodable", "text in UTF-8"),
    ("broken_json", "JSON"),
    ("not_an_object", "an object"),
    ("duplicate_key", "every key once"),
    ("nameless_key", "keys that can name columns: not empty, and without the character NUL"),
    ("inexact_number", "numbers of at most 15 digits, or in quotes"),
)
_TOO_LONG, _UNDECODABLE, _BROKEN, _NO_OBJECT, _DUPLICATE, _NAMELESS, _INEXACT = range(len(_FAULTS))
_NONE = -1
_READ = pa.schema([pa.field(TEXT, pa.string()), pa.field(_SUSPECT, pa.bool_())])


@dataclass(frozen=True)
class Judged:
    """`objects`: the rows that are objects, in their order, with `TEXT` in place of `VALUE`. `malformed`: the others as
    they came, with `code` and `expected` of their first fault. `keys`: of the objects, in order."""

    objects: pa.Table
    malformed: pa.Table
    keys: tuple[str, ...]


class Judge:
    """Tells rows that are objects from rows that are none. The connection keeps the order of rows."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._read = PlannedQuery(connection, _READ, _reading)

    def judge(self, rows: pa.Table) -> Judged:
        """Judge rows with the bytes `VALUE`; null is no text."""
        values, others = rows[VALUE], rows.drop_columns([VALUE])
        long = _flags(pc.greater(pc.binary_length(values), MOST_BYTES))
        texts = decoded(without(values, np.flatnonzero(long)))
        read = self._read.over(pa.table([texts, pa.array(long_numbers(texts, DIGITS))], schema=_READ))
        broken, no_object, inexact = (_flags(read[name]) for name in ("broken", "no_object", "inexact"))
        keys = _Keys.of(read["keys"].combine_chunks())
        found = np.select(
            [np.asarray(pc.is_null(texts)), broken, no_object, keys.repeated(), keys.nameless(), inexact],
            [_UNDECODABLE, _BROKEN, _NO_OBJECT, _DUPLICATE, _NAMELESS, _INEXACT],
            default=_NONE,
        )
        faults = np.full(rows.num_rows, _TOO_LONG)
        faults[~long] = found
        objects = _those(others, faults == _NONE).append_column(TEXT, _those(texts, found == _NONE))
        return Judged(objects, _malformed(rows, faults), keys.of_rows(found == _NONE))


def named(keys: Iterable[str], others: Iterable[str] = (), known: Iterable[str] = ()) -> dict[str, tuple[str, ...]]:
    """The keys that each column is read of: those that differ in case alone, for names of columns do not.

    A key that is called like a column of the system, or one of `others`, has a number in the name of its column, as in
    files. `known` columns are there in any case.

    >>> named(["Fee", "_line", "title"], known=["fee"])
    {'fee': ('fee', 'Fee'), '_line_2': ('_line',), 'title': ('title',)}
    """
    reserved = {*SYSTEM, VERSION, *others}
    found: dict[str, dict[str, None]] = {}
    spelled: dict[str, str] = {}
    for key in (*known, *keys):
        name = f"{key}_2" if key.lower() in reserved else key
        found.setdefault(spelled.setdefault(name.lower(), name), {})[key] = None
    return {name: tuple(of_name) for name, of_name in found.items()}


def columns(relation: str, names: Mapping[str, Sequence[str]], others: Sequence[str]) -> str:
    """SELECT of `others`, then of each column of `names` the text of the first of its keys that is not null, for the
    objects of a relation with `TEXT`."""
    if not names:
        return f"SELECT {', '.join(map(quote, others))} FROM {relation}"
    keys = list(chain.from_iterable(names.values()))
    paths = ", ".join(literal(_path(key)) for key in keys)
    number = count(1)
    found = ([f"__texts[{next(number)}]" for _ in of_name] for of_name in names.values())
    texts = [f"{_first(of_name)} AS {quote(name)}" for name, of_name in zip(names, found, strict=True)]
    listed = f"(SELECT *, json_extract_string({TEXT}, [{paths}]) AS __texts FROM {relation})"
    return f"SELECT {', '.join([*map(quote, others), *texts])} FROM {listed}"


@dataclass(frozen=True)
class _Keys:
    """The keys of all rows, one after the other: of which row each is, and its number among `names`."""

    rows: np.ndarray
    numbers: np.ndarray
    names: tuple[str, ...]
    count: int  # of rows

    @classmethod
    def of(cls, lists: pa.ListArray) -> _Keys:
        encoded = lists.flatten().dictionary_encode()
        lengths = np.asarray(pc.fill_null(pc.list_value_length(lists), 0))
        rows = np.repeat(np.arange(len(lists)), lengths)
        return cls(rows, np.asarray(encoded.indices), tuple(encoded.dictionary.to_pylist()), len(lists))

    def repeated(self) -> Flags:
        """Whether a key of the row stands in it more than once."""
        found = np.zeros(self.count, dtype=bool)
        cells = np.sort(self.rows * len(self.names) + self.numbers)
        twice = cells[1:][cells[1:] == cells[:-1]]
        if len(twice):
            found[twice // len(self.names)] = True
        return found

    def nameless(self) -> Flags:
        """Whether the row has a key that can be no name."""
        found = np.zeros(self.count, dtype=bool)
        bad = [not name or "\0" in name for name in self.names]
        if any(bad):
            found[self.rows[np.asarray(bad)[self.numbers]]] = True
        return found

    def of_rows(self, chosen: Flags) -> tuple[str, ...]:
        numbers = self.numbers if chosen.all() else self.numbers[chosen[self.rows]]
        return tuple(sorted(self.names[number] for number in np.flatnonzero(np.bincount(numbers))))


def _reading(relation: str) -> str:
    """Keys and faults of every text. Nothing is asked of a text that is no JSON: DuckDB would fail."""
    keys = f"SELECT *, CASE WHEN json_valid({TEXT}) THEN json_keys({TEXT}) END AS keys FROM {relation}"
    inexact = " AND ".join(f"regexp_matches({TEXT}, {literal(one)})" for one in (_LONG_NUMBER, _FRACTION))
    return (
        "SELECT keys, keys IS NULL AS broken,"
        f" CASE WHEN len(keys) = 0 THEN json_type({TEXT}) <> 'OBJECT' ELSE FALSE END AS no_object,"
        f" CASE WHEN {_SUSPECT} THEN {inexact} ELSE FALSE END AS inexact FROM ({keys})"
    )


def _first(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"coalesce({', '.join(texts)})"


def _those(rows: pa.Table | pa.ChunkedArray, chosen: Flags) -> pa.Table | pa.ChunkedArray:
    return rows if chosen.all() else rows.filter(pa.array(chosen))


def _malformed(rows: pa.Table, faults: np.ndarray) -> pa.Table:
    found, numbers = _those(rows, faults != _NONE), pa.array(faults[faults != _NONE])
    codes, expected = (pa.array(texts, pa.string()).take(numbers) for texts in zip(*_FAULTS, strict=True))
    return found.append_column("code", codes).append_column("expected", expected)


def _flags(column: pa.ChunkedArray) -> Flags:
    return np.asarray(pc.fill_null(column, False), dtype=bool)


def _path(key: str) -> str:
    """The JSON pointer of a key of the object."""
    return "/" + key.replace("~", "~0").replace("/", "~1")
