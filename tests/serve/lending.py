"""A library's gold tables in DuckDB, and an application that serves them: releases without a lake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb

from penstock.metrics.metric import Dimension, DimensionKind, Metric, Metrics
from penstock.serve.agreement import GoldColumn, fitted, judge
from penstock.serve.app import make_app
from penstock.serve.feed import column_types, slices
from penstock.serve.metrics import metric_routes
from penstock.serve.numbers import Numbers
from penstock.serve.site import Current
from penstock.spec.endpoint import Endpoint, Ordering
from penstock.sql.connection import connect
from penstock.store.collection import collections, version_of
from penstock.store.files import FileStore
from penstock.store.manifest import Manifest
from penstock.testing.world import manual_world
from tests.serve.asgi_client import Client

BOOKS = Endpoint(
    path="/books",
    table="books",
    key="isbn",
    columns=("isbn", "title", "pages", "price", "weight", "lent", "bought_on", "seen_at", "cover", "words"),
    filters=("title", "pages", "price", "weight", "lent", "bought_on", "seen_at"),
    ranges=("pages", "price", "weight", "bought_on", "seen_at"),
    order=(Ordering("bought_on", descending=True), Ordering("title")),
    limit=50,
    description="Every book on the shelf.",
    example=(("isbn", "9780441172719"), ("pages", "412"), ("price", "9.90"), ("title", None)),
)
LOANS = Endpoint("/books/{id}/loans", "loans", "loan", ("loan", "member"), filters=("member",), parent="isbn")
MEMBERS = Endpoint("/members", "members", "member", ("member", "branch"), filters=("branch",))
ENDPOINTS = (BOOKS, LOANS, MEMBERS)

# As MetricFlow compiles them: by all dimensions, with marks for range and filter.
_FEES = """
    SELECT {day}lending__branch, SUM(fees) AS fees FROM (
        SELECT {cut}branch AS lending__branch, fee AS fees FROM "gold"."lendings"
        WHERE PENSTOCK_RANGE(DATE_TRUNC('DAY', day), 0)
    ) AS inner_rows WHERE (PENSTOCK_WHERE(lending__branch)) GROUP BY {day}lending__branch
"""
FEES = Metric(
    name="fees",
    label="Fees",
    description="What was paid.",
    kind="simple",
    unit="GBP",
    owner="The desk",
    final_after_days=3,
    type=None,
    dimensions=(Dimension("lending__branch", "branch", DimensionKind.CATEGORICAL, own=True, description="Where."),),
    templates={
        "": _FEES.format(day="", cut=""),
        "day": _FEES.format(day="metric_time__day, ", cut="DATE_TRUNC('DAY', day) AS metric_time__day, "),
    },
)
METRICS = Metrics("fees", {"fees": FEES, "lost": replace(FEES, name="lost", label="Lost")})
LENDINGS = """
    (DATE '2024-01-01', 'north', 1.50), (DATE '2024-01-01', 'south', 0.25), (DATE '2024-01-02', 'north', 2.00),
    (DATE '2024-01-02', NULL, 0.10)
"""

BOOK_TYPES = (
    "isbn VARCHAR, title VARCHAR, pages BIGINT, price DECIMAL(10,2), weight DOUBLE, lent BOOLEAN, bought_on DATE, "
    "seen_at TIMESTAMPTZ, cover BLOB, words VARCHAR[]"
)
SHELF = """
    ('a', 'Dune', 412, 9.90, 0.5, true, DATE '2024-01-02', TIMESTAMPTZ '2024-01-02 10:00:00.5+02', 'x'::BLOB, ['sand']),
    ('b/c', 'Émile "Zola"', 300, 0.05, 1e300, false, DATE '2024-01-03', TIMESTAMPTZ '2024-01-03 00:00:00Z', NULL, []),
    ('c', 'Dune', NULL, -1.50, 'nan'::DOUBLE, NULL, NULL, NULL, NULL, NULL)
"""


@dataclass
class Library:
    """Releases go into a store in `folder`; the application reads it."""

    folder: Path
    endpoints: Sequence[Endpoint] = ENDPOINTS
    connection: duckdb.DuckDBPyConnection = field(default_factory=connect)
    number: int = 0

    def __post_init__(self) -> None:
        self.connection.execute("CREATE SCHEMA gold")
        self.table("books", BOOK_TYPES, SHELF)
        self.table(
            "loans", "loan BIGINT, isbn VARCHAR, member VARCHAR", "(1, 'a', 'm1'), (2, 'a', 'm2'), (3, 'b/c', 'm1')"
        )
        self.table("members", "member VARCHAR, branch VARCHAR", "('m1', 'north'), ('m2', 'south')")
        self.table("lendings", "day DATE, branch VARCHAR, fee DECIMAL(18,2)", LENDINGS)

    def table(self, name: str, types: str, values: str) -> None:
        """Replace a gold table."""
        self.connection.execute(f"CREATE OR REPLACE TABLE gold.{name} ({types})")
        self.connection.execute(f"INSERT INTO gold.{name} VALUES {values}")

    def tables(self) -> Mapping[str, Sequence[GoldColumn]]:
        names = [name for (name,) in self.connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        return {
            name: [GoldColumn(one, kind, f"The {one}.") for one, kind in column_types(self.connection, name).items()]
            for name in names
        }

    def release(self) -> Manifest:
        """Serve the tables as they are now."""
        self.number += 1
        endpoints, tables = tuple(self.endpoints), self.tables()
        judge(endpoints, tables)
        wanted = [replace(one, version=version_of(one, self.number)) for one in fitted(collections(endpoints), tables)]
        instant = f"2024-01-{self.number:02}T00:00:00Z"
        manifest = Manifest("library", "Books.", self.number, instant, endpoints, tuple(wanted))
        return self.store.refresh(manifest, lambda collection: slices(self.connection, collection))

    @property
    def store(self) -> FileStore:
        return FileStore(self.folder, manual_world(seed=f"library {self.number}"))

    def at(self, served: Manifest, release: int | None) -> Numbers:
        """The numbers of gold as it is now, whichever release is asked for."""
        number = served.release if release is None else release
        return Numbers(METRICS, release=number, committed_at=served.committed_at or "", gold=self._gold)

    def _gold(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        return nullcontext(self.connection)

    def client(self, **options: Any) -> Client:
        current = Current(self.store)
        return Client(make_app(current, self.folder, routers=[metric_routes(current, self)], **options))
