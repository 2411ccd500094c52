"""Columns as NumPy holds them, and as text or Arrow in a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
NULL = np.iinfo(np.int64).min
SECOND_OF_DAY = 86_400


class Kind(Enum):
    """What the integers of a column stand for; NULL is an absent value in all of them.

    NUMBER itself; ID with a prefix; CHOICE the place in `words`; MONEY hundredths; RATE hundred-millionths;
    BASIS ten-thousandths; FLAG 0 or 1; INSTANT seconds since 1970 in UTC; DAY days since 1970.
    """

    NUMBER = "number"
    ID = "id"
    CHOICE = "choice"
    MONEY = "money"
    RATE = "rate"
    BASIS = "basis"
    FLAG = "flag"
    INSTANT = "instant"
    DAY = "day"


_SCALES = {Kind.MONEY: 2, Kind.RATE: 8, Kind.BASIS: 4}


@dataclass(frozen=True)
class Column:
    kind: Kind
    values: Ints
    prefix: str = ""
    words: tuple[str, ...] = ()

    def take(self, rows: npt.NDArray[np.intp] | Flags | slice) -> Column:
        return replace(self, values=self.values[rows])

    @property
    def is_quoted(self) -> bool:
        """Whether JSON writes the values as strings."""
        return self.kind in (Kind.ID, Kind.CHOICE, Kind.INSTANT, Kind.DAY)

    def arrow(self) -> pa.Array:
        """The values in Arrow types; identifiers and choices are strings."""
        absent = self.values == NULL
        mask = absent if absent.any() else None
        plain = np.where(absent, 0, self.values) if mask is not None else self.values
        match self.kind:
            case Kind.NUMBER:
                return pa.array(plain, mask=mask)
            case Kind.FLAG:
                return pa.array(plain.astype(bool), mask=mask)
            case Kind.INSTANT:
                return pa.array(plain, pa.int64(), mask=mask).cast(pa.timestamp("s", "UTC"))
            case Kind.DAY:
                return pa.array(plain.astype(np.int32), pa.int32(), mask=mask).cast(pa.date32())
            case Kind.ID:
                digits = pc.utf8_lpad(pa.array(plain, mask=mask).cast(pa.string()), 7, "0")
                return pc.binary_join_element_wise(self.prefix, digits, "")
            case Kind.CHOICE:
                codes = pa.array(plain.astype(np.int32), mask=mask)
                return pa.DictionaryArray.from_arrays(codes, pa.array(self.words, pa.string())).cast(pa.string())
            case _:
                return _decimals(plain, _SCALES[self.kind], mask)

    def text(self) -> pa.Array:
        """The values as files write them; null where absent."""
        if self.kind in (Kind.ID, Kind.CHOICE):
            return self.arrow()
        return self.arrow().cast(pa.string())


def _decimals(values: Ints, scale: int, mask: Flags | None) -> pa.Array:
    """Exact decimals from scaled integers: 128 bits, low half first."""
    halves = np.empty((len(values), 2), dtype=np.int64)
    halves[:, 0] = values
    halves[:, 1] = values >> 63
    made = pa.Array.from_buffers(pa.decimal128(18, scale), len(values), [None, pa.py_buffer(halves)])
    return made if mask is None else pc.if_else(pa.array(mask), pa.scalar(None, made.type), made)


def number(values: npt.ArrayLike) -> Column:
    return Column(Kind.NUMBER, np.asarray(values, dtype=np.int64))


def identifier(prefix: str, values: npt.ArrayLike) -> Column:
    return Column(Kind.ID, np.asarray(values, dtype=np.int64), prefix)


def choice(words: Sequence[str], codes: npt.ArrayLike) -> Column:
    return Column(Kind.CHOICE, np.asarray(codes, dtype=np.int64), words=tuple(words))


def texts(values: Sequence[str | None]) -> Column:
    """Texts of their own: each distinct one becomes a choice."""
    words = {word: code for code, word in enumerate(dict.fromkeys(value for value in values if value is not None))}
    return choice(tuple(words), [NULL if value is None else words[value] for value in values])


def money(cents: npt.ArrayLike) -> Column:
    return Column(Kind.MONEY, np.asarray(cents, dtype=np.int64))


def rate(values: npt.ArrayLike) -> Column:
    return Column(Kind.RATE, np.asarray(values, dtype=np.int64))


def basis(values: npt.ArrayLike) -> Column:
    return Column(Kind.BASIS, np.asarray(values, dtype=np.int64))


def flag(values: npt.ArrayLike) -> Column:
    return Column(Kind.FLAG, np.asarray(values).astype(np.int64))


def instant(seconds: npt.ArrayLike) -> Column:
    return Column(Kind.INSTANT, np.asarray(seconds, dtype=np.int64))


def day(days: npt.ArrayLike) -> Column:
    return Column(Kind.DAY, np.asarray(days, dtype=np.int64))


def constant(word: str, rows: int) -> Column:
    return choice((word,), np.zeros(rows, dtype=np.int64))
