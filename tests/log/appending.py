"""A program that writes to a log: `python appending.py FOLDER COUNT`; it goes on where an earlier run stopped.

Each round appends ten rows and lets a job copy what it has not read yet; every line printed is a round that is done.
"""

from __future__ import annotations

import sys
from pathlib import Path

import penstock.world
from penstock.log.embedded import EmbeddedLog
from penstock.log.protocol import Position, TopicSpec
from penstock.log.volume import Limits
from penstock.testing.log_rows import PAYLOAD, numbered

ROWS = 10


def main() -> None:
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    limits = Limits(segment_bytes=int(sys.argv[3])) if len(sys.argv) > 3 else None
    with EmbeddedLog.open(folder / "log", penstock.world.real_world(), limits=limits) as log:
        log.ensure(TopicSpec("events", 1, PAYLOAD))
        producer = log.producer("writer", "events")
        job = log.job("copy", ["events"], [TopicSpec("copied", 1, PAYLOAD)])
        positions = dict(job.positions())
        reader = log.reader(positions)
        for number in range(producer.last_sequence + 1, count + 1):
            if number < count:
                producer.append(numbered(ROWS * number, ROWS * number + ROWS), sequence=number)
            for chunk in reader.poll(1000, 0.0):
                positions[chunk.topic, chunk.partition] = Position(
                    chunk.next, positions[chunk.topic, chunk.partition].incarnation
                )
                job.commit(
                    outputs={"copied": chunk.records.drop_columns(["_offset"])},
                    state_delta=b"delta",
                    snapshot=b"snapshot" if number % 3 == 2 else None,
                    journal=str(chunk.next).encode(),
                    positions=positions,
                )
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
