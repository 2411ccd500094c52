"""What one commit of the embedded log changes, and what that does to the segment that is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from penstock.errors import Fenced, PenstockError
from penstock.log.batch import Encoded
from penstock.log.protocol import Appended, LogError, Part, Position
from penstock.log.segment import Segment, Snapshot

_CLEARED_AT_ONCE = 2  # superfluous deltas that one commit removes: more than it adds, few, for they are overwritten


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


def apply_change(segment: Segment, change: Change, *, at: int) -> Appended | PenstockError:
    """Apply a change that may be applied, in a transaction of the caller; what speaks against one does not touch the others of
    its group."""
    epoch, last, ranges = segment.holder(change.holder)
    if epoch != change.epoch:
        return fenced(change.holder, change.epoch, epoch)
    if change.sequence is not None and change.sequence <= last:
        return Appended(ranges if change.sequence == last else {}, duplicate=True)
    if change.sequence is not None and change.sequence > last + 1:
        return LogError(
            "An append is missing",
            where=change.holder,
            expected=f"sequence {last + 1}",
            found=f"sequence {change.sequence}",
            remedy="Go on from last_sequence.",
        )
    return _apply(segment, change, at)


def _apply(segment: Segment, change: Change, at: int) -> Appended:
    ranges: dict[int, tuple[int, int]] = {}
    for batch in change.batches:
        first, next = segment.add(batch, at)
        ranges[batch.partition] = (ranges.get(batch.partition, (first, next))[0], next)
    if change.sequence is not None:
        segment.advance_holder(change.holder, change.sequence, ranges)
    if change.job is not None:
        _apply_job(segment, change.job)
    return Appended(ranges)


def _apply_job(segment: Segment, job: JobChange) -> None:
    number = segment.commits()
    segment.move(job.positions)
    if job.snapshot is not None:
        after = segment.before_last_deltas(job.kept, number)
        segment.take_snapshot(Snapshot(job.snapshot.file, job.snapshot.size, job.snapshot.checksum, after))
    if job.delta is not None:
        segment.note("delta", number, job.delta)
    if job.journal is not None:
        segment.note("journal", number, job.journal)
    current = segment.snapshot()
    if current is not None:
        segment.clear_deltas(current.after, _CLEARED_AT_ONCE)


def fenced(what: str, mine: int, newest: int) -> Fenced:
    return Fenced(
        f"A newer writer took over {what}; this one must not write any more",
        expected=f"epoch {newest}",
        found=f"epoch {mine}",
        remedy="Let the newer one go on.",
    )
