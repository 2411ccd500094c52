"""What a file of rows looks like: the documents one after the other, then an Arrow file that tells of them, then where
that begins.

The Arrow file has one batch of as many rows, in their order: the `key`, where its document `end`s, its `digest` (0 where
none is told), and the columns that rows are chosen by as dictionaries whose values are sorted (the first is null, for
rows without). Beside them stand the `hash`es of all keys in order, and the `row` of each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from zlib import crc32

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.errors import StorageError
from penstock.store.ranked import Ranked

_ALIGNED = 64  # bytes, as Arrow has it
_PLACE = 8  # bytes that tell where the Arrow file begins
_BUFFERED = 1 << 20
Digests = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Rows:
    """What is told of rows in their order. `ends` are those of their documents, the first of which begins at 0."""

    keys: pa.Array
    hashes: npt.NDArray[np.uint32]  # of the keys, ascending
    rows: npt.NDArray[np.uint32]  # of the hashes
    ends: npt.NDArray[np.int64]
    digests: Digests | None
    columns: Sequence[Ranked]

    def __len__(self) -> int:
        return len(self.keys)


class Documents:
    """A file that is not finished: documents are added to it, then what is told of them."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = 0

    def add(self, documents: Iterable[bytes | memoryview]) -> None:
        for document in documents:
            self._size += self._file.write(document)

    def finish(self, rows: Rows) -> None:
        self._size += self._file.write(bytes(-self._size % _ALIGNED))
        batch = _batch(rows)
        with pa.PythonFile(_FromHere(self._file), "w") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
            writer.write_batch(batch)
        self._file.write(self._size.to_bytes(_PLACE, "little"))


class _FromHere:
    """A file whose places are counted from where it is now; whoever opened it closes it."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = 0

    def write(self, data: bytes | memoryview) -> int:
        self._size += len(data)
        return self._file.write(data)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        return

    def close(self) -> None:
        return


def unfinished(path: Path) -> BinaryIO:
    return open(path, "wb", buffering=_BUFFERED)


def read_rows(path: Path, *, checked: bool = False) -> tuple[Rows, memoryview]:
    """What a file tells of its rows, and their documents: read where they are wanted, also when the file is removed
    meanwhile. FileNotFoundError, or StorageError where it is damaged; all that is told is `checked` first by who makes
    other arrays of it, for Arrow does not look where it reads."""
    try:
        with pa.memory_map(str(path)) as file:
            content = file.read_buffer()
        begin = int.from_bytes(content[-_PLACE:], "little")
        with pa.ipc.open_file(pa.BufferReader(content[begin:-_PLACE])) as told:
            batch = told.get_batch(0)
        batch.validate(full=checked)
        rows = _rows(batch)
        if checked:
            _check_places(rows, begin)
        return rows, memoryview(content[:begin])
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, ValueError, LookupError, ArithmeticError, AttributeError) as error:
        raise StorageError("A file of the serving store cannot be read", where=str(path), found=str(error)) from error


def indexed(keys: pa.Array) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """The hashes of keys, ascending, and the row of each."""
    hashes = np.fromiter((hash_of(key) for key in keys.to_pylist()), np.uint32, len(keys))
    rows = np.argsort(hashes, kind="stable").astype(np.uint32)
    return hashes[rows], rows


def scalars(numbers: npt.NDArray[np.uint32]) -> memoryview:
    """Numbers to be looked up one by one, which arrays are slow for."""
    return memoryview(numbers)  # type: ignore[arg-type]


def hash_of(key: str) -> int:
    return crc32(key.encode("utf-8", "surrogatepass"))


def _check_places(rows: Rows, size: int) -> None:
    ends = np.concatenate([[0], rows.ends, [size]])
    if np.any(ends[1:] < ends[:-1]):
        raise ValueError("documents end where there are none")
    if len(rows) and rows.rows.max() >= len(rows):
        raise ValueError("keys do not tell where they stand")
    if rows.keys.null_count or any(column.values.null_count for column in rows.columns):
        raise ValueError("a row has a value that is not there")


def _batch(rows: Rows) -> pa.RecordBatch:
    arrays = {
        "key": rows.keys,
        "hash": pa.array(rows.hashes),
        "row": pa.array(rows.rows),
        "end": pa.array(rows.ends),
        **({} if rows.digests is None else {"digest": pa.array(rows.digests)}),
        **{f"c{place}": _dictionary(column) for place, column in enumerate(rows.columns)},
    }
    return pa.RecordBatch.from_pydict(arrays)


def _dictionary(column: Ranked) -> pa.DictionaryArray:
    values = pa.concat_arrays([pa.nulls(1, column.values.type), column.values])
    return pa.DictionaryArray.from_arrays(pa.array(column.ranks), values)


def _rows(batch: pa.RecordBatch) -> Rows:
    def numbers(name: str) -> npt.NDArray[Any]:
        return batch.column(name).to_numpy()  # type: ignore[no-any-return]

    names = batch.schema.names
    columns = [batch.column(f"c{place}") for place in range(sum(name.startswith("c") for name in names))]
    return Rows(
        keys=batch.column("key"),
        hashes=numbers("hash"),
        rows=numbers("row"),
        ends=numbers("end"),
        digests=numbers("digest") if "digest" in names else None,
        columns=[Ranked(one.dictionary[1:], one.indices.to_numpy()) for one in columns],
    )
