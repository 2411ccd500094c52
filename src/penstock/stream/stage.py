"""What a node of a graph is while it runs: rows in, rows out, and the state in between as bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, runtime_checkable

import pyarrow as pa

from penstock.stream.distinct import RoundKeys

# State as bytes, which any thread may make while rounds go on. It is that of the moment in which it was asked for but for
# what changed since, of which it holds older or newer values, mixed as they were come upon: deltas since that moment have
# all of it, so what they are applied to is the state of the last of them.
Frozen: TypeAlias = Callable[[], bytes]


@dataclass(frozen=True)
class Moment:
    """When a round takes place: microseconds since 1970 of the wall clock, and the watermark before and after it.
    `keys` are those of the round's rows, for whoever asks."""

    now: int
    before: int
    after: int
    keys: RoundKeys = field(default_factory=RoundKeys, compare=False, repr=False)


@dataclass(frozen=True)
class Produced:
    """`rows` in the order in which they were made. `late` are rows of the input that lie behind the watermark. `more`:
    the next round makes rows, though none come."""

    rows: pa.Table
    late: pa.Table | None = None
    more: bool = False


class Stage(Protocol):
    """The rows of all that the node reads, in the order of its declaration."""

    def process(self, inputs: tuple[pa.Table, ...], moment: Moment) -> Produced: ...


@runtime_checkable
class KeyedStage(Stage, Protocol):
    """A stage that remembers. What `delta` gives is applied by `restore` to what was there before."""

    def delta(self) -> bytes:
        """What changed since the last delta or snapshot."""

    def snapshot(self) -> Frozen:
        """All of the state as it is now; what changes before bytes are made of it is in the deltas to come."""

    def restore(self, snapshot: bytes | None, deltas: tuple[bytes, ...]) -> None: ...
    def size(self) -> int:
        """How many keys, windows or rows are remembered."""
