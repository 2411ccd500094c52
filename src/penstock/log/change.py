"""What one commit of the embedded log changes, besides who may make it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from penstock.log.batch import Encoded
from penstock.log.protocol import Part, Position
from penstock.log.segment import Snapshot


@dataclass(frozen=True)
class JobChange:
    """What a job's commit changes besides its topics."""

    positions: Mapping[Part, Position]
    delta: bytes | None
    snapshot: Snapshot | None
    journal: bytes | None
    kept: int = 0  # of the deltas before this one, those that come after the snapshot


@dataclass(frozen=True)
class Change:
    """What is to be committed by a holder; a producer's has a `sequence`."""

    holder: str
    epoch: int
    batches: tuple[Encoded, ...]
    sequence: int | None = None
    job: JobChange | None = None

    @property
    def size(self) -> int:
        delta = 0 if self.job is None or self.job.delta is None else len(self.job.delta)
        return delta + sum(batch.size for batch in self.batches)
