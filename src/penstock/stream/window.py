"""Tumbling and sliding windows by key: provisional at once, final when the watermark has passed their end."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.sorting import stable_order
from penstock.spec.stream import Window
from penstock.stream.cell_index import CellIndex
from penstock.stream.cells import Cells
from penstock.stream.folding import Additive, Folding, Ranges
from penstock.stream.number import one_array
from penstock.stream.pane_run import PaneRun, near
from penstock.stream.pane_sums import PaneSums
from penstock.stream.schema import INSTANT, window_schema
from penstock.stream.segment import Segments
from penstock.stream.stage import Frozen, Moment, Produced
from penstock.stream.window_rows import CellContents, Contents, told
from penstock.stream.word_index import Ints

NEVER = np.iinfo(np.int64).max
_AT_ONCE = 500  # windows that are told of as final in one round, besides one for each that begins in it
_NONE = np.zeros(0, dtype=np.int64)


class WindowStage:
    """Windows of `size`, a new one every `slide`; the panes between are computed once and put together.

    A tumbling window is told of in every round that changed it. Of the sliding windows that a row is in, the one that
    ends with its pane is told of at once, all of them when they are final. `version` is the number of rows in the
    window, one more when it is final, so it grows and does not depend on batches. A row is late when all windows that
    it would be in are final, or when it has no time; nothing is ever told of a final window again.

    A million tumbling windows may end at one moment. They are told of as final over several rounds, so that no row
    waits for all of them: in each some more than begin in it, so that they do not pile up. Those that are left are what
    the state still holds behind the watermark.
    """

    def __init__(self, window: Window, rows: pa.Schema, time: str) -> None:
        self.window, self.schema = window, window_schema(window, rows)
        self._rows, self._time = rows, time
        self._slide = micros(window.slide or window.size)
        self._panes = micros(window.size) // self._slide
        self._begin()

    def _begin(self) -> None:
        self._cells = Cells(self.window, self._rows)
        totals = [measure for measure in self._cells.measures if isinstance(measure, Additive)]
        additive = len(totals) == len(self._cells.measures)
        self._sums = PaneSums(self._cells, totals, self._panes) if additive else None
        self._index = CellIndex()
        self._oldest = NEVER  # no pane before it has a cell
        self._ended, self._ended_until = _NONE, -NEVER  # cells that are to be told of as final, those of which panes

    def process(self, inputs: tuple[pa.Table, ...], moment: Moment) -> Produced:
        rows, times, late = timely(inputs[0], self._time)
        panes = times // self._slide
        behind = (panes + self._panes) * self._slide <= moment.before
        if behind.any():
            late = pa.concat_tables([late, rows.filter(pa.array(behind))])
            rows, times, panes = rows.filter(pa.array(~behind)), times[~behind], panes[~behind]
        cells = self._cells.count
        changed = self._fold(rows, times, panes, moment) if rows.num_rows else _NONE
        if self._panes == 1:
            made, more = self._told_in_parts(changed, moment, self._cells.count - cells + _AT_ONCE)
        else:
            made, more = self._told(changed, moment), False
            self._drop(moment.after)
        return Produced(made, late if late.num_rows else None, more)

    def _fold(self, rows: pa.Table, times: Ints, panes: Ints, moment: Moment) -> Ints:
        keys = self._cells.keys_of(rows, moment.keys)
        numbers = near(panes)
        together = Segments.of((keys << int(numbers.max()).bit_length()) | numbers)
        first = together.order[together.starts]
        keys, panes = keys[first], panes[first]
        cells = self._index.find(keys, panes)
        new = np.flatnonzero(cells < 0)
        if len(new):
            new = new[np.argsort(first[new])]  # as they came: keys have other numbers after a restart
            self._index.enter(keys[new], panes[new])
            cells[new] = self._cells.add(keys[new], panes[new], panes[new])
        folding = Folding(together, cells, times)
        self._cells.fold(folding, rows)
        self._oldest = min(self._oldest, int(panes.min()))
        if self._sums is not None:
            self._sums.changed(int(panes.min()))
        return folding.cells

    def _open(self, changed: Ints, moment: Moment) -> Ints:
        """Those of the cells that end with a window that stays open."""
        panes = self._cells.start[changed]
        return changed[(panes + 1) * self._slide > max(moment.after, moment.before)]

    def _told(self, changed: Ints, moment: Moment) -> pa.Table:
        """Of the windows that end with a pane that changed those that stay open; then those whose end lies beyond the
        watermark before, and not beyond the one after: they are final."""
        changed = self._open(changed, moment)
        panes = self._cells.start[changed]
        first, last = moment.before // self._slide, moment.after // self._slide - 1  # panes that they end with
        first = max(first, self._oldest)
        ends = [
            *([first, last] if first <= last else []),
            *([int(panes.min()), int(panes.max())] if len(panes) else []),
        ]
        if len(ends) == 0:
            return self.schema.empty_table()
        begin, end = min(ends) - self._panes + 1, max(ends)
        if self._sums is None or (table := self._index.table(begin, end)) is None:
            cells = self._between(begin, end)
            if first > last:
                cells = self._of_keys(changed, cells)
            contents, panes = self._overlapping(cells, changed, first, last)
        else:
            self._sums.reach(table, end)
            contents, panes = self._sums.windows(self._cells.key[changed], panes, first, last)
        return self._rows_of(contents, panes, len(changed))

    def _told_in_parts(self, changed: Ints, moment: Moment, most: int) -> tuple[pa.Table, bool]:
        """The same of windows of one pane; of those that are final so many, the oldest first, and whether others are
        left. They are forgotten when they have been told of."""
        changed = self._open(changed, moment)
        self._look_for_ended(moment.after // self._slide - 1)
        final, self._ended = self._ended[:most], self._ended[most:]
        cells = np.concatenate([changed, final])
        made = self._rows_of(CellContents(self._cells, Ranges.single(cells)), self._cells.start[cells], len(changed))
        if len(final):
            self._cells.drop(final)
            if len(self._ended) == 0:
                self._look_for_oldest()
        return made, len(self._ended) > 0

    def _look_for_ended(self, last: int) -> None:
        """The cells of panes up to `last` that are still there, by pane and as they came."""
        if last > self._ended_until and self._oldest <= last:
            cells = self._between(self._oldest, last)
            panes = self._cells.start[cells]
            self._ended = cells if panes.min() == panes.max() else cells[np.argsort(panes, kind="stable")]
        self._ended_until = max(last, self._ended_until)

    def _overlapping(self, cells: Ints, changed: Ints, first: int, last: int) -> tuple[Contents, Ints]:
        """Windows of several panes and the panes that they end with, of the cells that both kinds are made of."""
        run = PaneRun.of(cells, self._cells.key[cells], self._cells.start[cells], self._panes)
        wanted = np.zeros(self._cells.count, dtype=bool)
        wanted[changed] = True
        open = run.ending_with(np.flatnonzero(wanted[run.cells]), self._panes)
        final, final_panes = run.ending_between(first, last, self._panes)
        lower, upper = (np.concatenate(pair) for pair in ((open.lower, final.lower), (open.upper, final.upper)))
        panes = np.concatenate([self._cells.start[open.last], final_panes])
        return CellContents(self._cells, Ranges(run.cells, lower, upper)), panes

    def _between(self, first: int, last: int) -> Ints:
        """The cells of the panes from `first` to `last`."""
        panes = self._cells.start[: self._cells.count]
        return np.flatnonzero((panes >= first) & (panes <= last) & ~self._cells.gone[: self._cells.count])

    def _of_keys(self, changed: Ints, cells: Ints) -> Ints:
        """Those of the cells that are of the keys of those that changed."""
        keys = self._cells.key[cells]
        wanted = np.zeros(int(keys.max()) + 1, dtype=bool)
        wanted[self._cells.key[changed]] = True
        return cells[wanted[keys]]

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
        bounds = (ends - self._panes * self._slide, ends)
        return told(self._cells, self.schema, contents, bounds, contents.rows + final, final)

    def _drop(self, watermark: int) -> None:
        """Forget the panes of which every window is final."""
        last = watermark // self._slide - self._panes
        if self._oldest > last:
            return
        if (table := self._index.table(self._oldest, last)) is not None:
            self._cells.drop(table.between(self._oldest, last))
            self._oldest = last + 1
            self._tidy()
        else:
            here = self._cells.here
            self._cells.drop(here[self._cells.start[here] <= last])
            self._look_for_oldest()

    def _look_for_oldest(self) -> None:
        """After cells were dropped."""
        panes = self._cells.start[self._cells.here]
        self._oldest = int(panes.min()) if len(panes) else NEVER
        self._tidy()

    def _tidy(self) -> None:
        if self._cells.tidy():
            self._number()

    def _number(self) -> None:
        """The place of each cell by its key and pane."""
        count = self._cells.count
        self._index = CellIndex()
        self._index.enter(self._cells.key[:count], self._cells.start[:count])

    def delta(self) -> bytes:
        return self._cells.delta()

    def snapshot(self) -> Frozen:
        return self._cells.snapshot()

    def restore(self, snapshot: bytes | None, deltas: tuple[bytes, ...]) -> None:
        self._begin()
        self._cells.restore(snapshot, deltas)
        self._number()
        self._look_for_oldest()

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
