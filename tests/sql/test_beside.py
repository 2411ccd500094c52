"""Work on one database by several threads: what comes back, and what does not."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from penstock.side_by_side import side_by_side
from penstock.sql.beside import on_own
from penstock.sql.connection import connect


def test_results_come_in_the_order_of_the_items_whatever_takes_longer() -> None:
    connection = connect()
    connection.execute("CREATE TABLE numbers AS SELECT range AS n FROM range(300_000)")

    def count(own: duckdb.DuckDBPyConnection, least: int) -> int:
        return int(own.execute("SELECT count(DISTINCT n) FROM numbers WHERE n >= ?", [least]).fetchall()[0][0])

    asked = [0, 299_999, 100_000, 300_000]
    assert list(side_by_side(on_own(connection, count), asked)) == [300_000 - least for least in asked]


def test_temporary_tables_of_two_threads_do_not_meet() -> None:
    connection = connect()

    def kept(own: duckdb.DuckDBPyConnection, value: int) -> int:
        own.execute(f"CREATE OR REPLACE TEMP TABLE kept AS SELECT {value} AS value FROM range(50_000)")
        return int(own.execute("SELECT sum(value) FROM temp.kept").fetchall()[0][0])

    assert list(side_by_side(on_own(connection, kept), range(20))) == [value * 50_000 for value in range(20)]


def test_an_error_comes_in_its_place_and_ends_the_work() -> None:
    done: list[int] = []

    def inverse(number: int) -> float:
        done.append(number)
        return 1 / number

    results = side_by_side(inverse, [2, 0, *range(3, 1_000)])
    assert next(results) == 0.5
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert len(done) < 10


def test_items_are_asked_for_as_results_are_taken() -> None:
    asked: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            asked.append(number)
            yield number

    results = side_by_side(abs, items())
    assert next(results) == 0
    assert len(asked) <= 4
    results.close()  # type: ignore[attr-defined]
