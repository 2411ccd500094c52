"""Answers of one release in a running server: each question is computed once, for a release never changes."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

import duckdb
import pyarrow as pa

from penstock.metrics.metric import Metrics
from penstock.metrics.query import query_metric
from penstock.metrics.request import MetricRequest


class Answers:
    """Asks metrics of gold at one release and remembers the answers, the latest asked up to `most_bytes`.

    Safe to use from several threads; two that ask the same at once may both compute it. Make a new one with the
    next release, over a connection of its own.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, metrics: Metrics, *, most_bytes: int = 64 * 1024 * 1024
    ) -> None:
        self.metrics = metrics
        self._connection = connection
        self._most_bytes = most_bytes
        self._held: OrderedDict[MetricRequest, pa.Table] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def query(self, request: MetricRequest) -> pa.Table:
        """The rows of a request, as `query_metric` gives them."""
        with self._lock:
            found = self._held.get(request)
            if found is not None:
                self._held.move_to_end(request)
                return found
        made = query_metric(self._connection, self.metrics, request)
        self._hold(request, made)
        return made

    def _hold(self, request: MetricRequest, rows: pa.Table) -> None:
        with self._lock:
            if request in self._held or rows.nbytes > self._most_bytes:
                return
            self._held[request] = rows
            self._bytes += rows.nbytes
            while self._bytes > self._most_bytes:
                _, dropped = self._held.popitem(last=False)
                self._bytes -= dropped.nbytes
