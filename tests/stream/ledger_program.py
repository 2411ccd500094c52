"""Appends loans in small batches without end and keeps a ledger outside the log: a process for tests to kill.

A line says that a batch is meant, refused or acknowledged; each is synced before the next step. A batch is named by its
sequence, and its rows follow from that, so a process begun anew goes on where the log says the one before it was. One that
a full disk refused is tried again. It ends when a file says that it is enough.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pyarrow as pa

from penstock.log.protocol import LogStorageError, Producer, TopicSpec
from penstock.runtime.event_log import open_log
from penstock.runtime.installation import Installation
from penstock.runtime.topology import declared_topic
from penstock.stream.outgoing import records
from tests.stream.running_topology import Row, loan

ROWS, MEMBERS = 40, 7
PAUSE, PAUSE_WHEN_REFUSED = 0.02, 0.2  # seconds between batches
LEDGER, ENOUGH = "ledger", "enough"


def rows_of(sequence: int) -> list[Row]:
    """No two rows of some ten thousand have a fee or a moment in common."""
    first = sequence * ROWS
    return [
        loan(number, f"m{number % MEMBERS}", fee=f"{number * 7919 % 1_000_003}.{number % 100:02d}", at=number / 100)
        for number in range(first, first + ROWS)
    ]


def append(root: Path, installation: Installation, spec: TopicSpec, ledger: int) -> None:
    with open_log(installation) as log:
        log.ensure(spec)
        producer = log.producer("desk", spec.name)
        sequence = producer.last_sequence
        while not (root / ENOUGH).exists():
            sequence += 1
            _note(ledger, f"meant {sequence}")
            table = pa.Table.from_pylist(rows_of(sequence), schema=spec.schema)
            made = records(table, tenant="default", key=("member",), time="lent")
            while not _is_accepted(producer, made, sequence):
                _note(ledger, f"refused {sequence}")
                time.sleep(PAUSE_WHEN_REFUSED)
            _note(ledger, f"acknowledged {sequence}")
            time.sleep(PAUSE)
        producer.close()


def _is_accepted(producer: Producer, rows: pa.RecordBatch, sequence: int) -> bool:
    try:
        producer.append(rows, sequence=sequence)
    except LogStorageError:
        return False
    return True


def _note(ledger: int, line: str) -> None:
    os.write(ledger, f"{line}\n".encode())
    os.fsync(ledger)


if __name__ == "__main__":
    place = Path(sys.argv[1])
    installed = Installation.at(place)
    opened = os.open(place / LEDGER, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    append(place, installed, declared_topic(installed.project, "loans_typed"), opened)
