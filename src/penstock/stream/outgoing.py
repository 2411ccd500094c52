"""What goes out: rows of the sinks as records of topics, with the key that decides their partition and their time."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from penstock.log.protocol import HEADERS, SYSTEM, TIMESTAMP
from penstock.stream.graph import Graph, Sink
from penstock.stream.number import one_array

_SEPARATOR = "\x1f"  # between the values of a key of several columns


def record_key(rows: pa.Table, columns: tuple[str, ...], *, tenant: str) -> pa.Array:
    """The key of each row: the tenant and the text of the columns, or null where there are none."""
    if not columns:
        return pa.nulls(rows.num_rows, pa.binary())
    texts = [pc.fill_null(_text(rows[name]), "") for name in columns]
    return pc.cast(pc.binary_join_element_wise(pa.scalar(tenant), *texts, _SEPARATOR), pa.binary())


def _text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Of times, many rows have the same one: each is written once."""
    if not pa.types.is_temporal(values.type):
        return pc.cast(values, pa.string())
    words = one_array(values).dictionary_encode()
    return words.dictionary.cast(pa.string()).take(words.indices)


def records(rows: pa.Table, *, tenant: str, key: tuple[str, ...] = (), time: str | None = None) -> pa.RecordBatch:
    """Rows as records of a topic."""
    count = rows.num_rows
    moments = pa.nulls(count, SYSTEM.field(TIMESTAMP).type) if time is None else rows[time]
    columns = [record_key(rows, key, tenant=tenant), moments, pa.nulls(count, SYSTEM.field(HEADERS).type)]
    table = pa.table([*columns, *rows.columns], schema=pa.schema([*SYSTEM, *rows.schema]))
    return table.combine_chunks().to_batches()[0]


class Outgoing:
    """Makes records of what a round made, topic by topic."""

    def __init__(self, graph: Graph, *, tenant: str) -> None:
        self._tenant = tenant
        self._sinks: Mapping[str, Sink] = {sink.output.topic: sink for sink in graph.sinks}

    def records(self, outputs: Mapping[str, pa.Table]) -> dict[str, pa.RecordBatch]:
        made = {}
        for topic, rows in outputs.items():
            if rows.num_rows == 0:
                continue
            sink = self._sinks.get(topic)
            key, time = ((), None) if sink is None else (sink.output.key, sink.time)
            made[topic] = records(rows, tenant=self._tenant, key=key, time=time)
        return made
