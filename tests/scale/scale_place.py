"""A Kafka cluster as the place of the conformance suite."""

from __future__ import annotations

from penstock.log.kafka.client import KafkaSettings
from penstock.log.kafka.kafka_log import KafkaLog
from penstock.log.protocol import Log
from penstock.world import real_world


class Cluster:
    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._opened: list[KafkaLog] = []

    def open(self) -> KafkaLog:
        self._opened.append(KafkaLog.open(self._settings, real_world()))
        return self._opened[-1]

    def forsake(self, log: Log) -> None:
        """Nobody waits for anybody here: a newer one takes over."""

    def remove(self, topic: str) -> None:
        with KafkaLog.open(self._settings, real_world()) as log:
            log.remove(topic)

    def close(self) -> None:
        for log in self._opened:
            log.close()
