"""Suites on real components; `make test-scale` runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from penstock.log.kafka.client import KafkaSettings
from penstock.log.kafka.kafka_log import KafkaLog
from penstock.world import real_world
from tests.scale.scale_place import Cluster

if TYPE_CHECKING:
    from tests.scale.broker import Broker

_numbers = count()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.scale)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    from tests.scale.broker import Broker, fetch_jars, missing

    if missing():
        pytest.fail(f"NOT TESTED: install {' and '.join(missing())} to run the suites on Kafka")
    fetch_jars()
    found = Broker(tmp_path_factory.mktemp("kafka"))
    found.format()
    found.start()
    yield found
    found.stop()


@pytest.fixture
def settings(broker: Broker) -> KafkaSettings:
    return KafkaSettings(broker.servers, replication=1)


@pytest.fixture
def place(settings: KafkaSettings) -> Iterator[Cluster]:
    found = Cluster(settings)
    yield found
    found.close()


@pytest.fixture
def on_kafka(broker: Broker, settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands, and logs opened as they do it, use the broker; the topics that come of it go at the end."""
    monkeypatch.setenv("PENSTOCK_KAFKA", broker.servers)
    with KafkaLog.open(settings, real_world()) as log:
        cluster = log._cluster
        before = cluster.admin.list_topics().topics.keys()
        yield
        known = log.topics().keys()
        for topic in cluster.admin.list_topics().topics.keys() - before:
            (log if topic in known else cluster).remove(topic)


@pytest.fixture
def fresh() -> Callable[[str], str]:
    return lambda stem: f"{stem}-{next(_numbers)}"
