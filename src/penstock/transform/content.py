"""The content of a table as a few numbers: they do not depend on the order of rows, and can be added to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256

import duckdb

from penstock.sql.names import literal, quote
from penstock.transform import warehouse

_LIMBS = 1 << 128
Columns = Sequence[tuple[str, str]]  # name and DuckDB type


@dataclass(frozen=True)
class Content:
    """How many rows there are, and twice the sum of one 64-bit hash each, from two seeds; `shape` stands for names and
    types of the columns.

    The hash is the database's own, so contents compare among warehouses of one version of the engine; after another
    version a table looks changed and is written once more.
    """

    shape: str
    rows: int
    one: int
    other: int

    def moved(self, *, came: Content, gone: Content) -> Content:
        """The content when these rows have come and those have gone."""
        return Content(
            shape=self.shape,
            rows=self.rows + came.rows - gone.rows,
            one=(self.one + came.one - gone.one) % _LIMBS,
            other=(self.other + came.other - gone.other) % _LIMBS,
        )

    def __str__(self) -> str:
        return f"{self.shape}-{self.rows:x}-{self.one:x}-{self.other:x}"

    @classmethod
    def from_text(cls, text: str) -> Content:
        """The content that was written so."""
        shape, *numbers = text.split("-")
        rows, one, other = (int(number, 16) for number in numbers)
        return cls(shape, rows, one, other)


def content_of(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    *,
    without: Collection[str] = (),
    rows: str | None = None,
    columns: Columns | None = None,
) -> Content:
    """The content of a table of the warehouse, or of `rows`, a relation with its columns, in one scan.

    `without` names columns that tell how a row came, not what it says. `columns` are those of the table, where they
    are known.
    """
    known = warehouse.describe(connection, table) if columns is None else columns
    said = [(name, type) for name, type in known if name not in without]
    shape = sha256(", ".join(f"{name} {type}" for name, type in said).encode()).hexdigest()[:16]
    values = ", ".join(quote(name) for name, _ in said) or "NULL"
    sums = ", ".join(f"coalesce(sum(hash({literal(seed)}, {values})), 0)" for seed in ("one", "other"))
    source = warehouse.relation(table) if rows is None else rows
    count, one, other = connection.execute(f"SELECT count(*), {sums} FROM {source}").fetchall()[0]
    return Content(shape, count, one, other)
