"""How Kafka is reached, and its refusals as errors of the log."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from penstock.errors import Fenced, PenstockError, StorageError
from penstock.log.protocol import LogError, LogStorageError

PATIENCE = 60.0  # seconds for a broker to answer
LIST = "penstock.topics"  # the topic that is always there
_FENCED = {
    KafkaError._FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.FENCED_INSTANCE_ID,
}
_MOVED = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
}
_DAMAGED = {KafkaError._BAD_MSG, KafkaError._BAD_COMPRESSION, KafkaError.INVALID_MSG}
_LOGGER = logging.getLogger("penstock.kafka")
_LOGGER.addHandler(logging.NullHandler())  # who wants to see what the client says, adds a handler


def _told_elsewhere(error: KafkaError) -> None:
    """What matters is told again by the call that it concerns; without this the client raises it from any call."""


class GroupMoved(LogStorageError):
    """The group went on without this member, or is just moving partitions."""


@dataclass(frozen=True)
class KafkaSettings:
    """`servers`: host:port, by comma. `options` go to every client (security, for instance) under librdkafka's names.

    `encoding` is json or avro; Avro needs the address of a schema registry. `transaction_timeout`: so many seconds after
    a writer died in a transaction, rows behind it become visible, unless it comes back sooner.
    """

    servers: str
    encoding: str = "json"
    registry: str | None = None
    replication: int = -1  # as the brokers have it
    transaction_timeout: float = 30.0
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def client(self, **more: object) -> dict[str, Any]:
        """Settings of a client; names with underscores for dots."""
        named = {name.replace("_", "."): value for name, value in more.items()}
        quiet = {"logger": _LOGGER, "error_cb": _told_elsewhere}
        return {"bootstrap.servers": self.servers, **quiet, **self.options, **named}

    def consumer(self, group: str = "penstock", **more: object) -> dict[str, Any]:
        own: dict[str, object] = {
            "group_id": group,
            "isolation_level": "read_committed",
            "enable_auto_commit": False,
            "enable_auto_offset_store": False,
            "auto_offset_reset": "error",
            "enable_partition_eof": True,
            "check_crcs": True,
            "fetch_wait_max_ms": 20,
        }
        return self.client(**own | more)


@contextmanager
def kafka_errors(where: str) -> Iterator[None]:
    try:
        yield
    except (KafkaException, SystemError) as error:
        told = _told(error)
        if told is None:
            raise
        raise as_error(told, where) from error


def _told(error: BaseException) -> KafkaError | None:
    """What Kafka said. A fatal error that comes while the client calls back is wrapped in a SystemError."""
    found = error.__cause__ if isinstance(error, SystemError) else error
    return found.args[0] if isinstance(found, KafkaException) else None


def as_error(error: KafkaError, where: str) -> PenstockError:
    if error.code() in _FENCED:
        remedy = "Let the newer one go on."
        return Fenced("A newer writer took over; this one must not write any more", where=where, remedy=remedy)
    if error.code() in _MOVED:
        return GroupMoved("The group moved on", where=where, found=error.str())
    if error.code() in _DAMAGED:
        return LogError("A batch of the log is damaged; it was not read", where=where, found=error.str())
    if error.fatal():
        return StorageError("Kafka refused for good", where=where, found=error.str(), remedy="Start again.")
    return LogStorageError("Kafka refused", where=where, found=error.str(), remedy="It is tried again.")


def admin(settings: KafkaSettings) -> AdminClient:
    return AdminClient(settings.client())


class Transactions:
    """A transactional id: everything written within `run` is there as a whole, or not at all."""

    def __init__(self, settings: KafkaSettings, name: str) -> None:
        self._name = name
        self._broken: PenstockError | None = None
        with kafka_errors(name):
            self.producer = Producer(
                settings.client(
                    transactional_id=name,
                    enable_idempotence=True,
                    compression_type="lz4",
                    linger_ms=5,
                    batch_size=1_000_000,
                    queue_buffering_max_messages=2_000_000,
                    queue_buffering_max_kbytes=1 << 20,
                    transaction_timeout_ms=int(settings.transaction_timeout * 1000),
                )
            )
            # Of the address that was given, then of a broker by its name, which knows the coordinator.
            for _ in range(2):
                self.producer.list_topics(LIST, PATIENCE)
            self.producer.init_transactions(PATIENCE)

    def run(self, fill: Callable[[Producer], None]) -> None:
        """Raises Fenced, or LogStorageError when nothing was written and the same may be tried again."""
        if self._broken is not None:
            raise self._broken
        with self._judged():
            self.producer.begin_transaction()
            fill(self.producer)
            self._commit()

    @contextmanager
    def _judged(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            told = _told(error)
            mapped = error if told is None else as_error(told, self._name)
            if self._broken is None:
                self._broken = self._undo(mapped)
            raise mapped from error

    def _commit(self) -> None:
        """An answer that is long in coming leaves open whether it is there: then only a new start can tell."""
        try:
            self.producer.commit_transaction(PATIENCE)
        except KafkaException as error:
            if not error.args[0].retriable():
                raise
            try:
                self.producer.commit_transaction(PATIENCE)
            except KafkaException as again:
                if not again.args[0].retriable():
                    raise
                found = again.args[0].str()
                self._broken = StorageError("It is not known whether Kafka committed", where=self._name, found=found)
                raise self._broken from again

    def _undo(self, error: BaseException) -> PenstockError | None:
        """Abort what was begun; the error that ends this writer when it cannot go on."""
        if isinstance(error, Fenced | StorageError) and not error.retryable:
            return error
        try:
            self.producer.abort_transaction(PATIENCE)
        except KafkaException as refused:
            told = refused.args[0]
            return None if told.code() == KafkaError._STATE else as_error(told, self._name)
        return None

    def close(self) -> None:
        """A fenced client has nothing to end, and says so: that is no news."""
        with suppress(KafkaException, SystemError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.producer.close()
