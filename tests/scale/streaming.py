"""A program that runs the topologies of a project and stops for ever in the middle of a transaction.

`python streaming.py PROJECT ROUND ASIDE`: the rows and the state of that round are with the broker, and not committed.
Rounds of ASIDE rows are committed while the next is worked on.
"""

from __future__ import annotations

import signal
import sys
from itertools import count
from pathlib import Path
from unittest.mock import patch

from confluent_kafka import Producer

from penstock.log.kafka.changelog import Changelog, Entry
from penstock.runtime.installation import Installation
from penstock.runtime.stream import stream
from penstock.stream.runner import Limits


def main() -> None:
    write, rounds = Changelog.write, count()

    def hanging(self: Changelog, producer: Producer, entry: Entry) -> None:
        write(self, producer, entry)
        if next(rounds) == int(sys.argv[2]):
            producer.flush()
            sys.stdout.write("hangs\n")
            sys.stdout.flush()
            signal.pause()

    with patch.object(Changelog, "write", hanging):
        stream(Installation.at(Path(sys.argv[1])), limits=Limits(rows=20, rows_aside=int(sys.argv[3])))


if __name__ == "__main__":
    main()
