"""The cells of windows: a key in a pane or a session, from its first to its last event, and what is computed of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.spec.stream import Window
from penstock.stream.distinct import RoundKeys
from penstock.stream.folding import Columns, Folding, taken
from penstock.stream.key_index import KeyIndex, row_keys
from penstock.stream.keyed import from_bytes, to_bytes
from penstock.stream.measure import make_measure
from penstock.stream.number import Flags, one_array, without_nan
from penstock.stream.pieces import Pieces
from penstock.stream.stage import Frozen
from penstock.stream.word_index import Ints, grown

_NUMBERS = ("id", "start", "last", "rows")
_NEXT = b"next_id"
_FEW = 1024


class Cells:
    """Arrays by cell. `id` names a cell for ever; `start` and `last` are in the units of the window; `rows` counts all
    rows. Cells that are `gone` lie there until there are many of them."""

    def __init__(self, window: Window, rows: pa.Schema) -> None:
        self._window, self._schema = window, rows
        self.id, self.key, self.start, self.last, self.rows = (np.zeros(0, dtype=np.int64) for _ in range(5))
        self.gone: Flags = np.zeros(0, dtype=bool)
        self.count = 0
        self._next_id = 0
        kinds = [pa.null() if one.column is None else rows.field(one.column).type for one in window.aggregates]
        self._kinds = kinds
        self.measures = [make_measure(one, kind) for one, kind in zip(window.aggregates, kinds, strict=True)]
        self._index = KeyIndex()
        self._by = Pieces(pa.schema([rows.field(name) for name in window.by]).empty_table())
        self._changed: list[Ints] = []
        self._dropped: list[Ints] = []

    @property
    def here(self) -> Ints:
        """The cells that are not gone."""
        return np.flatnonzero(~self.gone[: self.count])

    def keys_of(self, rows: pa.Table, known: RoundKeys) -> Ints:
        """The number of each row's key."""
        keys = known.of(rows, self._window.by)
        slots, new = self._index.slots_of(keys.keys, keys.words)
        if len(new):
            self._by.add(rows.select(list(self._window.by)).take(pa.array(keys.first[new])))
        return slots[keys.of_row]

    def by(self, cells: Ints) -> pa.Table:
        """The values of the key of each cell."""
        return self._by.take(self.key[cells])

    def add(self, keys: Ints, starts: Ints, lasts: Ints) -> Ints:
        """New cells without rows."""
        ids = self._next_id + np.arange(len(keys))
        self._next_id += len(keys)
        return self._add(ids, keys, starts, lasts)

    def _add(self, ids: Ints, keys: Ints, starts: Ints, lasts: Ints) -> Ints:
        first, self.count = self.count, self.count + len(keys)
        self.id, self.key, self.start, self.last, self.rows, self.gone = (
            grown(one, self.count) for one in (self.id, self.key, self.start, self.last, self.rows, self.gone)
        )
        new = np.arange(first, self.count)
        self.id[new], self.key[new], self.start[new], self.last[new] = ids, keys, starts, lasts
        for measure in self.measures:
            measure.reserve(self.count)
        return new

    def fold(self, folding: Folding, rows: pa.Table) -> None:
        """Take rows into their cells. A NaN is no value."""
        self.rows[folding.cells] += folding.segments.sizes
        nothing = pa.repeat(pa.scalar(True), rows.num_rows)
        for one, measure in zip(self._window.aggregates, self.measures, strict=True):
            measure.fold(folding, nothing if one.column is None else without_nan(one_array(rows[one.column])))
        self.touch(folding.cells)

    def merge(self, sources: Ints, targets: Ints) -> None:
        """Take cells into others; the sources are gone."""
        np.add.at(self.rows, targets, self.rows[sources])
        for measure in self.measures:
            measure.merge(sources, targets)
        self.touch(targets)
        self.drop(sources)

    def touch(self, cells: Ints) -> None:
        self._changed.append(self.id[cells])

    def drop(self, cells: Ints) -> None:
        self.gone[cells] = True
        self._dropped.append(self.id[cells])

    def tidy(self) -> bool:
        """Forget cells that are gone, once they are the most; whether cells have other places now."""
        if self.count <= 2 * (self.count - np.count_nonzero(self.gone[: self.count])) + _FEW:
            return False
        here = self.here
        self.id, self.key, self.start, self.last, self.rows = (
            one[here] for one in (self.id, self.key, self.start, self.last, self.rows)
        )
        self.gone = np.zeros(len(here), dtype=bool)
        self.count = len(here)
        for measure in self.measures:
            measure.keep(here)
        self._forget_keys()
        return True

    def _forget_keys(self) -> None:
        """Forget keys without cells, once they are the most: those that stay have to be hashed again."""
        used = np.zeros(len(self._index), dtype=bool)
        used[self.key] = True
        held = np.flatnonzero(used)
        if len(used) <= 2 * len(held) + _FEW:
            return
        numbers = np.zeros(len(used), dtype=np.int64)
        numbers[held] = np.arange(len(held))
        by, self.key = self._by.take(held), numbers[self.key]
        self._by, self._index = Pieces(by), KeyIndex()
        self._index.enter(row_keys(by, self._window.by))

    def delta(self) -> bytes:
        """The cells that changed since the last delta or snapshot, and those that are gone since."""
        changed, dropped = _distinct(self._changed), _distinct(self._dropped)
        ids = self.id[: self.count]  # ascending, without those that were tidied away
        cells = np.searchsorted(ids, changed)
        known = cells < self.count
        known[known] = ids[cells[known]] == changed[known]
        cells = cells[known]
        cells = cells[~self.gone[cells]]
        return _written(self._columns(cells)(), self.by(cells), dropped, self._next_id)

    def snapshot(self) -> Frozen:
        """Numbers are read when bytes are made, from where they change meanwhile: see `stage.Frozen`."""
        cells, nothing, next_id = self.here, np.zeros(0, dtype=np.int64), self._next_id
        columns, by, key = self._columns(cells), self._by.whole(), self.key

        def written() -> bytes:
            keys = by.combine_chunks().take(pa.array(key.take(cells)))
            return _written(columns(), keys, nothing, next_id, threads=False)

        return written

    def _columns(self, cells: Ints) -> Columns:
        """The numbers of cells, which are written with that."""
        self._changed, self._dropped = [], []
        measured = [measure.columns(cells) for measure in self.measures]
        own = taken(cells, {name: getattr(self, name) for name in _NUMBERS})
        return lambda: {
            **own(),
            **{f"{number}.{name}": one for number, read in enumerate(measured) for name, one in read().items()},
        }

    def restore(self, snapshot: bytes | None, deltas: Sequence[bytes]) -> None:
        """Take over what was written, into cells that are empty: of each cell that is not gone what was written last."""
        parts = [from_bytes(part) for part in (*([] if snapshot is None else [snapshot]), *deltas)]
        if not parts:
            return
        table = pa.concat_tables([part.replace_schema_metadata() for part in parts])
        ids = pc.fill_null(one_array(table["id"]), -1).to_numpy()
        _, after = np.unique(ids[::-1], return_index=True)
        last = len(ids) - 1 - after
        gone = one_array(table["dropped"]).drop_null().to_numpy()
        last = last[~np.isin(ids[last], gone) & (ids[last] >= 0)]
        kept = table if len(last) == len(ids) else table.take(pa.array(last))
        self._restore(kept.combine_chunks())
        self._next_id = int(parts[-1].schema.metadata[_NEXT])
        self._changed, self._dropped = [], []

    def _restore(self, table: pa.Table) -> None:
        ids, starts, lasts, rows = (table[name].to_numpy() for name in _NUMBERS)
        names = [f"by.{name}" for name in self._window.by]
        by = table.select(names).rename_columns(list(self._window.by)) if names else table
        keys = self.keys_of(by, RoundKeys())
        cells = self._add(ids, keys, starts, lasts)
        self.rows[cells] = rows
        for number, measure in enumerate(self.measures):
            mark = f"{number}."
            measure.load(
                cells,
                {
                    name.removeprefix(mark): one_array(table[name])
                    for name in table.column_names
                    if name.startswith(mark)
                },
            )


def _distinct(ids: Sequence[Ints]) -> Ints:
    """All of them once, ascending."""
    together = np.sort(np.concatenate([np.zeros(0, dtype=np.int64), *ids]))
    return together[np.diff(together, prepend=-1) > 0]


def _written(
    columns: Mapping[str, pa.Array], by: pa.Table, dropped: Ints, next_id: int, *, threads: bool = True
) -> bytes:
    """The numbers and keys of cells, and below them those that are gone."""
    every = {**columns, **{f"by.{name}": one_array(by[name]) for name in by.column_names}}
    rows = {name: pa.concat_arrays([column, pa.nulls(len(dropped), column.type)]) for name, column in every.items()}
    rows["dropped"] = pa.concat_arrays([pa.nulls(len(columns["id"]), pa.int64()), pa.array(dropped)])
    return to_bytes(pa.table(rows).replace_schema_metadata({_NEXT: str(next_id)}), threads=threads)
