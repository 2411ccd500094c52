"""What comes in: rows of a topic, held to its contract by the same compiled rules as rows of files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.conform import json_rows
from penstock.conform.columns import SYSTEM as ROW_SYSTEM
from penstock.conform.compile import FILTERED, REJECTED, Plan, Pseudonyms, compile_plan
from penstock.conform.counts import Counts
from penstock.spec.contract import Contract, Dedupe
from penstock.spec.stream import Topic, TopicFormat
from penstock.sql.names import literal, quote
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
        self._name = f"incoming {topic.name}"
        self._tenant = tenant
        self._form = "texts" if texts else topic.format.value
        self._pseudonyms = Pseudonyms(pseudonym_key, domains)
        self._plans: dict[tuple[str, ...], Plan] = {}
        self._viewed: tuple[object, ...] = ()

    def take(self, rows: pa.Table) -> Taken:
        """Check `rows`: the payload with partition and offset."""
        malformed = _EMPTY
        self.connection.register("chunk", rows)
        try:
            relation = f"SELECT * FROM {quote('chunk')}"
            names = [name for name in rows.column_names if name not in (PARTITION, OFFSET)]
            if self._form == TopicFormat.JSON:
                relation, names, malformed = self._opened()
            self._view(relation, names, rows.schema)
            taken = self._held(names)
        finally:
            self.connection.unregister("chunk")
        rejected = pa.concat_tables([malformed, taken.rejected])
        counts = Counts(
            rows_in=rows.num_rows,
            accepted=taken.rows.num_rows,
            quarantined=rejected.num_rows,
            filtered=taken.counts.filtered,
        )
        return Taken(taken.rows, rejected, counts)

    def _opened(self) -> tuple[str, list[str], pa.Table]:
        """The relation of the objects' keys as text, its columns, and the rows that are no objects."""
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE judged AS {json_rows.judged('chunk')}")
        found = [key for (key,) in self.connection.execute(json_rows.keys("judged")).fetchall()]
        known = [name for column in self._contract.columns for name in (column.name, *column.aliases)]
        names = list({name.lower(): name for name in (*known, *sorted(found))}.values())
        reason = "{'code': __fault.code, 'column': NULL, 'expected': __fault.expected, 'found': NULL}"
        malformed = self.connection.sql(
            f'SELECT {literal(self.topic.name)} AS topic, {PARTITION} AS partition, {OFFSET} AS "offset",'
            f" [__fault.code] AS codes, CAST(to_json([{reason}]) AS VARCHAR) AS reasons, {json_rows.VALUE} AS raw"
            f" FROM judged WHERE __fault IS NOT NULL"
        ).to_arrow_table()
        return json_rows.columns("judged", names, (PARTITION, OFFSET)), names, malformed.cast(REJECTED_SCHEMA)

    def _view(self, relation: str, names: Sequence[str], schema: pa.Schema) -> None:
        """Rows with their origin under a name; once for all batches of one form."""
        form = (relation, tuple(names), schema)
        if form != self._viewed:
            origin = self._with_origin(relation, names)
            self.connection.execute(f"CREATE OR REPLACE TEMP VIEW {quote(self._name)} AS {origin}")
            self._viewed = form

    def _held(self, names: Sequence[str]) -> Taken:
        plan = self._plan(tuple(names))
        typed = self.connection.sql(plan.typed(self._name)).to_arrow_table()
        bad, left_out = (_flags(typed[name]) for name in (REJECTED, FILTERED))
        rejected = self._rejected(plan, typed) if bad.any() else _EMPTY
        if bad.any() or left_out.any():
            typed = typed.filter(pa.array(~(bad | left_out)))
        rows = typed.append_column(PARTITION, pc.cast(typed["_batch"], pa.int32()))
        rows = rows.rename_columns([OFFSET if name == "_line" else name for name in rows.column_names])
        counts = Counts(filtered=int(left_out.sum()))
        return Taken(rows.select(self.schema.names).cast(self.schema), rejected, counts)

    def _plan(self, names: tuple[str, ...]) -> Plan:
        if names not in self._plans:
            self._plans[names] = compile_plan(
                self._contract,
                self.topic.source.reading,
                (*names, *ROW_SYSTEM),
                tenant=self._tenant,
                pseudonyms=self._pseudonyms,
                typed=self._form == TopicFormat.COLUMNS,
            )
        return self._plans[names]

    def _with_origin(self, relation: str, names: Sequence[str]) -> str:
        """The system columns of rows of files: a partition stands for file and batch, an offset for the line."""
        origin = (
            f"{literal(self._tenant)} AS _tenant, {literal(self.topic.name)} AS _source, '' AS _file,"
            f" {OFFSET} AS _line, CAST({PARTITION} AS VARCHAR) AS _file_id, {_INSTANT} AS _ingested_at,"
            f" CAST({PARTITION} AS BIGINT) AS _batch"
        )
        return f"SELECT {', '.join(map(quote, names))}, {origin} FROM ({relation})"

    def _rejected(self, plan: Plan, typed: pa.Table) -> pa.Table:
        refused = (
            f'SELECT _source AS topic, CAST(_file_id AS INTEGER) AS partition, _line AS "offset", codes, reasons,'
            f" encode(row) AS raw FROM ({plan.rejected(self._name, 'typed')})"
        )
        if self._form == TopicFormat.JSON:  # the bytes as they came, not as they were read
            refused = (
                f"SELECT r.* REPLACE (j.{json_rows.VALUE} AS raw) FROM ({refused}) AS r JOIN judged AS j"
                f' ON j.{PARTITION} = r.partition AND j.{OFFSET} = r."offset"'
            )
        self.connection.register("typed", typed)
        try:
            found = self.connection.sql(f"{refused} ORDER BY ALL").to_arrow_table()
        finally:
            self.connection.unregister("typed")
        return found.cast(REJECTED_SCHEMA)


_EMPTY = REJECTED_SCHEMA.empty_table()


def _alone(contract: Contract) -> Contract:
    """The contract as it holds one row: keys are required, but nothing is hashed or merged."""
    columns = tuple(
        replace(column, required=column.required or column.name in contract.key) for column in contract.columns
    )
    return replace(contract, columns=columns, key=(), dedupe=Dedupe())


def _flags(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(pc.fill_null(column, False), dtype=bool)
