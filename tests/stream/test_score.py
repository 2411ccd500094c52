"""A model sees the declared columns of a batch as floats and says one number for each row."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from penstock.spec.stream import Score
from penstock.stream.score import Model, ScoreError, ScoreStage
from penstock.stream.stage import Moment

ROWS = pa.table({"title": ["a", "b"], "fee": pa.array([Decimal("1.50"), None], pa.decimal128(10, 2)), "pages": [7, 8]})


class Weighed:
    """pages + 10 fee."""

    def score(self, rows: pa.Table) -> np.ndarray:
        assert rows.column_names == ["pages", "fee"]
        return rows["pages"].to_numpy() + 10 * rows["fee"].to_numpy()


class Broken:
    def __init__(self, answer: list[object]) -> None:
        self.answer = answer

    def score(self, rows: pa.Table) -> list[object]:
        return self.answer


def stage(model: Model) -> ScoreStage:
    return ScoreStage(Score("weighed", ("pages", "fee"), "odds"), model)


def test_each_row_gets_the_score_of_its_columns() -> None:
    made = stage(Weighed()).process((ROWS,), Moment(0, 0, 0)).rows

    assert made["odds"].to_pylist() == [22.0, None]
    assert made["title"].to_pylist() == ["a", "b"]


def test_an_empty_batch_is_not_shown_to_the_model() -> None:
    made = stage(Broken([])).process((ROWS.slice(0, 0),), Moment(0, 0, 0)).rows

    assert made.schema.field("odds").type == pa.float64()


@pytest.mark.parametrize("answer", [[1.0], [1.0, 2.0, 3.0], ["high", "low"]])
def test_an_answer_that_is_not_one_number_for_each_row_is_refused(answer: list[object]) -> None:
    with pytest.raises(ScoreError, match="The model `weighed` gave no score for every row"):
        stage(Broken(answer)).process((ROWS,), Moment(0, 0, 0))


class Choosy:
    def score(self, rows: pa.Table) -> list[float]:
        if rows["fee"].null_count:
            raise ValueError("no fee")
        return [1.0] * rows.num_rows


def test_a_model_that_fails_is_named_with_the_line() -> None:
    with pytest.raises(ScoreError, match=r"test_score\.py:\d+: The model `weighed` failed: found ValueError: no fee"):
        stage(Choosy()).process((ROWS,), Moment(0, 0, 0))


def test_rows_that_are_taken_back_are_not_shown_to_the_model() -> None:
    rows = ROWS.append_column("_deleted", pa.array([False, True]))

    assert stage(Choosy()).process((rows,), Moment(0, 0, 0)).rows["odds"].to_pylist() == [1.0, None]
    assert stage(Choosy()).process((rows.slice(1),), Moment(0, 0, 0)).rows["odds"].to_pylist() == [None]
