"""From a TableSpec to Iceberg and back: stable column ids, evolution by id, bounds off for personal columns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyiceberg.partitioning import PARTITION_FIELD_ID_START, PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.transforms import (
    DayTransform,
    HourTransform,
    IdentityTransform,
    MonthTransform,
    Transform,
    YearTransform,
)
from pyiceberg.types import IcebergType, ListType, NestedField

from penstock.errors import DeclarationError
from penstock.lake.records import PERSONAL_IDS
from penstock.lake.table import COLUMN_IDS, Partition, TableColumn, TableSpec
from penstock.lake.types import iceberg_type, type_text, widens

_METRICS = "write.metadata.metrics.column."
_DEFAULTS = {
    "write.parquet.compression-codec": "zstd",
    "write.metadata.previous-versions-max": "10",
    "write.metadata.delete-after-commit.enabled": "true",
    "commit.manifest-merge.enabled": "true",
    "commit.manifest.target-size-bytes": "65536",
}
_TRANSFORMS: Mapping[str, Transform[Any, Any]] = {
    "identity": IdentityTransform(),
    "year": YearTransform(),
    "month": MonthTransform(),
    "day": DayTransform(),
    "hour": HourTransform(),
}
_ALLOWED: Mapping[str, frozenset[str]] = {
    "identity": frozenset({"string", "long", "int", "boolean", "date"}),
    "year": frozenset({"date", "timestamptz"}),
    "month": frozenset({"date", "timestamptz"}),
    "day": frozenset({"date", "timestamptz"}),
    "hour": frozenset({"timestamptz"}),
}


@dataclass(frozen=True)
class Shape:
    """What a table is in Iceberg's terms: schema, partitioning and the properties the lake keeps."""

    schema: Schema
    partitioning: PartitionSpec
    properties: Mapping[str, str]


def new_shape(spec: TableSpec) -> Shape:
    """The shape of a table that does not exist yet: columns get field ids 1, 2, 3, ..., elements follow."""
    _check(spec)
    ids = {column.id: number for number, column in enumerate(spec.columns, start=1)}
    fields = _fields(spec, ids, {}, next_id=len(ids) + 1)
    schema = Schema(*fields, schema_id=0)
    parts = [
        _partition_field(spec, part, ids, PARTITION_FIELD_ID_START + number)
        for number, part in enumerate(spec.partitions)
    ]
    return Shape(schema, PartitionSpec(*parts, spec_id=0), _DEFAULTS | _properties(spec, ids))


def evolved_shape(metadata: TableMetadata, spec: TableSpec) -> Shape:
    """The shape after `spec`: columns added, renamed or widened, found again by their stable id.

    Raises DeclarationError for every other difference, because data already written cannot follow it.
    """
    _check(spec)
    old = metadata.schema()
    known = column_ids(metadata)
    by_field = {field.field_id: field for field in old.fields}
    _check_evolution(spec, known, by_field, has_data=metadata.current_snapshot() is not None)
    _check_partitions(metadata, spec, known)
    _check_personal(metadata, spec, known)
    ids = dict(known)
    next_id = metadata.last_column_id + 1
    for column in spec.columns:
        if column.id not in ids:
            ids[column.id] = next_id
            next_id += 1
    fields = _fields(spec, ids, by_field, next_id=next_id)
    position = {field.field_id: number for number, field in enumerate(old.fields)}
    fields.sort(key=lambda field: position.get(field.field_id, len(position)))
    kept = {name: value for name, value in metadata.properties.items() if not name.startswith(_METRICS)}
    return Shape(Schema(*fields, schema_id=old.schema_id), metadata.spec(), kept | _properties(spec, ids))


def spec_of(name: str, metadata: TableMetadata) -> TableSpec:
    """The TableSpec that a table has now; `ensure` of it changes nothing."""
    stable = {field_id: stable_id for stable_id, field_id in column_ids(metadata).items()}
    personal = personal_ids(metadata)
    schema = metadata.schema()
    columns = tuple(
        TableColumn(
            id=stable.get(field.field_id, field.name),
            name=field.name,
            type=type_text(field.field_type),
            required=field.required,
            doc=field.doc or "",
            personal=field.field_id in personal,
        )
        for field in schema.fields
    )
    partitions = tuple(
        Partition(schema.find_column_name(field.source_id) or "", str(field.transform))
        for field in metadata.spec().fields
    )
    return TableSpec(name, columns, partitions, metadata.properties.get("comment", ""))


def column_ids(metadata: TableMetadata) -> dict[str, int]:
    """Stable column id -> Iceberg field id."""
    recorded: dict[str, int] = json.loads(metadata.properties.get(COLUMN_IDS, "{}"))
    return recorded


def personal_ids(metadata: TableMetadata) -> frozenset[int]:
    """The field ids whose values may stand in no bound."""
    return frozenset(json.loads(metadata.properties.get(PERSONAL_IDS, "[]")))


def _properties(spec: TableSpec, ids: Mapping[str, int]) -> dict[str, str]:
    own = {column.id: ids[column.id] for column in spec.columns}
    personal = sorted(ids[column.id] for column in spec.columns if column.personal)
    properties = {COLUMN_IDS: json.dumps(own), PERSONAL_IDS: json.dumps(personal)}
    properties |= {f"{_METRICS}{column.name}": "none" for column in spec.columns if column.personal}
    return properties | ({"comment": spec.doc} if spec.doc else {})


