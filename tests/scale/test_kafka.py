"""Kafka does what every event log does, with JSON and with Avro."""

from __future__ import annotations

from penstock.testing.log_suite import LogSuite


class TestKafkaLog(LogSuite): ...
