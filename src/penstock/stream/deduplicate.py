"""De-duplication by key within a horizon of event time."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from penstock.spec.stream import Deduplicate, EventTime
from penstock.stream.distinct import RoundKeys
from penstock.stream.keyed import KeyedState
from penstock.stream.segment import Segments
from penstock.stream.stage import Frozen, Moment, Produced
from penstock.stream.watermark import horizon
from penstock.stream.window import micros, timely
from penstock.stream.word_index import Ints

_LATEST, _AHEAD = "latest", "ahead"  # of a key, in microseconds: of the rows up to the clock, of those of the future
_DELTA, _WHOLE = b"d", b"w"
_FEW = 1024
_NEVER = np.iinfo(np.int64).min // 2


class DeduplicateStage:
    """Drops a row whose event time lies at most `horizon` from the latest of all earlier rows of its key, in the order
    of the log; so a key that keeps coming is kept once. Rows that are dated further ahead than the clock may be have a
    latest of their own: one of them takes nothing away from those that come after it.

    A row without a whole key is never dropped. One that lies more than `horizon` behind the watermark, or has no time,
    is late: whether it came before is no longer known.
    """

    def __init__(self, deduplicate: Deduplicate, rows: pa.Schema, time: str, event_time: EventTime) -> None:
        self._key, self._time, self._event_time = deduplicate.key, time, event_time
        self._horizon = micros(deduplicate.horizon)
        self._begin()

    def _begin(self) -> None:
        self._state = _empty()
        self._whole = False  # keys were forgotten, so the next delta tells all

    def process(self, inputs: tuple[pa.Table, ...], moment: Moment) -> Produced:
        rows, times, late = timely(inputs[0], self._time)
        behind = times < moment.before - self._horizon
        if behind.any():
            late = pa.concat_tables([late, rows.filter(pa.array(behind))])
            rows, times = rows.filter(pa.array(~behind)), times[~behind]
        limit = horizon(self._event_time, moment.now)
        kept = rows.filter(pa.array(self._is_new(rows, times, limit, moment.keys)))
        self._forget(moment.after - 2 * self._horizon)
        return Produced(kept, late if late.num_rows else None)

    def _is_new(self, rows: pa.Table, times: Ints, limit: int, keys: RoundKeys) -> np.ndarray:
        known = len(self._state)
        slots = self._state.slots_of_rows(rows, self._key, keys)
        for column in self._state.columns.values():
            column[known : len(self._state)] = _NEVER
        keyed = np.flatnonzero(slots >= 0)
        segments = Segments.of(slots[keyed])
        places = keyed[segments.order]
        new = np.ones(rows.num_rows, dtype=bool)
        new[places] = self._is_far(segments, times[places], limit)
        self._state.touch(segments.slots[segments.ends])
        return new

    def _is_far(self, segments: Segments, times: Ints, limit: int) -> np.ndarray:
        """Which rows lie beyond the horizon of all earlier ones of their key; they are remembered."""
        far, future = np.ones(len(times), dtype=bool), times > limit
        for name, belongs in ((_LATEST, ~future), (_AHEAD, future)):
            state = self._state.columns[name]
            before = state[segments.slots]
            if belongs.any():
                before, after = _latest(segments, np.where(belongs, times, _NEVER), state)
                state[segments.slots[segments.ends]] = after[segments.ends]
            far &= np.abs(times - before) > self._horizon
        return far

    def _forget(self, limit: int) -> None:
        """Forget keys that no row can be held against any more, once they are the most."""
        count = len(self._state)
        if count <= _FEW:
            return
        latest = np.maximum(self._state.columns[_LATEST][:count], self._state.columns[_AHEAD][:count])
        held = np.flatnonzero(latest >= limit)
        if count <= 2 * len(held):
            return
        before, self._state = self._state, _empty()
        self._state.slots(before.keys.take(pa.array(held)))
        for name, column in self._state.columns.items():
            column[: len(held)] = before.columns[name][held]
        self._whole = True

    def delta(self) -> bytes:
        if self._whole:
            return self.snapshot()()
        return _DELTA + self._state.delta()

    def snapshot(self) -> Frozen:
        self._whole = False
        state = self._state.snapshot()
        return lambda: _WHOLE + state()

    def restore(self, snapshot: bytes | None, deltas: tuple[bytes, ...]) -> None:
        self._begin()
        parts = [*([] if snapshot is None else [snapshot]), *deltas]
        last = max((place for place, part in enumerate(parts) if part.startswith(_WHOLE)), default=0)
        self._state.restore(None, [part[1:] for part in parts[last:]])

    def size(self) -> int:
        return len(self._state)


def _empty() -> KeyedState:
    return KeyedState({_LATEST: np.int64, _AHEAD: np.int64}, came_later={_AHEAD: _NEVER})


def _latest(segments: Segments, times: Ints, state: Ints) -> tuple[Ints, Ints]:
    """The latest time of each row's key, without and with the row itself."""
    with_own = np.maximum(segments.highest(times), state[segments.slots])
    before = state[segments.slots].copy()
    inner = np.flatnonzero(segments.first < np.arange(len(times)))
    before[inner] = with_own[inner - 1]
    return before, with_own
