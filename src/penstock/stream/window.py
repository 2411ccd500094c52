"""Tumbling and sliding windows by key: provisional at once, final when the watermark has passed their end."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.sorting import stable_order
from penstock.spec.stream import Window
from penstock.stream.folding import Additive, Ranges
from penstock.stream.number import one_array
from penstock.stream.pane_cells import NEVER, PaneCells
from penstock.stream.pane_run import PaneRun, near
from penstock.stream.pane_sums import PaneSums
from penstock.stream.schema import INSTANT, window_schema
from penstock.stream.stage import Frozen, Moment, Produced
from penstock.stream.window_rows import CellContents, Contents, told
from penstock.stream.word_index import Ints

_AT_ONCE, _ALONE = 250, 2500  # windows that are told of as final in a round with rows, and in one without any
_FEW = 5000  # rows of a round that is not behind
_NONE = np.zeros(0, dtype=np.int64)


class WindowStage:
    """Windows of `size`, a new one every `slide`; the panes between are computed once and put together.

    A tumbling window is told of in every round that changed it. Of the sliding windows that a row is in, the one that
    ends with its pane is told of at once, all of them when they are final. `version` is the number of rows in the
    window, one more when it is final, so it grows and does not depend on batches. A row is late when all windows that
    it would be in are final, or when it has no time; nothing is ever told of a final window again.

    A million tumbling windows may end at one moment. They are told of as final over several rounds, so that no row
    waits for all of them: in each a few, and many more in one that has no rows. Where others that ended later wait
    already, or the round has so many rows that they wait anyway, as many as begin in it besides, so that they do not
    pile up. Those that are left are what the state still holds behind the watermark.
    """

    def __init__(self, window: Window, rows: pa.Schema, time: str) -> None:
        self.window, self.schema = window, window_schema(window, rows)
        self._rows, self._time = rows, time
        self._slide = micros(window.slide or window.size)
        self._length = micros(window.size) // self._slide  # panes of a window
        self._begin()

    def _begin(self) -> None:
        self._panes = PaneCells(self.window, self._rows)
        self._cells = self._panes.cells
        totals = [measure for measure in self._cells.measures if isinstance(measure, Additive)]
        additive = len(totals) == len(self._cells.measures)
        self._sums = PaneSums(self._cells, totals, self._length) if additive else None
        self._ended, self._ended_until = _NONE, -NEVER  # cells that are to be told of as final, those of which panes

    def process(self, inputs: tuple[pa.Table, ...], moment: Moment) -> Produced:
        rows, times, late = timely(inputs[0], self._time)
        panes = times // self._slide
        behind = (panes + self._length) * self._slide <= moment.before
        if behind.any():
            late = pa.concat_tables([late, rows.filter(pa.array(behind))])
            rows, times, panes = rows.filter(pa.array(~behind)), times[~behind], panes[~behind]
        began = self._cells.count
        changed = self._panes.fold(rows, times, panes, moment.keys) if rows.num_rows else _NONE
        if self._length == 1:
            made, more = self._told_in_parts(changed, moment, inputs[0].num_rows, self._cells.count - began)
        else:
            made, more = self._told(changed, moment), False
            self._panes.drop_until(moment.after // self._slide - self._length)
        return Produced(made, late if late.num_rows else None, more)

    def _open(self, changed: Ints, moment: Moment) -> Ints:
        """Those of the cells that end with a window that stays open."""
        panes = self._cells.start[changed]
        return changed[(panes + 1) * self._slide > max(moment.after, moment.before)]

    def _told(self, changed: Ints, moment: Moment) -> pa.Table:
        """Of the windows that end with a pane that changed those that stay open; then those whose end lies beyond the
        watermark before, and not beyond the one after: they are final."""
        if self._sums is not None:
            self._sums.changed(self._cells.key[changed], self._cells.start[changed])
        changed = self._open(changed, moment)
        panes = self._cells.start[changed]
        first, last = moment.before // self._slide, moment.after // self._slide - 1  # panes that they end with
        first = max(first, self._panes.oldest)
        ends = [
            *([first, last] if first <= last else []),
            *([int(panes.min()), int(panes.max())] if len(panes) else []),
        ]
        if len(ends) == 0:
            return self.schema.empty_table()
        begin, end = min(ends) - self._length + 1, max(ends)
        if self._sums is None or (table := self._panes.table(begin, end)) is None:
            cells = self._panes.between(begin, end)
            if first > last:
                cells = self._panes.of_keys(changed, cells)
            contents, panes = self._overlapping(cells, changed, first, last)
        else:
            self._sums.reach(table, end)
            contents, panes = self._sums.windows(self._cells.key[changed], panes, first, last)
        return self._rows_of(contents, panes, len(changed))

    def _told_in_parts(self, changed: Ints, moment: Moment, rows: int, began: int) -> tuple[pa.Table, bool]:
        """The same of windows of one pane; of those that are final some, the oldest first, and whether others are left.
        They are forgotten when they have been told of. `began`: how many windows did in this round of so many rows."""
        changed = self._open(changed, moment)
        self._look_for_ended(moment.after // self._slide - 1)
        most = _AT_ONCE if rows else _ALONE
        if rows > _FEW or self._are_piling_up():
            most += began
        final, self._ended = self._ended[:most], self._ended[most:]
        cells = np.concatenate([changed, final])
        made = self._rows_of(CellContents(self._cells, Ranges.single(cells)), self._cells.start[cells], len(changed))
        if len(final):
            self._cells.drop(final)
            if len(self._ended) == 0:
                self._panes.look_for_oldest()
            elif self._panes.tidy():
                self._ended_until = -NEVER  # they have other places now
        return made, len(self._ended) > 0

    def _are_piling_up(self) -> bool:
        """Whether windows of another pane ended before all of the oldest were told of."""
        panes = self._cells.start[self._ended[[0, -1]]] if len(self._ended) else _NONE
        return len(panes) > 0 and bool(panes[0] < panes[-1])

    def _look_for_ended(self, last: int) -> None:
        """The cells of panes up to `last` that are still there, by pane and as they came."""
        if last > self._ended_until and self._panes.oldest <= last:
            cells = self._panes.between(self._panes.oldest, last)
            panes = self._cells.start[cells]
            self._ended = cells if panes.min() == panes.max() else cells[np.argsort(panes, kind="stable")]
        self._ended_until = max(last, self._ended_until)

    def _overlapping(self, cells: Ints, changed: Ints, first: int, last: int) -> tuple[Contents, Ints]:
        """Windows of several panes and the panes that they end with, of the cells that both kinds are made of."""
        run = PaneRun.of(cells, self._cells.key[cells], self._cells.start[cells], self._length)
        wanted = np.zeros(self._cells.count, dtype=bool)
        wanted[changed] = True
        open = run.ending_with(np.flatnonzero(wanted[run.cells]), self._length)
        final, final_panes = run.ending_between(first, last, self._length)
        lower, upper = (np.concatenate(pair) for pair in ((open.lower, final.lower), (open.upper, final.upper)))
        panes = np.concatenate([self._cells.start[open.last], final_panes])
        return CellContents(self._cells, Ranges(run.cells, lower, upper)), panes

    def _rows_of(self, contents: Contents, panes: Ints, open: int) -> pa.Table:
        """Rows of the windows that end with `panes`, the first `open` of them provisional; in that order, those of one
        pane as their last cells came."""
        if len(panes) == 0:
            return self.schema.empty_table()
        final = np.arange(len(panes)) >= open
        number = near(panes)
        number[open:] += int(number.max()) + 1
        order = stable_order((number << self._cells.count.bit_length()) | contents.last)
        contents, ends, final = contents.take(order), (panes[order] + 1) * self._slide, final[order]
        bounds = (ends - self._length * self._slide, ends)
        return told(self._cells, self.schema, contents, bounds, contents.rows + final, final)

    def delta(self) -> bytes:
        return self._cells.delta()

    def snapshot(self) -> Frozen:
        return self._cells.snapshot()

    def restore(self, snapshot: bytes | None, deltas: tuple[bytes, ...]) -> None:
        self._begin()
        self._panes.restore(snapshot, deltas)

    def size(self) -> int:
        return len(self._cells.here)


def timely(rows: pa.Table, time: str) -> tuple[pa.Table, Ints, pa.Table]:
    """The rows that have a time, their times in microseconds, and the rows that have none."""
    timeless = rows.slice(0, 0)
    if rows[time].null_count:
        there = pc.is_valid(rows[time])
        rows, timeless = rows.filter(there), rows.filter(pc.invert(there))
    return rows, one_array(rows[time].cast(INSTANT)).view(pa.int64()).to_numpy(), timeless


def micros(length: timedelta | None) -> int:
    assert length is not None  # the declaration was judged
    return length // timedelta(microseconds=1)
