"""A topology over history: the rounds that its job took, taken again from what is kept of the topics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from penstock.log.protocol import Part
from penstock.stream.journal import Range, Round
from penstock.stream.pipeline import Outcome, Pipeline
from penstock.stream.schema import OFFSET
from penstock.stream.stage import Moment


@dataclass(frozen=True)
class History:
    """The rows of every partition with `_partition` and `_offset`, in ascending order."""

    parts: Mapping[Part, pa.Table]

    def rows(self, one: Range) -> pa.Table:
        """What lies in a range; rows that could not be read at all are not in any history."""
        table = self.parts[one.topic, one.partition]
        offsets = table[OFFSET].to_numpy()
        first, last = np.searchsorted(offsets, [one.first, one.next])
        return table.slice(first, last - first)

    def taken(self, ranges: Iterable[Range]) -> dict[str, pa.Table]:
        """The rows of several ranges by topic, in their order."""
        found: dict[str, list[pa.Table]] = {}
        for one in ranges:
            found.setdefault(one.topic, []).append(self.rows(one))
        return {topic: pa.concat_tables(tables) for topic, tables in found.items()}


def replay(
    pipeline: Pipeline, history: History, rounds: Iterable[Round], *, prepare: Callable[[Round], None]
) -> Iterator[Outcome]:
    """Every decision as the journal has it: the same rows in the same order at the same watermark. `prepare` is told of
    each round before it is taken, to bring looked-up tables to where they were."""
    for one in rounds:
        prepare(one)
        came = pipeline.take(history.taken(one.ranges))
        yield pipeline.process(came, Moment(one.now, one.before, one.progress.watermark))
