"""Model scores: a batch of rows in, a number for each row out."""

from __future__ import annotations

import traceback
from collections.abc import Sized
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from penstock.errors import PenstockError
from penstock.spec.stream import Score
from penstock.stream.schema import DELETED
from penstock.stream.stage import Moment, Produced


class Model(Protocol):
    """Anything that scores a batch. A row's score may depend on that row alone, or re-cut batches would change it."""

    def score(self, rows: pa.Table) -> Sized:
        """A number (None or NaN: no score) for each row; all columns are 64-bit floats, null where there is no value."""


class ScoreError(PenstockError):
    """A model failed, or answered with something that is not one number for each row."""


class ScoreStage:
    """Adds what the model says of the declared columns, shown to it in their order. It is not shown rows that are taken
    back."""

    def __init__(self, score: Score, model: Model) -> None:
        self.score, self.model = score, model

    def process(self, inputs: tuple[pa.Table, ...], moment: Moment) -> Produced:
        rows = inputs[0]
        return Produced(rows.append_column(pa.field(self.score.into, pa.float64()), self._scores_that_stand(rows)))

    def _scores_that_stand(self, rows: pa.Table) -> pa.Array | pa.ChunkedArray:
        if DELETED not in rows.column_names:
            return self._scores(rows)
        stands = pc.invert(pc.fill_null(rows[DELETED], False))
        scores = self._scores(rows.filter(stands))
        return pc.replace_with_mask(pa.nulls(rows.num_rows, pa.float64()), stands.combine_chunks(), scores)

    def _scores(self, rows: pa.Table) -> pa.Array:
        if rows.num_rows == 0:
            return pa.array([], pa.float64())
        shown = rows.select(list(self.score.columns))
        shown = shown.cast(pa.schema([pa.field(name, pa.float64()) for name in self.score.columns]))
        answer = self._answer(shown)
        try:
            scores = pa.array(answer, pa.float64(), from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
            scores = None
        if scores is None or len(scores) != rows.num_rows:
            raise ScoreError(
                f"The model `{self.score.model}` gave no score for every row",
                expected=f"{rows.num_rows} numbers",
                found=f"{len(answer)} values of {type(answer).__name__}",
            )
        return scores

    def _answer(self, shown: pa.Table) -> Sized:
        try:
            return self.model.score(shown)
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            raise ScoreError(
                f"The model `{self.score.model}` failed",
                where=f"{last.filename}:{last.lineno}",
                found=f"{type(error).__name__}: {error}",
                remedy="Correct it; then go on with `--adopt`.",
            ) from error
