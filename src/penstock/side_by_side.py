"""Work on several items at a time, in threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

AT_A_TIME = 2

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(
    work: Callable[[Item], Result], items: Iterable[Item], *, at_a_time: int = AT_A_TIME
) -> Iterator[Result]:
    """What the work makes of each item, in their order; the first error is raised in its place, when none is under way
    any more.

    At most one more than `at_a_time` results are under way or wait to be taken, so their size is bounded. One at a time
    is done by the caller's thread.

    >>> list(side_by_side(str.upper, ["a", "b", "c", "d"]))
    ['A', 'B', 'C', 'D']
    """
    if at_a_time == 1:
        yield from map(work, items)
        return
    under_way: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(at_a_time) as pool:
        try:
            for item in items:
                if len(under_way) > at_a_time:
                    yield under_way.popleft().result()
                under_way.append(pool.submit(work, item))
            while under_way:
                yield under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()
