"""Which tables a dataset and a source have in the lake: bronze, silver, quarantine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from penstock.conform.columns import OPENED, ROW_HASH, decimal_size, has_opened, pseudonym_domains, resolve
from penstock.lake.lake import Lake
from penstock.lake.lease import Lease
from penstock.lake.table import Head, Partition, TableColumn, TableSpec
from penstock.lake.types import arrow_type
from penstock.lake.types import iceberg_type as parse_type
from penstock.spec.contract import Classification, Column, Contract, LogicalType, snapshots_name
from penstock.spec.source import Source

SYSTEM_COLUMNS = (
    TableColumn("_tenant", "_tenant", "string", doc="Tenant the row belongs to"),
    TableColumn("_source", "_source", "string", doc="Source that delivered the row"),
    TableColumn("_file", "_file", "string", doc="File, relative to the source's folder"),
    TableColumn("_line", "_line", "long", doc="Physical line the row starts at, from 1"),
    TableColumn("_file_id", "_file_id", "string", doc="Identity of path and content"),
    TableColumn("_ingested_at", "_ingested_at", "timestamptz", doc="When the row entered bronze, UTC"),
    TableColumn("_batch", "_batch", "long", doc="Number of the bronze commit of this source, from 1"),
)
ROW_HASH_COLUMN = TableColumn(ROW_HASH, ROW_HASH, "string", doc="Canonical hash of the typed row")

_TYPES = {
    LogicalType.STRING: "string",
    LogicalType.INTEGER: "long",
    LogicalType.NUMBER: "double",
    LogicalType.BOOLEAN: "boolean",
    LogicalType.DATE: "date",
    LogicalType.TIMESTAMP: "timestamptz",
}


def bronze_name(source: str) -> str:
    return f"bronze.{source}"


def silver_name(dataset: str) -> str:
    return f"silver.{dataset}"


def quarantine_name(dataset: str) -> str:
    return f"quarantine.{dataset}"


def iceberg_type(column: Column) -> str:
    """The Iceberg type of a contract's column.

    >>> iceberg_type(Column(id="a", name="a", type=LogicalType.DECIMAL, precision=18, scale=4))
    'decimal(18, 4)'
    """
    if column.type is LogicalType.DECIMAL:
        precision, scale = decimal_size(column)
        return f"decimal({precision}, {scale})"
    return _TYPES[column.type]


def bronze_spec(
    contract: Contract, source: Source, headers: Sequence[str], *, before: TableSpec | None = None
) -> TableSpec:
    """Strings as read, in the order of the headers, then the system columns.

    Bronze follows the delivery, not the contract: a header that changes is another column here, and conform
    brings the two together. A column that the contract does not know is treated as personal, unless it was known
    when bronze got it (`before`): what was written of it has bounds.
    """
    found = resolve(contract, source.reading, headers)
    known = {header: contract.column(name) for name, names in found.sources.items() for header in names}
    plain = set() if before is None else {column.name for column in before.columns if not column.personal}
    columns = tuple(
        TableColumn(
            id=f"raw:{header}",
            name=header,
            type="string",
            personal=_is_personal(known[header]) if header in known else header not in plain,
        )
        for header in headers
    )
    doc = f"Rows of {source.name} exactly as delivered; append only"
    return TableSpec(bronze_name(source.name), columns + SYSTEM_COLUMNS, doc=doc)


def silver_spec(contract: Contract, contracts: Mapping[str, Contract], *, before: TableSpec | None = None) -> TableSpec:
    """Typed columns by stable id, then the system columns; a keyed dataset also carries its row's hash.

    A personal column that is a key, or refers to one, holds a pseudonym (64 hex digits) and is not personal here.
    A table that has hash or `_opened` from a time with a key or a horizon (`before`) keeps them, empty from now on.
    """
    pseudonyms = pseudonym_domains(contract, contracts)
    columns = tuple(
        TableColumn(
            id=column.id,
            name=column.name,
            type="string" if column.name in pseudonyms else iceberg_type(column),
            doc=column.description,
            personal=_is_personal(column) and column.name not in pseudonyms,
        )
        for column in contract.columns
    )
    extra: tuple[TableColumn, ...] = (ROW_HASH_COLUMN,) if contract.identity else ()
    if has_opened(contract) and contract.dedupe.order_by is not None:
        opened = iceberg_type(contract.column(contract.dedupe.order_by))
        extra += (TableColumn(OPENED, OPENED, opened, doc="Lowest order of all versions of the key"),)
    declared = {column.id for column in extra}
    past = () if before is None else before.columns
    extra += tuple(column for column in past if column.id in (ROW_HASH, OPENED) and column.id not in declared)
    partitions = tuple(Partition(field.column, field.transform) for field in contract.partitions)
    return TableSpec(silver_name(contract.dataset), columns + SYSTEM_COLUMNS + extra, partitions, contract.description)


def snapshots_spec(contract: Contract, contracts: Mapping[str, Contract]) -> TableSpec:
    """Which keys every snapshot of the dataset held: key and version as silver has them; a row without a key stands
    for the file itself, so that an empty one is known too."""
    kept = {column.name: column for column in silver_spec(contract, contracts).columns}
    columns = tuple(kept[name] for name in contract.identity)
    whole = TableColumn("is_whole", "is_whole", "boolean", doc="Whether every key that the snapshot held is known")
    doc = f"Keys that each snapshot of {contract.dataset} held; without a key: the file itself"
    return TableSpec(silver_name(snapshots_name(contract.dataset)), (*columns, whole, *SYSTEM_COLUMNS), doc=doc)


def ensure_silver(lake: Lake, contract: Contract, contracts: Mapping[str, Contract], *, lease: Lease) -> Head:
    """Silver of the dataset as its contract is now; made, or grown, when it is not there yet."""
    before = lake.spec(silver_name(contract.dataset))
    return lake.ensure(silver_spec(contract, contracts, before=before), lease=lease)


def check_silver(lake: Lake, contract: Contract, contracts: Mapping[str, Contract]) -> None:
    """Raise what `ensure_silver` would; nothing is made."""
    before = lake.spec(silver_name(contract.dataset))
    lake.check(silver_spec(contract, contracts, before=before))


def quarantine_spec(dataset: str) -> TableSpec:
    """Every refused row with its reasons, original bytes and position."""
    columns = (
        TableColumn("stage", "stage", "string", doc="parse: the line could not be read; conform: the row broke a rule"),
        TableColumn("codes", "codes", "list<string>", doc="Every violated rule"),
        TableColumn("reasons", "reasons", "string", doc="JSON array of code, column, expected, found", personal=True),
        TableColumn("raw", "raw", "binary", doc="parse: the original bytes of the line", personal=True),
        TableColumn(
            "row",
            "row",
            "string",
            doc="conform: JSON object of the strings as read; parse: JSON array of the file's columns",
            personal=True,
        ),
        TableColumn(
            "status", "status", "string", doc="open, replayed (read again), or superseded (its file was replaced)"
        ),
        TableColumn("contract", "contract", "string", doc="Fingerprint of the declarations that refused the row"),
    )
    return TableSpec(quarantine_name(dataset), SYSTEM_COLUMNS + columns, doc=f"Refused rows of {dataset}")


def _is_personal(column: Column) -> bool:
    return column.classification is Classification.PERSONAL


def arrow_schema(spec: TableSpec) -> pa.Schema:
    """The Arrow types in which rows of the table are handed to the lake."""
    return pa.schema([(column.name, arrow_type(parse_type(column.type, where=spec.name))) for column in spec.columns])
