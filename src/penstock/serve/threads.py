"""Answers that take a while are made in a few threads, so that those that take a moment never wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TypeVar

from penstock.serve.problem import Problem

Made = TypeVar("Made")


class Threads:
    """`working` answers at a time; up to `waiting` more stand in line, and the next is told to come back (503)."""

    def __init__(self, *, working: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(working, thread_name_prefix="answer")
        self._most = working + waiting
        self._asked = 0

    async def run(self, make: Callable[[], Made]) -> Made:
        """What `make` gives or raises."""
        if self._asked >= self._most:
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE, "Too much is asked at once; try again.", headers={"Retry-After": "1"}
            )
        self._asked += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, make)
        finally:
            self._asked -= 1
