"""Numbers of a column as whole numbers, so that their sums depend on no order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from penstock.stream.exact import Floats
from penstock.stream.word_index import Ints

Flags = npt.NDArray[np.bool_]
FLOAT_UNIT = 2.0**-40  # floats are rounded to multiples of it where they are summed in any order
_HALF = (1 << 30) - 1
_LARGEST, _SAFE = 1 << 58, 1 << 62


@dataclass(frozen=True)
class Parts:
    """Numbers of a unit, of which the sums fit; or ones, halves and wholes: ones + halves * 2^30 + wholes * 2^60. Zero
    where `counts` is False."""

    limbs: tuple[Ints, ...]
    counts: Flags


def unit_of(kind: pa.DataType) -> float:
    """How many units make one."""
    if pa.types.is_floating(kind):
        return 1 / FLOAT_UNIT
    return float(10**kind.scale) if pa.types.is_decimal(kind) else 1.0


def parts_of(array: pa.Array) -> Parts:
    """The numbers of a column in units of its type. NaN, infinity and what leaves 118 bits do not count."""
    if pa.types.is_floating(array.type):
        return _of_floats(pc.cast(array, pa.float64()).to_numpy(zero_copy_only=False))
    low, high, counts = limbs(array)
    if (high == low >> 63).all() and len(low) * _size(low) < _SAFE:
        return Parts((np.where(counts, low, 0),), counts)
    counts &= np.abs(high) < _LARGEST
    low, high = np.where(counts, low, 0), np.where(counts, high, 0)
    return Parts((low & _HALF, (low >> 30) & _HALF, ((low >> 60) & 15) + (high << 4)), counts)


def _size(numbers: Ints) -> int:
    return max(int(numbers.max(initial=0)), -int(numbers.min(initial=0)))


def limbs(array: pa.Array) -> tuple[Ints, Ints, Flags]:
    """Integers or decimals in two's complement, low and high 64 bits, and where there is one."""
    valid: Flags = np.asarray(array.is_valid()) if array.null_count else np.ones(len(array), dtype=bool)
    if not pa.types.is_decimal(array.type):
        low = pc.fill_null(pc.cast(array, pa.int64(), safe=False), 0).to_numpy(zero_copy_only=False)
        return low, low >> 63, valid
    data = pc.cast(array, pa.decimal128(38, array.type.scale))
    whole = np.frombuffer(data.buffers()[1] or b"", dtype="<i8")[2 * data.offset :][: 2 * len(data)].reshape(-1, 2)
    return whole[:, 0], whole[:, 1], valid


def _of_floats(values: Floats) -> Parts:
    counts: Flags = np.abs(values) < 2.0**62
    values = np.where(counts, values, 0.0)
    whole = np.floor(values)
    below = np.rint((values - whole) / FLOAT_UNIT).astype(np.int64)
    above = whole.astype(np.int64)
    return Parts((below & _HALF, (below >> 30) + ((above & ((1 << 20) - 1)) << 10), above >> 20), counts)


def whole_numbers(array: pa.Array) -> tuple[Ints, Flags]:
    """Integers, or decimals as whole numbers of their last digit; False where there is none or it leaves 64 bits."""
    low, high, valid = limbs(array)
    valid &= high == low >> 63
    return np.where(valid, low, 0), valid


def without_nan(values: pa.Array) -> pa.Array:
    """NaN as null."""
    if not pa.types.is_floating(values.type):
        return values
    return pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
