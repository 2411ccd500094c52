"""Suites on real components; `make test-scale` runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from scale_place import Cluster

from penstock.log.kafka.client import KafkaSettings

_numbers = count()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.scale)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    from broker import Broker, fetch_jars, missing

    if missing():
        pytest.fail(f"NOT TESTED: install {' and '.join(missing())} to run the suites on Kafka")
    fetch_jars()
    found = Broker(tmp_path_factory.mktemp("kafka"))
    found.format()
    found.start()
    yield found
    found.stop()


@pytest.fixture
def settings(broker: object) -> KafkaSettings:
    return KafkaSettings(broker.servers, replication=1)


@pytest.fixture
def place(settings: KafkaSettings) -> Iterator[Cluster]:
    found = Cluster(settings)
    yield found
    found.close()


@pytest.fixture
def fresh() -> Callable[[str], str]:
    return lambda stem: f"{stem}-{next(_numbers)}"
