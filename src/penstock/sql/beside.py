"""Several threads at work on one database, each on a connection of its own: DuckDB plans a query on one core, and a
small one runs on one."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import duckdb

AT_A_TIME = 2

Item = TypeVar("Item")
Result = TypeVar("Result")


def another(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """A connection to the same databases for another thread, with the same settings. Temporary tables are its own."""
    cursor = connection.cursor()
    cursor.execute("SET TimeZone = 'UTC'")
    cursor.execute("SET enable_progress_bar = false")
    return cursor


def on_own(
    connection: duckdb.DuckDBPyConnection, work: Callable[[duckdb.DuckDBPyConnection, Item], Result]
) -> Callable[[Item], Result]:
    """The work with a connection of its own for each thread that does it."""
    own = threading.local()

    def one(item: Item) -> Result:
        if not hasattr(own, "connection"):
            own.connection = another(connection)
        return work(own.connection, item)

    return one


def side_by_side(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """What the work makes of each item, in their order; the first error is raised in its place.

    At most three results are under way or wait to be taken, so their size is bounded.

    >>> list(side_by_side(str.upper, ["a", "b", "c", "d"]))
    ['A', 'B', 'C', 'D']
    """
    under_way: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        try:
            for item in items:
                if len(under_way) > AT_A_TIME:
                    yield under_way.popleft().result()
                under_way.append(pool.submit(work, item))
            while under_way:
                yield under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()
