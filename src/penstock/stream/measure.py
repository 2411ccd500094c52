"""What a window computes: state in arrays by cell (a key in a window or pane), folded in batches, in any order."""

from __future__ import annotations

import pyarrow as pa

from penstock.spec.stream import Aggregate, Measure
from penstock.stream.best import Best
from penstock.stream.folding import MeasureState
from penstock.stream.tally import Tally
from penstock.stream.total import Count, Sum


def make_measure(aggregate: Aggregate, kind: pa.DataType) -> MeasureState:
    """The state of an aggregate over values of a type."""
    match aggregate.measure:
        case Measure.COUNT:
            return Count(of_rows=aggregate.column is None)
        case Measure.SUM | Measure.MEAN:
            return Sum(kind, mean=aggregate.measure is Measure.MEAN)
        case Measure.DISTINCT | Measure.TOP:
            return Tally(kind, most=aggregate.most)
        case measure:
            return Best(kind, measure)
