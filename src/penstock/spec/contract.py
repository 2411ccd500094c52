"""What a dataset must look like: the frozen values that an ODCS contract is loaded into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path


class LogicalType(StrEnum):
    """The types a silver column can have; `number` is a 64-bit float, `decimal` is exact."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"


class Evolution(StrEnum):
    """What happens when a delivery has a column that the contract does not name.

    evolve: the column is added to bronze (silver follows the contract).
    freeze: the whole file is refused.
    discard_value: the column's values are dropped and counted.
    discard_row: rows with a value in that column are filtered and counted.
    """

    EVOLVE = "evolve"
    FREEZE = "freeze"
    DISCARD_VALUE = "discard_value"
    DISCARD_ROW = "discard_row"


class Format(StrEnum):
    """Named string formats a column can be held to."""

    EMAIL = "email"
    UUID = "uuid"
    IPV4 = "ipv4"
    IPV6 = "ipv6"
    URI = "uri"


class Classification(StrEnum):
    """How personal a column is. `personal` values have no statistics in any file, and a personal key
    column is replaced by its keyed HMAC in silver; a `pseudonym` stays as it is."""

    PUBLIC = "public"
    INTERNAL = "internal"
    PSEUDONYM = "pseudonym"
    PERSONAL = "personal"


@dataclass(frozen=True)
class Column:
    """One column of a contract. Bounds and enum values are canonical text, cast by conform to `type`."""

    id: str
    name: str
    type: LogicalType
    required: bool = False
    description: str = ""
    classification: Classification = Classification.INTERNAL
    aliases: tuple[str, ...] = ()
    precision: int | None = None  # decimal: digits in all
    scale: int | None = None  # decimal: digits after the point; more digits are rejected, not rounded
    enum: tuple[str, ...] | None = None
    minimum: str | None = None
    maximum: str | None = None
    exclusive_minimum: bool = False
    exclusive_maximum: bool = False
    min_length: int | None = None  # characters
    max_length: int | None = None
    pattern: str | None = None  # RE2, must match somewhere (anchor it to match the whole)
    format: Format | None = None


@dataclass(frozen=True)
class RowRule:
    """A named SQL condition over the typed columns of one row; the row is rejected when it is false (null passes)."""

    name: str
    expression: str
    description: str = ""


@dataclass(frozen=True)
class Dedupe:
    """Which version of a key wins: the highest `order_by`, ties by content hash.

    A key is open for corrections for `horizon` after the lowest `order_by` of all its versions;
    versions beyond it are counted (`filtered`), not applied. `horizon` None: open for ever.
    """

    order_by: str | None = None  # a column of the contract; None: content hash alone decides
    horizon: timedelta | None = None


@dataclass(frozen=True)
class PartitionField:
    """A silver partition: `transform` is identity, year, month, day or hour of `column`."""

    column: str
    transform: str


@dataclass(frozen=True)
class Reference:
    """Columns that should name an existing row of another dataset; checked at the gate, never on arrival."""

    columns: tuple[str, ...]
    dataset: str
    to: tuple[str, ...]


@dataclass(frozen=True)
class Contract:
    """A dataset as declared. `key` empty: a row's identity is (file, line).

    `history` is the column that is a row's version, where the deliveries of the dataset keep every version of a key
    (`upsert`, `snapshot`); the sources declare it. `places` says where what stands in the declaration (`column NAME`,
    `rule NAME`, `dedupe`), and means nothing.
    """

    dataset: str
    version: str
    description: str
    owner: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    dedupe: Dedupe
    evolution: Evolution
    partitions: tuple[PartitionField, ...]
    rules: tuple[RowRule, ...]
    references: tuple[Reference, ...]
    freshness: timedelta | None
    path: Path
    fingerprint: str  # sha256 hex of everything that changes silver rows
    history: str | None = None
    places: Mapping[str, str] = field(default_factory=dict, compare=False)  # file:line:column

    @property
    def identity(self) -> tuple[str, ...]:
        """The columns that name one row of silver: the key, and the version where silver keeps them all."""
        return self.key if self.history is None or not self.key else (*self.key, self.history)

    def column(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


def snapshots_name(dataset: str) -> str:
    """The name of the silver table that says which keys each snapshot of the dataset held.

    >>> snapshots_name("cards")
    'cards_snapshots'
    """
    return f"{dataset}_snapshots"
