"""Which event log the installation has."""

from __future__ import annotations

import os
from pathlib import Path

from penstock.errors import UsageError
from penstock.log.protocol import Log
from penstock.runtime.installation import Installation
from penstock.world import World

KAFKA = "PENSTOCK_KAFKA"  # host:port, by comma: the log is that of a Kafka cluster
ENCODING = "PENSTOCK_KAFKA_ENCODING"  # json or avro
REGISTRY = "PENSTOCK_SCHEMA_REGISTRY"  # its address, for Avro


def open_log(installation: Installation) -> Log:
    """The log of the data directory, or of the Kafka cluster that the environment names."""
    return open_log_at(installation.place.root, installation.world)


def open_log_at(root: Path, world: World) -> Log:
    """As `open_log`, of a data directory alone."""
    servers = os.environ.get(KAFKA)
    if servers:
        return _open_kafka(servers, world)
    from penstock.log.embedded import EmbeddedLog

    return EmbeddedLog.open(root / "log", world)


def has_log(installation: Installation) -> bool:
    """Whether there is one already, without making it."""
    return bool(os.environ.get(KAFKA)) or waits_for_readers(installation)


def waits_for_readers(installation: Installation) -> bool:
    """Whether there is a log that keeps rows for readers who are behind; the brokers of Kafka wait for nobody."""
    return not os.environ.get(KAFKA) and (installation.place.root / "log").is_dir()


def _open_kafka(servers: str, world: World) -> Log:
    try:
        from penstock.log.kafka.client import KafkaSettings
        from penstock.log.kafka.kafka_log import KafkaLog
    except ModuleNotFoundError as error:
        remedy = "Install it: pip install 'penstock[kafka]'."
        raise UsageError(f"{KAFKA} is set, but the client of Kafka is missing", remedy=remedy) from error
    encoding, registry = os.environ.get(ENCODING, "json"), os.environ.get(REGISTRY)
    return KafkaLog.open(KafkaSettings(servers, encoding=encoding, registry=registry), world)
