"""Session windows by key: they grow with their rows, and flow together where a row lies between two of them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from penstock.spec.stream import FINAL, VERSION, WINDOW_START, Window
from penstock.stream.cells import Cells
from penstock.stream.folding import Folding, Ranges
from penstock.stream.schema import DELETED, window_schema
from penstock.stream.segment import Segments
from penstock.stream.stage import Frozen, Moment, Produced
from penstock.stream.window import micros, timely
from penstock.stream.window_rows import CellContents, told
from penstock.stream.word_index import Ints

_NONE = np.zeros(0, dtype=np.int64)


class SessionStage:
    """A session ends when its key has no row for `gap`; its window goes from its first row to the end of the gap after
    its last one.

    Told of at once, and final when the watermark reaches its end. A row before the first one moves the start, which is
    part of what names the session: then, and when two flow together, a row with `_deleted` takes back what was told
    under the old start. `version` as of the other windows. A row is late when the gap after it lies behind the
    watermark, or when it has no time.
    """

    def __init__(self, window: Window, rows: pa.Schema, time: str) -> None:
        self.window, self.schema = window, window_schema(window, rows)
        self._rows, self._time = rows, time
        self._gap = micros(window.gap)
        self._cells = Cells(window, rows)

    def process(self, inputs: tuple[pa.Table, ...], moment: Moment) -> Produced:
        rows, times, late = timely(inputs[0], self._time)
        behind = times + self._gap <= moment.before
        if behind.any():
            late = pa.concat_tables([late, rows.filter(pa.array(behind))])
            rows, times = rows.filter(pa.array(~behind)), times[~behind]
        changed, taken_back = self._fold(rows, times, moment) if rows.num_rows else (_NONE, self.schema.empty_table())
        open = changed[self._ends(changed) > moment.after]
        here = self._cells.here
        final = here[self._ends(here) <= moment.after]
        made = [taken_back, self._told(open, final=False), self._told(final, final=True)]
        self._cells.drop(final)
        self._cells.tidy()
        return Produced(pa.concat_tables(made), late if late.num_rows else None)

    def _ends(self, cells: Ints) -> Ints:
        return self._cells.last[cells] + self._gap

    def _fold(self, rows: pa.Table, times: Ints, moment: Moment) -> tuple[Ints, pa.Table]:
        """Take rows into sessions; the sessions that changed, and what is to be taken back."""
        cells = self._cells
        keys = cells.keys_of(rows, moment.keys)
        near = self._of_keys(keys)
        key, begin, end = (
            np.concatenate(pair)
            for pair in ((cells.key[near], keys), (cells.start[near], times), (cells.last[near], times))
        )
        cell = np.concatenate([near, np.full(len(keys), -1, dtype=np.int64)])
        order = np.lexsort([begin, key])
        segments = Segments.of(key[order])  # in order already
        until = segments.highest(end[order])
        begins = np.ones(len(order), dtype=bool)
        begins[1:] = begin[order][1:] - until[:-1] >= self._gap
        begins[segments.starts] = True
        first = np.flatnonzero(begins)
        last = np.append(first[1:], len(order)) - 1
        group = np.cumsum(begins) - 1
        session, merged = self._sessions(cell[order], group, len(first))
        start, until = begin[order][first], until[last]
        old = np.flatnonzero(session >= 0)
        moved = np.sort(session[old[cells.start[session[old]] != start[old]]])
        taken_back = self._taken_back(np.concatenate([moved, merged]))
        new = np.flatnonzero(session < 0)
        new = new[np.argsort(order[first[new]])]  # as they came: keys have other numbers after a restart
        session[new] = cells.add(key[order][first[new]], start[new], until[new])
        cells.start[session], cells.last[session] = start, until
        into = np.empty(len(order), dtype=np.int64)
        into[order] = session[group]
        cells.merge(merged, into[np.searchsorted(near, merged)])
        folding = Folding.of(into[len(near) :], times)
        cells.fold(folding, rows)
        return folding.cells, taken_back

    def _of_keys(self, keys: Ints) -> Ints:
        """The open sessions of these keys."""
        wanted = np.zeros(max(int(keys.max()) + 1, int(self._cells.key.max(initial=-1)) + 1), dtype=bool)
        wanted[keys] = True
        here = self._cells.here
        return here[wanted[self._cells.key[here]]]

    def _sessions(self, cells: Ints, group: Ints, groups: int) -> tuple[Ints, Ints]:
        """The earliest open session of each group, -1 for none; and the others, which flow into it."""
        places = np.flatnonzero(cells >= 0)
        session = np.full(groups, -1, dtype=np.int64)
        session[group[places[::-1]]] = cells[places[::-1]]
        theirs = cells[places]
        return session, np.sort(theirs[session[group[places]] != theirs])

    def _taken_back(self, cells: Ints) -> pa.Table:
        """What was told of these sessions is so no longer."""
        rows = self._told(cells, final=False)
        kept = {*self.window.by, WINDOW_START}
        columns = {
            name: rows[name] if name in kept else pa.nulls(len(cells), rows[name].type) for name in rows.column_names
        }
        columns[VERSION] = pa.array(self._cells.rows[cells] + 1)
        columns[FINAL] = pa.repeat(pa.scalar(True), len(cells))
        columns[DELETED] = pa.repeat(pa.scalar(True), len(cells))
        return pa.table(columns, schema=self.schema)

    def _told(self, cells: Ints, *, final: bool) -> pa.Table:
        bounds = (self._cells.start[cells], self._ends(cells))
        version = self._cells.rows[cells] + final
        return told(self._cells, self.schema, CellContents(self._cells, Ranges.single(cells)), bounds, version, final)

    def delta(self) -> bytes:
        return self._cells.delta()

    def snapshot(self) -> Frozen:
        return self._cells.snapshot()

    def restore(self, snapshot: bytes | None, deltas: tuple[bytes, ...]) -> None:
        self._cells = Cells(self.window, self._rows)
        self._cells.restore(snapshot, deltas)

    def size(self) -> int:
        return len(self._cells.here)