def _fields(
    spec: TableSpec, ids: Mapping[str, int], known: Mapping[int, NestedField], *, next_id: int
) -> list[NestedField]:
    fields = []
    for column in spec.columns:
        old = known.get(ids[column.id])
        kind = iceberg_type(column.type, where=f"{spec.name}.{column.name}", element_id=next_id)
        if old is not None and isinstance(kind, ListType):
            kind = old.field_type
        elif isinstance(kind, ListType):
            next_id += 1
        fields.append(NestedField(ids[column.id], column.name, kind, required=column.required, doc=column.doc or None))
    return fields


def _partition_field(spec: TableSpec, part: Partition, ids: Mapping[str, int], field_id: int) -> PartitionField:
    column = next(column for column in spec.columns if column.name == part.column)
    name = part.column if part.transform == "identity" else f"{part.column}_{part.transform}"
    while part.transform != "identity" and any(column.name == name for column in spec.columns):
        name += "_"
    return PartitionField(ids[column.id], field_id, _TRANSFORMS[part.transform], name)


def _check(spec: TableSpec) -> None:
    for what, values in (
        ("name", [column.name.lower() for column in spec.columns]),  # SQL does not tell A from a
        ("id", [column.id for column in spec.columns]),
    ):
        if twice := sorted({value for value in values if values.count(value) > 1}):
            raise DeclarationError(
                f"A column {what} stands twice",
                where=spec.name,
                found=", ".join(twice),
                remedy=f"Give every column its own {what}.",
            )
    for part in spec.partitions:
        _check_partition(spec, part)


def _check_partition(spec: TableSpec, part: Partition) -> None:
    column = next((column for column in spec.columns if column.name == part.column), None)
    if column is None:
        raise DeclarationError("A partition names no column", where=spec.name, found=part.column)
    allowed = _ALLOWED.get(part.transform)
    if allowed is None or column.type not in allowed:
        raise DeclarationError(
            f"Column {part.column} cannot be partitioned by {part.transform}",
            where=spec.name,
            expected=", ".join(name for name, types in _ALLOWED.items() if column.type in types) or "no partition",
            found=f"{part.transform} of {column.type}",
        )
    if column.personal and part.transform == "identity":
        raise DeclarationError(
            f"Column {part.column} is personal; its values may not stand in partition values and paths",
            where=spec.name,
            remedy="Partition by another column, or by month or day of a date.",
        )


def _check_evolution(
    spec: TableSpec, known: Mapping[str, int], by_field: Mapping[int, NestedField], *, has_data: bool
) -> None:
    for column in spec.columns:
        if column.id in known:
            _check_column(spec.name, column, by_field[known[column.id]])
        elif column.required and has_data:
            raise DeclarationError(
                f"Column {column.name} is new and required, but rows without it exist",
                where=spec.name,
                remedy="Declare it as not required.",
            )
    declared = {column.id for column in spec.columns}
    if gone := [by_field[field_id].name for stable, field_id in known.items() if stable not in declared]:
        raise DeclarationError(
            "Columns of the table are no longer declared",
            where=spec.name,
            found=", ".join(gone),
            remedy="Keep them declared with their ids (a renamed column keeps its id); they may stay empty.",
        )


def _check_column(table: str, column: TableColumn, old: NestedField) -> None:
    before = type_text(old.field_type)
    after = type_text(_typed(column, table))
    if after != before and not widens(before, after):
        raise DeclarationError(
            f"The type of column {column.name} cannot change in place",
            where=table,
            expected=f"{before} or a wider type (int to long, float to double, more digits at the same scale)",
            found=after,
            remedy="Keep the type, or declare a new column with a new id.",
        )
    if column.required and not old.required:
        raise DeclarationError(
            f"Column {column.name} was optional and cannot become required: rows without it may exist",
            where=table,
            remedy="Keep it optional and state the rule as a check.",
        )


def _check_partitions(metadata: TableMetadata, spec: TableSpec, known: Mapping[str, int]) -> None:
    names = {column.name: column for column in spec.columns}
    declared = [(known.get(names[part.column].id), part.transform) for part in spec.partitions]
    present = [(field.source_id, str(field.transform)) for field in metadata.spec().fields]
    if declared != present:
        raise DeclarationError(
            "The partitioning of a table cannot change",
            where=spec.name,
            expected=", ".join(
                f"{transform} of {metadata.schema().find_column_name(source)}" for source, transform in present
            )
            or "no partitions",
            found=", ".join(f"{part.transform} of {part.column}" for part in spec.partitions) or "no partitions",
            remedy="Keep the partitioning, or declare a new table.",
        )


def _check_personal(metadata: TableMetadata, spec: TableSpec, known: Mapping[str, int]) -> None:
    if metadata.current_snapshot() is None:
        return
    before = personal_ids(metadata)
    late = [
        column.name
        for column in spec.columns
        if column.personal and column.id in known and known[column.id] not in before
    ]
    if late:
        raise DeclarationError(
            "Columns became personal after their values were written with bounds",
            where=spec.name,
            found=", ".join(late),
            remedy="Give such a column a new id, so that its values are written anew without bounds.",
        )


def _typed(column: TableColumn, table: str) -> IcebergType:
    return iceberg_type(column.type, where=f"{table}.{column.name}")
