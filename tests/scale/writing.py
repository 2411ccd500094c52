"""A program that appends to a topic in Kafka: `python writing.py SERVERS TOPIC COUNT [HANGS_AT]`.

A line is printed for each append that is done. With HANGS_AT it stops for ever in the middle of that transaction.
"""

from __future__ import annotations

import signal
import sys
from typing import Any
from unittest.mock import patch

from confluent_kafka import Producer

from penstock.log.kafka import kafka_writers
from penstock.log.kafka.client import KafkaSettings
from penstock.log.kafka.kafka_log import KafkaLog
from penstock.log.kafka.messages import send
from penstock.log.protocol import TopicSpec
from penstock.testing.log_rows import PAYLOAD, numbered
from penstock.world import real_world

ROWS = 100


def main() -> None:
    servers, topic, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    hangs_at = int(sys.argv[4]) if len(sys.argv) > 4 else -1

    def hanging(producer: Producer, *rest: Any, sequence: int, **more: Any) -> Any:
        sent = send(producer, *rest, sequence=sequence, **more)
        if sequence == hangs_at:
            producer.flush()
            tell("hangs")
            signal.pause()
        return sent

    with (
        patch.object(kafka_writers, "send", hanging),
        KafkaLog.open(KafkaSettings(servers, replication=1, transaction_timeout=10), real_world()) as log,
    ):
        log.ensure(TopicSpec(topic, 2, PAYLOAD))
        producer = log.producer("writer", topic)
        for sequence in range(producer.last_sequence + 1, count):
            producer.append(numbered(ROWS * sequence, ROWS * sequence + ROWS), sequence=sequence)
            tell(str(sequence))


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
