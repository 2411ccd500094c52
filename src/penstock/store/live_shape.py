"""What a live table holds: its columns and their kinds, its key, its indexes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa


@dataclass(frozen=True)
class LiveColumn:
    """`kind`: text, integer, number, decimal(P,S), boolean, date, instant, binary or list."""

    name: str
    kind: str


@dataclass(frozen=True)
class LiveShape:
    """What a live table holds. `version` says by which declaration: another one makes the table anew. `indexed` are
    columns that rows are often chosen or sorted by; they may change at any time."""

    name: str
    columns: tuple[LiveColumn, ...]
    key: tuple[str, ...]
    version: str
    description: str = ""
    indexed: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        name: str,
        schema: pa.Schema,
        key: Sequence[str],
        *,
        version: str,
        description: str = "",
        indexed: Sequence[str] = (),
    ) -> LiveShape:
        columns = tuple(LiveColumn(one.name, kind_of(one.type)) for one in schema)
        return cls(name, columns, tuple(key), version, description, tuple(indexed))

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> LiveShape:
        """From what `asdict` makes of one."""
        columns = tuple(LiveColumn(**one) for one in record["columns"])
        indexed = tuple(record.get("indexed", ()))
        return cls(**{**record, "columns": columns, "key": tuple(record["key"]), "indexed": indexed})

    @property
    def kinds(self) -> dict[str, str]:
        """The kind of each column."""
        return {column.name: column.kind for column in self.columns}

    @property
    def declared(self) -> str:
        """What the file says that it holds."""
        return json.dumps({name: value for name, value in asdict(self).items() if name != "indexed"})


def kind_of(type: pa.DataType) -> str:
    """The kind of an Arrow type.

    >>> kind_of(pa.decimal128(10, 2)), kind_of(pa.int32())
    ('decimal(10,2)', 'integer')
    """
    if pa.types.is_decimal(type):
        return f"decimal({type.precision},{type.scale})"
    for kind, holds in _KINDS:
        if holds(type):
            return kind
    return "text"


_KINDS = (
    ("boolean", pa.types.is_boolean),
    ("integer", pa.types.is_integer),
    ("number", pa.types.is_floating),
    ("date", pa.types.is_date),
    ("instant", pa.types.is_timestamp),
    ("binary", pa.types.is_binary),
    ("list", pa.types.is_list),
)
