"""State by key: columns of numbers, one place for each key, logged as what changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from penstock.stream.distinct import RoundKeys
from penstock.stream.key_index import KeyIndex, as_binary, has_null, row_keys
from penstock.stream.number import one_array
from penstock.stream.stage import Frozen
from penstock.stream.state import StateMismatch
from penstock.stream.word_index import Ints, grown

SLOT, KEY = "slot", "key"
_FEW = 20_000  # rows for which waking other threads takes longer than the work


class KeyedState:
    """`columns` are NumPy arrays by slot, zero for a key that is new. Whoever changes them says which with `touch`.

    `came_later`: columns that state of an older version does not have, with the value that they have there.
    """

    def __init__(self, dtypes: Mapping[str, npt.DTypeLike], came_later: Mapping[str, int] | None = None) -> None:
        self._index = KeyIndex()
        self._came_later = dict(came_later or {})
        self.columns: dict[str, np.ndarray] = {name: np.zeros(0, dtype=dtype) for name, dtype in dtypes.items()}
        self._touched: list[Ints] = []
        self._logged = 0  # keys that a delta or snapshot holds

    def __len__(self) -> int:
        return len(self._index)

    @property
    def keys(self) -> pa.Array:
        """The keys by slot."""
        return self._index.keys()

    def slots_of_rows(self, rows: pa.Table, columns: Sequence[str], known: RoundKeys) -> Ints:
        """The slot of each row's key, -1 where one of the columns is null; a new key gets the next one."""
        keyless = has_null(rows, columns)
        if keyless.any():
            return self.slots(pc.if_else(pa.array(keyless), None, row_keys(rows, columns)))
        keys = known.of(rows, columns)
        slots, _ = self._index.slots_of(keys.keys, keys.words)
        self._grow()
        return slots[keys.of_row]

    def slots(self, keys: pa.Array) -> Ints:
        """The slot of each key, -1 of null; a new key gets the next one."""
        if keys.null_count == 0:
            slots = self._index.slots(keys)
        else:
            slots = np.full(len(keys), -1, dtype=np.int64)
            slots[np.asarray(keys.is_valid())] = self._index.slots(as_binary(keys).drop_null())
        self._grow()
        return slots

    def _grow(self) -> None:
        self.columns = {name: grown(column, len(self._index)) for name, column in self.columns.items()}

    def touch(self, slots: Ints) -> None:
        self._touched.append(slots)

    def delta(self) -> bytes:
        """The keys that came or changed since the last delta or snapshot, with all of their columns."""
        new = np.arange(self._logged, len(self), dtype=np.int64)
        slots = np.unique(np.concatenate([*self._touched, new]))
        held = int(np.searchsorted(slots, self._logged))
        keys = pa.concat_arrays([pa.nulls(held, pa.large_binary()), self._index.keys(self._logged)])
        columns = {name: pa.array(column[slots]) for name, column in self.columns.items()}
        self._logged, self._touched = len(self), []
        return to_bytes(pa.table({SLOT: slots, KEY: keys, **columns}))

    def snapshot(self) -> Frozen:
        """The columns are copied when bytes are made, from where they change meanwhile: see `stage.Frozen`."""
        count, keys, columns = len(self), self._index.whole(), dict(self.columns)
        self._logged, self._touched = count, []

        def written() -> bytes:
            copied = {name: column[:count].copy() for name, column in columns.items()}
            return to_bytes(pa.table({SLOT: np.arange(count), KEY: one_array(keys), **copied}), threads=False)

        return written

    def restore(self, snapshot: bytes | None, deltas: Sequence[bytes]) -> None:
        parts = [*([] if snapshot is None else [snapshot]), *deltas]
        if parts:
            rows = pa.concat_tables([self._whole(from_bytes(part)) for part in parts])
            self._index.enter(one_array(rows[KEY]).drop_null())
            self._grow()
            slots = rows[SLOT].to_numpy()
            for name, column in self.columns.items():
                column[slots] = rows[name].to_numpy()  # of several values for one slot the last stays
        self._logged, self._touched = len(self), []

    def _whole(self, rows: pa.Table) -> pa.Table:
        """The rows with every column, in order; StateMismatch where another version of Penstock has others."""
        for name, value in self._came_later.items():
            if name not in rows.column_names:
                rows = rows.append_column(name, pa.array(np.full(rows.num_rows, value, self.columns[name].dtype)))
        expected = [SLOT, KEY, *self.columns]
        if set(rows.column_names) != set(expected):
            raise StateMismatch(
                "The state of a step was written by another version of Penstock",
                expected=", ".join(expected),
                found=", ".join(rows.column_names),
                remedy="Go on with that version, or give the step another name and start with --adopt: it begins anew.",
            )
        return rows.select(expected)


def to_bytes(rows: pa.Table, *, threads: bool = True) -> bytes:
    """A table as compressed Arrow. Without `threads` it takes no other's time."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=threads and rows.num_rows > _FEW)
    with pa.ipc.new_stream(sink, rows.schema, options=options) as writer:
        writer.write_table(rows)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def from_bytes(data: bytes) -> pa.Table:
    return pa.ipc.open_stream(data).read_all()
