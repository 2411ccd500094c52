"""Look-ups: rows beside the row of a reference table, as it was at one release."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from penstock.spec.stream import Lookup
from penstock.sql.names import quote
from penstock.stream.graph import ROWS
from penstock.stream.stage import Moment, Produced


@dataclass(frozen=True)
class Reference:
    """A table at a version: the columns of the look-up, any number of rows of a key."""

    version: int
    rows: pa.Table


@dataclass(frozen=True)
class References:
    """Where tables are looked up: `newest` says which version there is, `fetch` reads a table `layer.name` of it with
    the columns asked for."""

    newest: Callable[[], int]
    fetch: Callable[[str, tuple[str, ...]], Reference]


class LookupStage:
    """Adds columns of the reference table; null where no row has the key. Of several rows with one key the lowest
    counts, column by column from the left, so that any order of the table gives the same."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, lookup: Lookup, name: str) -> None:
        self.connection = connection
        self.lookup = lookup
        self._table = f"reference_{name}"
        self.version: int | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the table that are needed."""
        return tuple(dict.fromkeys(theirs for _, theirs in (*self.lookup.on, *self.lookup.columns)))

    def refresh(self, reference: Reference) -> None:
        """Use this version of the table from now on."""
        if reference.version == self.version:
            return
        keys = ", ".join(quote(theirs) for _, theirs in self.lookup.on)
        self.connection.register("reference", reference.rows)
        try:
            self.connection.execute(
                f"CREATE OR REPLACE TEMP TABLE {quote(self._table)} AS SELECT DISTINCT ON ({keys})"
                f" {', '.join(map(quote, self.columns))} FROM reference ORDER BY ALL"
            )
        finally:
            self.connection.unregister("reference")
        self.version = reference.version

    def process(self, inputs: tuple[pa.Table, ...], moment: Moment) -> Produced:
        rows = inputs[0]
        added = ", ".join(f"t.{quote(theirs)} AS {quote(name)}" for name, theirs in self.lookup.columns)
        equal = " AND ".join(f"r.{quote(mine)} = t.{quote(theirs)}" for mine, theirs in self.lookup.on)
        self.connection.register(ROWS, rows.append_column("__at", pa.array(range(rows.num_rows), pa.int64())))
        try:
            joined = self.connection.sql(
                f"SELECT r.*, {added} FROM {ROWS} AS r LEFT JOIN {quote(self._table)} AS t ON {equal} ORDER BY r.__at"
            ).to_arrow_table()
        finally:
            self.connection.unregister(ROWS)
        return Produced(joined.drop_columns(["__at"]))
