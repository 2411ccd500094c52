"""What comes in: rows of a topic, held to its contract by the same compiled rules as rows of files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.conform import json_rows
from penstock.conform.columns import SYSTEM as ROW_SYSTEM
from penstock.conform.columns import resolve
from penstock.conform.compile import Pseudonyms, compile_plan
from penstock.conform.counts import Counts
from penstock.conform.plan import FILTERED, REJECTED, Plan
from penstock.spec.contract import Contract, Dedupe, Evolution
from penstock.spec.stream import Topic, TopicFormat
from penstock.sql.names import literal, quote
from penstock.sql.planned import PlannedQuery
from penstock.stream.schema import OFFSET, PARTITION, SYSTEM, contract_schema

REJECTED_SCHEMA = pa.schema(
    [
        pa.field("topic", pa.string()),
        pa.field("partition", pa.int32()),
        pa.field("offset", pa.int64()),
        pa.field("codes", pa.list_(pa.string())),
        pa.field("reasons", pa.string()),
        pa.field("raw", pa.binary()),
    ]
)
_INSTANT = "TIMESTAMPTZ '1970-01-01 00:00:00+00'"
_MOST_CHECKS = 16  # kept: producers may write ever other keys, or spell them otherwise


@dataclass(frozen=True)
class Taken:
    """Rows that came in: `rows` have the contract's columns after partition and offset, in the order they came in;
    `rejected` are of REJECTED_SCHEMA."""

    rows: pa.Table
    rejected: pa.Table
    counts: Counts


def payload_schema(topic: Topic, contract: Contract) -> pa.Schema:
    """The columns of a declared topic."""
    if topic.format is TopicFormat.JSON:
        return pa.schema([pa.field(json_rows.VALUE, pa.binary())])
    return contract_schema(contract)


class Incoming:
    """Holds rows of one topic to its contract. `domains` names the columns that become pseudonyms. `texts`: rows come
    as bronze keeps them, every value as text."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        topic: Topic,
        contract: Contract,
        *,
        tenant: str,
        pseudonym_key: bytes,
        domains: Mapping[str, str],
        texts: bool = False,
    ) -> None:
        self.connection = connection
        self.topic = topic
        self.schema = pa.schema([*SYSTEM, *contract_schema(contract, domains)])
        self._contract = _alone(contract)
        self._tenant = tenant
        self._form = "texts" if texts else topic.format.value
        self._pseudonyms = Pseudonyms(pseudonym_key, domains)
        self._judge = json_rows.Judge(connection) if self._form == TopicFormat.JSON else None
        self._keys: tuple[tuple[str, ...] | None, Mapping[str, tuple[str, ...]]] = (None, {})
        self._checks: dict[tuple[object, pa.Schema], _Check] = {}  # by columns and schema

    def take(self, rows: pa.Table) -> Taken:
        """Check `rows`: the payload with partition and offset."""
        plain = (name for name in rows.column_names if name not in (PARTITION, OFFSET))
        names: Mapping[str, tuple[str, ...]] = {name: (name,) for name in plain}
        came, malformed = rows, _EMPTY
        if self._judge is not None:
            judged = self._judge.judge(rows)
            came, names, malformed = judged.objects, self._names(judged.keys), self._malformed(judged.malformed)
        check = self._check(names, came.schema)
        typed = check.typed(came)
        bad, left_out = (_flags(typed[name]) for name in (REJECTED, FILTERED))
        rejected = self._rejected(check, came.filter(pa.array(bad))) if bad.any() else _EMPTY
        if bad.any() or left_out.any():
            typed = typed.filter(pa.array(~(bad | left_out)))
        counts = Counts(
            rows_in=rows.num_rows,
            accepted=typed.num_rows,
            quarantined=malformed.num_rows + rejected.num_rows,
            filtered=int(left_out.sum()),
        )
        return Taken(typed.select(self.schema.names).cast(self.schema), pa.concat_tables([malformed, rejected]), counts)

    def _names(self, keys: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
        """The columns that objects with these keys have of those that the contract reads, and the keys of each. Mostly
        they are those of the batch before."""
        if keys != self._keys[0]:
            self._keys = (keys, self._read_of(keys))
        return self._keys[1]

    def _read_of(self, keys: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
        known = [name for column in self._contract.columns for name in (column.name, *column.aliases)]
        names = json_rows.named(keys, (PARTITION, OFFSET), known)
        if self._contract.evolution is Evolution.DISCARD_ROW:  # a column that is unknown says that a row is left out
            return names
        unknown = set(resolve(self._contract, self.topic.source.reading, tuple(names)).unknown)
        return {name: of_name for name, of_name in names.items() if name not in unknown}

    def _check(self, names: Mapping[str, tuple[str, ...]], schema: pa.Schema) -> _Check:
        form = (tuple(names.items()), schema)
        if form not in self._checks:
            if len(self._checks) == _MOST_CHECKS:
                self._checks.pop(next(iter(self._checks))).close()
            self._checks[form] = _Check(self.connection, self._plan(tuple(names)), self._origin(names), schema)
        return self._checks[form]

    def _plan(self, names: tuple[str, ...]) -> Plan:
        return compile_plan(
            self._contract,
            self.topic.source.reading,
            (*names, *ROW_SYSTEM),
            tenant=self._tenant,
            pseudonyms=self._pseudonyms,
            typed=self._form == TopicFormat.COLUMNS,
        )

    def _origin(self, names: Mapping[str, tuple[str, ...]]) -> Callable[[str], str]:
        """Of a relation, the columns `names` and the system columns of rows of files: a partition stands for file and
        batch, an offset for the line."""
        origin = (
            f"{literal(self._tenant)} AS _tenant, {literal(self.topic.name)} AS _source, '' AS _file,"
            f" {OFFSET} AS _line, CAST({PARTITION} AS VARCHAR) AS _file_id, {_INSTANT} AS _ingested_at,"
            f" CAST({PARTITION} AS BIGINT) AS _batch"
        )
        wanted = ", ".join(map(quote, names))
        if self._judge is None:
            return lambda relation: f"(SELECT {wanted}, {origin} FROM {relation})"
        return lambda relation: (
            f"(SELECT {wanted}, {origin} FROM ({json_rows.columns(relation, names, (PARTITION, OFFSET))}))"
        )

    def _malformed(self, rows: pa.Table) -> pa.Table:
        if rows.num_rows == 0:
            return _EMPTY
        codes, expected = rows["code"].to_pylist(), rows["expected"].to_pylist()
        reasons = [_reason(*facts) for facts in zip(codes, expected, strict=True)]
        columns = [
            pa.repeat(pa.scalar(self.topic.name), rows.num_rows),
            rows[PARTITION],
            rows[OFFSET],
            pa.array([[code] for code in codes], pa.list_(pa.string())),
            pa.array(reasons, pa.string()),
            rows[json_rows.VALUE],
        ]
        return pa.table(columns, schema=REJECTED_SCHEMA)

    def _rejected(self, check: _Check, came: pa.Table) -> pa.Table:
        found = check.refused(came)
        if self._judge is not None:  # the bytes as they came, not as they were read
            found = found.set_column(found.schema.get_field_index("raw"), "raw", came[json_rows.TEXT].cast(pa.binary()))
        ordered = found.select(REJECTED_SCHEMA.names).cast(REJECTED_SCHEMA)
        return ordered.sort_by([("partition", "ascending"), ("offset", "ascending")])


class _Check:
    """The contract compiled for rows of one form, planned once for all of them. Rows come out in their order."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, plan: Plan, origin: Callable[[str], str], schema: pa.Schema
    ) -> None:
        self._connection, self._plan, self._origin, self._schema = connection, plan, origin, schema
        self._typed = PlannedQuery(connection, schema, self._typed_sql)
        self._refused: PlannedQuery | None = None  # until a row is

    def typed(self, rows: pa.Table) -> pa.Table:
        """The contract's columns of every row with partition, offset, and whether it is rejected or filtered."""
        return self._typed.over(rows)

    def refused(self, rows: pa.Table) -> pa.Table:
        """Rows all of which are rejected, as REJECTED_SCHEMA has them."""
        if self._refused is None:
            self._refused = PlannedQuery(self._connection, self._schema, self._refused_sql)
        return self._refused.over(rows)

    def close(self) -> None:
        for query in (self._typed, self._refused):
            if query is not None:
                query.close()

    def _typed_sql(self, relation: str) -> str:
        own = [quote(name) for name in self._plan.columns if name not in ROW_SYSTEM]
        system = f"CAST(_batch AS INTEGER) AS {PARTITION}, _line AS {OFFSET}"
        return (
            f"SELECT {', '.join(own)}, {system}, {REJECTED}, {FILTERED}"
            f" FROM ({self._plan.typed_rows(self._origin(relation))})"
        )

    def _refused_sql(self, relation: str) -> str:
        return (
            f'SELECT _source AS topic, CAST(_file_id AS INTEGER) AS partition, _line AS "offset", codes, reasons,'
            f" encode(row) AS raw FROM ({self._plan.refused(self._origin(relation))})"
        )


_EMPTY = REJECTED_SCHEMA.empty_table()


@cache  # one for each code
def _reason(code: str, expected: str) -> str:
    fact = {"code": code, "column": None, "expected": expected, "found": None}
    return json.dumps([fact], separators=(",", ":"))


def _alone(contract: Contract) -> Contract:
    """The contract as it holds one row: keys are required, but nothing is hashed or merged."""
    columns = tuple(
        replace(column, required=column.required or column.name in contract.key) for column in contract.columns
    )
    return replace(contract, columns=columns, key=(), dedupe=Dedupe())


def _flags(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(pc.fill_null(column, False), dtype=bool)
