"""Appends loans in small batches and keeps a ledger outside the log: a process for tests to kill.

A line says that a batch is meant or acknowledged; each is synced before the next step. A batch is named by its sequence,
and its rows follow from that, so a process begun anew goes on where the log says the one before it was.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pyarrow as pa

from penstock.log.protocol import TopicSpec
from penstock.runtime.event_log import open_log
from penstock.runtime.installation import Installation
from penstock.runtime.topology import declared_topic
from penstock.stream.outgoing import records
from tests.stream.running_topology import Row, loan

ROWS, MEMBERS = 40, 7


def rows_of(sequence: int) -> list[Row]:
    first = sequence * ROWS
    return [loan(number, f"m{number % MEMBERS}") for number in range(first, first + ROWS)]


def append(installation: Installation, spec: TopicSpec, batches: int, ledger: int) -> None:
    with open_log(installation) as log:
        log.ensure(spec)
        producer = log.producer("desk", spec.name)
        for sequence in range(producer.last_sequence + 1, batches):
            _note(ledger, f"meant {sequence}")
            table = pa.Table.from_pylist(rows_of(sequence), schema=spec.schema)
            made = records(table, tenant="default", key=("member",), time="lent")
            producer.append(made, sequence=sequence)
            _note(ledger, f"acknowledged {sequence}")
        producer.close()


def _note(ledger: int, line: str) -> None:
    os.write(ledger, f"{line}\n".encode())
    os.fsync(ledger)


if __name__ == "__main__":
    root, path, count = sys.argv[1:]
    installed = Installation.at(Path(root))
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    append(installed, declared_topic(installed.project, "loans_typed"), int(count), opened)
