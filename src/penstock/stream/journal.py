"""What a job decided that its input does not determine, one entry for each round, committed with what the round made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.stream.watermark import Progress


@dataclass(frozen=True)
class Range:
    """Rows `first` up to, not including, `next` of a partition, in the order in which they were taken."""

    topic: str
    partition: int
    first: int
    next: int


@dataclass(frozen=True)
class Round:
    """One round: when it was (microseconds since 1970), what it took in which order, how far event time came, which
    release each looked-up table was of, and the declaration it was made by."""

    number: int
    now: int
    ranges: tuple[Range, ...]
    before: int  # the watermark that decided what was late
    progress: Progress
    topology: str  # fingerprint
    tables: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many offsets it went over."""
        return sum(one.next - one.first for one in self.ranges)

    def as_record(self) -> dict[str, object]:
        return {
            "number": self.number,
            "now": self.now,
            "ranges": [[one.topic, one.partition, one.first, one.next] for one in self.ranges],
            "before": self.before,
            "progress": self.progress.as_record(),
            "topology": self.topology,
            "tables": dict(self.tables),
            "counts": dict(self.counts),
        }

    def as_bytes(self) -> bytes:
        return json.dumps(self.as_record()).encode()

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Round:
        return cls(
            number=record["number"],
            now=record["now"],
            ranges=tuple(Range(*one) for one in record["ranges"]),
            before=record["before"],
            progress=Progress.of_record(record["progress"]),
            topology=record["topology"],
            tables=record["tables"],
            counts=record["counts"],
        )

    @classmethod
    def of_bytes(cls, data: bytes) -> Round:
        return cls.of_record(json.loads(data))
