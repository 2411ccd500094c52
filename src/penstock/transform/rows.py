"""The rows of built models, as a release reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import duckdb
import pyarrow as pa

from penstock.sql.beside import another
from penstock.sql.names import literal, quote
from penstock.transform.changes import CAME, counts, named
from penstock.transform.places import places_of
from penstock.transform.result import ModelResult, ModelStatus
from penstock.transform.warehouse import relation

_BATCH_ROWS = 100_000


@dataclass(frozen=True)
class Rows:
    """The rows of built models, on a connection that has their warehouse attached; threads may read side by side."""

    connection: duckdb.DuckDBPyConnection

    @contextmanager
    def read(self, model: ModelResult, *, only_new: bool = False) -> Iterator[pa.RecordBatchReader]:
        """The rows in batches, while the context is open.

        `only_new` leaves out what the base already held; of a model that was built from nothing that is every row.
        """
        with another(self.connection) as own:
            new = came_since(model) if only_new else None
            yield _select(own, model, "true") if new is None else own.sql(new).to_arrow_reader(_BATCH_ROWS)

    @contextmanager
    def slice(self, model: ModelResult, first: date, last: date) -> Iterator[pa.RecordBatchReader]:
        """The rows whose date lies in a range, both included."""
        with another(self.connection) as own:
            yield _select(own, model, _between(model, first, last))

    def moved(self, model: ModelResult) -> tuple[int, int]:
        """How many rows came and how many went since the base, of a model whose rows moved."""
        return counts(self.connection, model.table)

    def gone(self, model: ModelResult, stored: str, place: tuple[str, str]) -> pa.Table | None:
        """Where those that went stand in `stored`, a SELECT of its columns with path and row number of each under the
        names `place`: `file_path` and `pos`."""
        names = [column.name for column in model.columns]
        gone = f"SELECT {', '.join(map(quote, names))} FROM {named(model.table)} WHERE NOT {CAME}"
        with another(self.connection) as own:
            return places_of(own, gone, stored, names, place)

    def by_day(self, model: ModelResult) -> Mapping[date | None, int]:
        """How many rows there are of each date."""
        sql = f"SELECT {_day(model)}, count(*) FROM {relation(model.table)} GROUP BY ALL"
        return dict(self.connection.execute(sql).fetchall())


def came_since(model: ModelResult) -> str | None:
    """A SELECT of the rows that the base of a model did not have; None where that cannot be told. (In a table that only
    ever grows, row ids are 0, 1, 2, ... in the order of insertion.)"""
    names = _names(model)
    match model.status:
        case ModelStatus.KEPT:
            return f"SELECT {names} FROM {relation(model.table)} LIMIT 0"
        case ModelStatus.MOVED if model.hands_changes_to_release:
            return f"SELECT {names} FROM {named(model.table)} WHERE {CAME}"
        case ModelStatus.APPENDED if model.held_rows is not None:
            return f"SELECT {names} FROM {relation(model.table)} WHERE rowid >= {model.held_rows}"
    return None


def _select(connection: duckdb.DuckDBPyConnection, model: ModelResult, condition: str) -> pa.RecordBatchReader:
    sql = f"SELECT {_names(model)} FROM {relation(model.table)} WHERE {condition}"
    return connection.sql(sql).to_arrow_reader(_BATCH_ROWS)


def _names(model: ModelResult) -> str:
    return ", ".join(quote(column.name) for column in model.columns)


def _between(model: ModelResult, first: date, last: date) -> str:
    """Whether a row's date lies in a range. The column stands bare, so blocks of other dates are not read."""
    name = quote(model.slice_by or "")
    low, high = literal(first.isoformat()), literal(last.isoformat())
    return f"{name} >= date {low} AND {name} < date {high} + 1"


def _day(model: ModelResult) -> str:
    return f"CAST({quote(model.slice_by or '')} AS DATE)"
