"""A Kafka cluster as the place of the conformance suite."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

from confluent_kafka import Consumer, TopicPartition

from penstock.log.kafka.client import KafkaSettings
from penstock.log.kafka.kafka_log import KafkaLog
from penstock.log.protocol import Log
from penstock.world import real_world


class PatientLog(KafkaLog):
    """Tells where a topic ends only when all that was committed can be read."""

    def bounds(self, topic: str) -> Mapping[int, tuple[int, int]]:
        partitions = len(super().bounds(topic))
        with closing(Consumer(self._settings.consumer(isolation_level="read_uncommitted"))) as consumer:
            ends = [consumer.get_watermark_offsets(TopicPartition(topic, part), 10)[1] for part in range(partitions)]
        while True:
            found = super().bounds(topic)
            if all(found[part][1] >= end for part, end in enumerate(ends)):
                return found


class Cluster:
    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._opened: list[KafkaLog] = []

    def open(self) -> Log:
        self._opened.append(PatientLog.open(self._settings, real_world()))
        return self._opened[-1]

    def forsake(self, log: Log) -> None:
        """Nobody waits for anybody here: a newer one takes over."""

    def remove(self, topic: str) -> None:
        with PatientLog.open(self._settings, real_world()) as log:
            log.remove(topic)

    def close(self) -> None:
        for log in self._opened:
            log.close()
