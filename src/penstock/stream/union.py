"""Rows of several steps or topics as those of one."""

from __future__ import annotations

import pyarrow as pa

from penstock.stream.schema import DELETED, SYSTEM
from penstock.stream.stage import Moment, Produced


class UnionStage:
    """The rows of each source after those of the one before it, with the columns of `schema`; where they came from in
    the log stays with them as long as all of them know. Remembers nothing."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema

    def process(self, inputs: tuple[pa.Table, ...], moment: Moment) -> Produced:
        filled = [rows for rows in inputs if rows.num_rows] or [inputs[0]]
        known = [one for one in SYSTEM if all(one.name in rows.column_names for rows in filled)]
        schema = pa.schema([*known, *self._schema])
        return Produced(pa.concat_tables([_of(rows, schema) for rows in filled]))


def _of(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """A source that never takes rows back takes none of these back."""
    if DELETED in schema.names and DELETED not in rows.column_names:
        rows = rows.append_column(DELETED, pa.repeat(pa.scalar(False), rows.num_rows))
    return rows.select(schema.names).cast(schema)
