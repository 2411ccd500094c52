"""One dataset of the shop: columns of equal length, in the order in which its rows are delivered."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from simulator.column import SECOND_OF_DAY, Column, Ints

FORMATS = {"sessions": "ndjson", "session_orders": "ndjson", "touches": "ndjson", "inventory_movements": "parquet"}
KEYS: Mapping[str, tuple[str, ...]] = {
    "stores": ("store_id",),
    "customers": ("store_id", "customer_id", "updated_at"),
    "products": ("store_id", "product_id", "updated_at"),
    "variants": ("store_id", "variant_id", "updated_at"),
    "prices": ("store_id", "variant_id", "valid_from"),
    "product_costs": ("store_id", "variant_id", "valid_from"),
    "orders": ("store_id", "order_id", "updated_at"),
    "order_items": ("store_id", "order_id", "line_no"),
    "order_events": ("store_id", "event_id"),
    "discounts": ("store_id", "order_id", "line_no", "allocation_no"),
    "taxes": ("store_id", "order_id", "line_no", "allocation_no"),
    "shipping_charges": ("store_id", "order_id"),
    "gift_card_sales": ("store_id", "order_id", "line_no"),
    "payments": ("store_id", "payment_id"),
    "refund_lines": ("store_id", "refund_id", "line_no"),
    "return_lines": ("store_id", "return_id", "line_no"),
    "shipment_lines": ("store_id", "shipment_id", "line_no"),
    "inventory_movements": ("store_id", "movement_id"),
    "sessions": ("store_id", "session_id"),
    "session_orders": ("store_id", "session_id", "order_id"),
    "touches": ("store_id", "touch_id"),
    "ad_spend": ("store_id", "spend_date", "channel", "campaign", "currency"),
    "fx_rates": ("rate_date", "from_currency", "to_currency"),
    "identity_edges": ("store_id", "id_type", "id_value", "valid_from"),
}


@dataclass(frozen=True)
class Table:
    """`due`: the day on which each row is delivered, counted from the shop's first; never falls."""

    name: str
    columns: Mapping[str, Column]
    due: Ints

    def __len__(self) -> int:
        return len(self.due)

    @property
    def format(self) -> str:
        return FORMATS.get(self.name, "csv")

    @property
    def key(self) -> tuple[str, ...]:
        return KEYS[self.name]

    def rows(self, first: int, last: int) -> slice:
        """The rows delivered on the days from `first` to `last`."""
        return slice(int(np.searchsorted(self.due, first)), int(np.searchsorted(self.due, last, side="right")))

    def arrow(self, rows: slice) -> pa.Table:
        return pa.table({name: column.take(rows).arrow() for name, column in self.columns.items()})

    @cached_property
    def lines(self) -> Lines:
        """All rows as lines of the table's text format."""
        return Lines.of(self)


@dataclass(frozen=True)
class Lines:
    """Rows as text, one after the other: row i is `content[offsets[i]:offsets[i + 1]]`, with its line end."""

    header: bytes
    content: memoryview
    offsets: npt.NDArray[np.int64]

    @classmethod
    def of(cls, table: Table) -> Lines:
        joined = _json_lines(table) if table.format == "ndjson" else _csv_lines(table)
        header = b"" if table.format == "ndjson" else (",".join(table.columns) + "\n").encode()
        chunk = joined.cast(pa.large_string())
        _, offsets, content = chunk.buffers()
        starts = np.frombuffer(offsets, dtype=np.int64)[: len(table) + 1]
        return cls(header, memoryview(content or b""), starts)

    def slice(self, rows: slice) -> bytes:
        return bytes(self.content[int(self.offsets[rows.start]) : int(self.offsets[rows.stop])])

    def row(self, number: int) -> bytes:
        return self.slice(slice(number, number + 1))


def _csv_lines(table: Table) -> pa.Array:
    parts: list[object] = []
    for column in table.columns.values():
        parts += [",", _quoted(column)]
    return pc.binary_join_element_wise(*parts[1:], "\n", "", null_handling="replace", null_replacement="")


def _quoted(column: Column) -> pa.Array:
    """Text as CSV: in quotes where a comma or a quote stands in it."""
    if not any('"' in word or "," in word for word in column.words):
        return column.text()
    escaped = (
        f'"{word.replace(chr(34), chr(34) * 2)}"' if '"' in word or "," in word else word for word in column.words
    )
    return Column(column.kind, column.values, words=tuple(escaped)).text()


def _json_lines(table: Table) -> pa.Array:
    parts: list[object] = []
    before = "{"
    for name, column in table.columns.items():
        value = column.text()
        parts += [f'{before}"{name}":', pc.binary_join_element_wise('"', value, '"', "") if column.is_quoted else value]
        before = ","
    return pc.binary_join_element_wise(*parts, "}\n", "", null_handling="replace", null_replacement="null")


def make_table(name: str, columns: Mapping[str, Column], at: Ints, *, opening: int, days: int) -> Table:
    """A table whose rows are delivered on the day of `at` (seconds in UTC); what comes after the last day is left out.

    What is older than the opening comes on the first day. Rows keep their order within a day.
    """
    due = np.maximum((at - opening) // SECOND_OF_DAY, 0)
    order = np.argsort(due, kind="stable")
    order = order[due[order] < days]
    return Table(name, {key: column.take(order) for key, column in columns.items()}, due[order])


def without(table: Table, keys: Collection[tuple[int, ...]]) -> Table:
    """The table without the rows whose first key columns have one of these values."""
    if not keys:
        return table
    width = len(next(iter(keys)))
    rows = zip(*(table.columns[name].values.tolist() for name in table.key[:width]), strict=True)
    kept = np.flatnonzero([row not in keys for row in rows])
    return Table(table.name, {name: column.take(kept) for name, column in table.columns.items()}, table.due[kept])
