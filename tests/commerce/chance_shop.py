"""Silver of a shop by chance: so few names, moments and amounts that rows meet, and days on which anything changes."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

from penstock.lake.table import DataFile
from penstock.lake.types import arrow_type, duckdb_type, iceberg_type
from penstock.load.tables import SYSTEM_COLUMNS, silver_spec
from penstock.spec.contract import Column, Contract, LogicalType
from penstock.spec.loading import load_project
from penstock.transform.result import ModelInput
from tests.commerce.hand_shop import COMMERCE
from tests.transform.silver_table import Columns, SilverTable

CONTRACTS = load_project(COMMERCE, environment={}).contracts
FIRST_DAY = datetime(2024, 2, 28, tzinfo=UTC)  # told on it are also rows of days that are still to come
# Nearly all is told of four months; a row long before or after them moves the first day or the last.
MONTHS = (*20 * ((2023, 12), (2024, 1), (2024, 2), (2024, 3)), (2022, 11), (2024, 4), (2024, 5))
MOMENTS = tuple(
    datetime(year, month, day, hour, minute, tzinfo=UTC)
    for year, month in MONTHS
    for day in (1, 2, 15, 28, 29)
    for hour, minute in ((0, 0), (4, 0), (11, 30), (22, 30), (23, 30))
)
STORES = ("A", "A", "B", "default")
CUSTOMERS = ("c1", "c2", "c3", "c4", "c5")
CURRENCIES = ("EUR", "USD")
LINES = (1, 2)
SAID: Mapping[str, Sequence[object]] = {  # by column, or by dataset and column where that says something else
    "store_id": STORES,
    "stores.store_id": ("A", "B", "C", "default"),
    "timezone": ("Europe/Berlin", "America/New_York", "UTC", "Pacific/Kiritimati", "Nowhere/Else"),
    "customer_id": CUSTOMERS,
    "user_id": CUSTOMERS,
    "id_value": CUSTOMERS,
    "id_type": ("customer", "customer", "device"),
    "person_id": ("someone", "another", "c1"),
    "product_id": ("p1", "p2", "p3"),
    "variant_id": ("v1", "v2", "v3"),
    "merchant_id": ("m1", "m2"),
    "anonymous_id": ("d1", "d2"),
    **dict.fromkeys(("line_no", "order_line_no", "allocation_no"), LINES),
    **dict.fromkeys(("currency", "base_currency", "from_currency", "to_currency", "order_currency"), CURRENCIES),
    "inventory_movements.quantity": (-3, -1, 1, 2),
    "rate": tuple(Decimal(percent) / 100 for percent in range(50, 150)),
    "is_test": (*5 * (False,), True),
}
SAID_BY_TYPE: Mapping[LogicalType, Sequence[object]] = {
    LogicalType.STRING: ("x", "y"),
    LogicalType.INTEGER: (1, 2, 3, 4),
    LogicalType.DECIMAL: tuple(Decimal(cents) / 100 for cents in range(3000)),
    LogicalType.BOOLEAN: (False, False, False, True),
    LogicalType.DATE: tuple(moment.date() for moment in MOMENTS),
    LogicalType.TIMESTAMP: MOMENTS,
}
FEW = 6  # rows of a dataset at first
MORE = {"order_items": 26, "fx_rates": 20, "orders": 16, "customers": 14, "payments": 14, "shipment_lines": 10}

Row = Mapping[str, object]
Key = tuple[object, ...]


def row(contract: Contract, chance: Random) -> Row:
    """What a source may tell of a dataset; whatever need not be told sometimes is not."""
    return {column.name: _said(contract.dataset, column, chance) for column in contract.columns}


def _said(dataset: str, column: Column, chance: Random) -> object:
    if not column.required and chance.random() < 0.25:
        return None
    return chance.choice(_values(dataset, column))


def _values(dataset: str, column: Column) -> Sequence[object]:
    for name in (f"{dataset}.{column.name}", column.name):
        if name in SAID:
            return SAID[name]
    if column.name.endswith("_id"):
        return [f"{column.name.removesuffix('_id')}{number}" for number in range(1, 10)]
    return column.enum or SAID_BY_TYPE[column.type]


@dataclass(frozen=True)
class Change:
    """What a day tells of a dataset: rows that come, also in place of others of their keys, and keys that go."""

    came: Mapping[Key, Row]
    went: Collection[Key] = ()


@dataclass
class ChanceDataset:
    """A dataset of the shop: the rows that stand by key, and where in the files of silver each of them is."""

    contract: Contract
    table: SilverTable
    rows: dict[Key, Row] = field(default_factory=dict)
    places: dict[Key, tuple[str, int]] = field(default_factory=dict)
    told: int = 0
    back: Change = Change({})  # what takes back what was told last

    @classmethod
    def of(cls, contract: Contract, folder: Path) -> ChanceDataset:
        types = {column.name: column.type for column in silver_spec(contract, CONTRACTS).columns}
        kinds = {name: iceberg_type(type, where=name) for name, type in types.items()}
        columns: Columns = {name: (arrow_type(kind), duckdb_type(kind)) for name, kind in kinds.items()}
        return cls(contract, SilverTable(folder / contract.dataset, contract.dataset, columns))

    def some(self, count: int, chance: Random) -> dict[Key, Row]:
        return dict(self._keyed(row(self.contract, chance)) for _ in range(count))

    def _keyed(self, row: Row) -> tuple[Key, Row]:
        return tuple(row[name] for name in self.contract.identity), row

    def change(self, chance: Random, *, only_new: bool) -> Change:
        """What may be told next: rows, one of which says what another did but for a column; rows that went."""
        came = self.some(chance.choice([1, 1, 2, 4]), chance)
        if only_new or not self.rows:
            return Change({key: row for key, row in came.items() if key not in self.rows})
        if chance.random() < 0.5:
            key, corrected = self._corrected(chance)
            came = {**(came if chance.random() < 0.3 else {}), key: corrected}
        stand = [key for key in self.rows if key not in came]
        many = chance.choice([1, 1, 2, 1000]) if chance.random() < 0.3 else 0
        return Change(came, chance.sample(stand, min(many, len(stand))))

    def _corrected(self, chance: Random) -> tuple[Key, Row]:
        stands, other = self._plain(chance.choice(list(self.rows))), row(self.contract, chance)
        values = [name for name in stands if name not in self.contract.identity]
        column = chance.choice(values or list(stands))
        return self._keyed({**stands, column: other[column]})

    def _plain(self, key: Key) -> Row:
        """The row that stands, as it was told."""
        return {column.name: self.rows[key][column.name] for column in self.contract.columns}

    def tell(self, change: Change, day: datetime, *, anew: bool) -> ModelInput:
        """Write what changed as files of silver, or, where all is written `anew`, everything."""
        since, before = self.table.snapshot, list(self.table.files)
        gone = {*change.went, *change.came} & self.rows.keys()
        left = {key: row for key, row in self.rows.items() if key not in gone}
        self.back = Change(
            {key: self._plain(key) for key in self.rows if key in gone}, [key for key in change.came if key not in gone]
        )
        came = {key: {**row, **self._system(row, day)} for key, row in change.came.items()}
        self.rows = {**left, **came}
        if anew:
            self._take_back(before)
            self.places.clear()
            self._write(self.rows)
        else:
            self._remove({self.places.pop(key) for key in gone})
            self._write(came)
        return self.table.moved(since, before)

    def _take_back(self, files: Collection[DataFile]) -> None:
        for file in files:
            self.table.take_back(file)

    def _remove(self, places: Collection[tuple[str, int]]) -> None:
        """Name the rows at these places, and those of their files that were gone already."""
        stand = {*self.places.values()}
        for file in [file for file in self.table.files if file.path in {path for path, _ in places}]:
            gone = [place for place in range(file.rows) if (file.path, place) not in stand]
            self.table.remove(file, gone) if len(gone) < file.rows else self.table.take_back(file)

    def _write(self, rows: Mapping[Key, Row]) -> None:
        if rows:
            file = self.table.write(list(rows.values()))
            self.places |= {key: (file.path, place) for place, key in enumerate(rows)}

    def _system(self, row: Row, day: datetime) -> Row:
        self.told += 1
        values = ("default", "shop", "file", self.told, "f" * 32, day, 1)
        hashed = hashlib.sha256(repr(row).encode()).hexdigest()
        return {**dict(zip((column.name for column in SYSTEM_COLUMNS), values, strict=True)), "_row_hash": hashed}


class ChanceShop:
    """Every dataset of the project; the same seed tells the same on the same days."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = Random(seed)
        self.datasets = {name: ChanceDataset.of(contract, folder) for name, contract in CONTRACTS.items()}
        self.day = FIRST_DAY
        self.changed: Collection[str] = ()  # on the day before
        if self.chance.random() < 0.85:  # else nothing was ever told
            for name, dataset in self.datasets.items():
                dataset.tell(Change(dataset.some(MORE.get(name, FEW), self.chance)), self.day, anew=False)

    def everything(self) -> dict[str, ModelInput]:
        return {name: ModelInput(dataset.table.scan()) for name, dataset in self.datasets.items()}

    def next_day(self) -> tuple[Mapping[str, Change], dict[str, ModelInput]]:
        """What is told on it, and what a build is given of that; of most datasets nothing."""
        self.day += timedelta(days=1)
        changes = self._taken_back() if self.changed and self.chance.random() < 0.2 else self._changes()
        self.changed = [*changes]
        return changes, {name: self._told(dataset, changes.get(name)) for name, dataset in self.datasets.items()}

    def _taken_back(self) -> Mapping[str, Change]:
        return {name: self.datasets[name].back for name in self.changed}

    def _changes(self) -> Mapping[str, Change]:
        only_new = self.chance.random() < 0.3
        many = self.chance.choice([1, 1, 2, 3, 6, len(self.datasets)])
        names = self.chance.sample(list(self.datasets), many)
        return {name: self.datasets[name].change(self.chance, only_new=only_new) for name in names}

    def _told(self, dataset: ChanceDataset, change: Change | None) -> ModelInput:
        if change is None:
            return dataset.table.moved(dataset.table.snapshot, dataset.table.files)
        return dataset.tell(change, self.day, anew=self.chance.random() < 0.3)
