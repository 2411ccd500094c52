"""From the columns of a built model to those of its gold table, which may have had others before.

A column keeps its field in the table while it keeps its id and its kind of value: then a rename is a rename,
and an integer or a decimal may grow wider. A column of another kind is another column, for old files cannot
be read as the new type. Fields that no model column uses any more are retired: they keep their place under a
name of their own and stay empty, because the lake drops no field. Releases name their columns, so no reader
of a release sees them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import pyarrow as pa

from penstock.errors import TransformFailed
from penstock.lake.table import FieldColumn, Head, TableColumn, TableSpec
from penstock.release.model import BuiltColumn, BuiltModel, gold_name

RETIRED = "_retired_"
_DECIMAL = re.compile(r"decimal\((\d+), ?(\d+)\)")


@dataclass(frozen=True)
class Personal:
    """Which gold columns hold personal values: those declared so, and undeclared ones named like a personal
    column of a contract."""

    names: Collection[str]  # lower case

    def holds(self, column: BuiltColumn) -> bool:
        if column.classification is not None:
            return column.classification == "personal"
        return column.name.lower() in self.names


def gold_spec(model: BuiltModel, current: TableSpec | None, personal: Personal) -> TableSpec:
    """The table that can hold the model's rows and grew out of `current`."""
    before = {} if current is None else {column.id: column for column in current.columns}
    columns = [_column(model, column, before, personal.holds(column)) for column in model.columns]
    used = {column.id for column in columns}
    gone = [column for column in before.values() if column.id not in used]
    return TableSpec(gold_name(model), (*columns, *_retired(gone)), doc=model.description)


def shape_fingerprint(model: BuiltModel) -> str:
    """A hash of names, ids and types in order: what a reader sees besides the rows."""
    columns = [[column.id, column.name, column.lake_type] for column in model.columns]
    return sha256(json.dumps(columns).encode()).hexdigest()


def keeps_fields(model: BuiltModel, before: Iterable[FieldColumn], head: Head, personal: Personal) -> bool:
    """Whether each column stays in the field in which it was released. One that becomes personal, or is so no more, gets
    another: rows released before do not have its values there."""
    fields = {column.name: column.field_id for column in before}
    ids = head.column_ids
    return all(ids.get(_stable_id(one, personal.holds(one))) == fields.get(one.name) for one in model.columns)


def is_retired(name: str) -> bool:
    return name.startswith(RETIRED)


def with_retired(rows: pa.RecordBatchReader, names: Sequence[str]) -> pa.RecordBatchReader:
    """The same rows with empty columns added for the retired fields."""
    if not names:
        return rows
    schema = rows.schema
    for name in names:
        schema = schema.append(pa.field(name, pa.null()))

    def widened() -> Iterator[pa.RecordBatch]:
        for batch in rows:
            empty = [pa.nulls(batch.num_rows)] * len(names)
            yield pa.RecordBatch.from_arrays([*batch.columns, *empty], schema=schema)

    return pa.RecordBatchReader.from_batches(schema, widened())


def _column(model: BuiltModel, column: BuiltColumn, before: dict[str, TableColumn], personal: bool) -> TableColumn:
    if column.lake_type is None:
        raise TransformFailed(
            f"Column {column.name} has a type that gold cannot hold",
            where=gold_name(model),
            remedy="Cast it in the model to a text, number, decimal, boolean, date or timestamp.",
        )
    stable = _stable_id(column, personal)
    known = before.get(stable)
    kind = column.lake_type if known is None else wider(known.type, column.lake_type)
    return TableColumn(stable, column.name, kind, doc=column.description, personal=personal)


def _stable_id(column: BuiltColumn, personal: bool) -> str:
    return f"{column.id}:{_kind(column.lake_type or '')}{':personal' if personal else ''}"


def wider(old: str, new: str) -> str:
    """The type that holds the values of both, for two types of one kind.

    >>> wider("long", "int"), wider("decimal(10,2)", "decimal(12,2)")
    ('long', 'decimal(12,2)')
    """
    before, after = _DECIMAL.fullmatch(old), _DECIMAL.fullmatch(new)
    if before is not None and after is not None:
        return old if int(before[1]) >= int(after[1]) else new
    return old if old in ("long", "double") else new


def _kind(lake_type: str) -> str:
    """Types of one kind can follow each other in a field: old files are read as the wider one."""
    if match := _DECIMAL.fullmatch(lake_type):
        return f"decimal{match[2]}"
    return {"int": "integer", "long": "integer", "float": "double"}.get(lake_type, lake_type)


def _retired(gone: Sequence[TableColumn]) -> Iterator[TableColumn]:
    taken = [int(column.name.removeprefix(RETIRED)) for column in gone if is_retired(column.name)]
    number = max(taken, default=0)
    for column in gone:
        if is_retired(column.name):
            yield column
        else:
            number += 1
            yield replace(column, name=f"{RETIRED}{number}", doc=f"Was {column.name}; empty since")
