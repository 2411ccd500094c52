"""A compacted topic read as a table: the newest value of each key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from penstock.log.kafka.client import PATIENCE, KafkaSettings, as_error, kafka_errors
from penstock.log.protocol import LogStorageError

_AT_ONCE = 10_000
_FEW = 500  # at a time: when 700 more are there than before, Python's collector looks through what lives
_LINGER = 0.002  # seconds, for the rest of what is there
_LOOK = 0.5  # seconds


def arriving(consumer: Consumer, most: int, timeout: float, *, linger: float = _LINGER) -> Iterator[list[Message]]:
    """What comes within `timeout` seconds, a part at a time; it waits for the first message, and for the rest `linger`
    seconds at a time."""
    messages: list[Message] = consumer.consume(1, timeout=timeout)
    while messages:
        yield messages
        most -= len(messages)
        messages = consumer.consume(min(most, _FEW), timeout=linger) if most else []


def arrived(consumer: Consumer, most: int, timeout: float) -> list[Message]:
    """All of it."""
    return list(chain.from_iterable(arriving(consumer, most, timeout)))


def assigned(consumer: Consumer, topic: str, partitions: Sequence[int]) -> list[TopicPartition]:
    """The partitions, to be read from the oldest message. It is asked for by its number: a client that is to begin at
    the beginning, wherever that is, asks half a second later."""
    firsts = [consumer.get_watermark_offsets(TopicPartition(topic, part), timeout=PATIENCE)[0] for part in partitions]
    parts = [TopicPartition(topic, part, first) for part, first in zip(partitions, firsts, strict=True)]
    consumer.assign(parts)
    return parts


def drained(
    consumer: Consumer, parts: list[TopicPartition], reached: dict[tuple[str, int], int]
) -> Iterator[tuple[bytes, bytes | None]]:
    """(key, value) of all messages from the offsets `reached`, which move, to where each partition ends now.

    Waits for transactions that are open: what was committed behind them must not be missed.
    """
    ends = {(one.topic, one.partition): consumer.get_watermark_offsets(one, timeout=PATIENCE)[1] for one in parts}
    silent = 0
    while any(reached.get(place, 0) < end for place, end in ends.items()):
        messages = arrived(consumer, _AT_ONCE, _LOOK)
        silent = 0 if messages else silent + 1
        if silent * _LOOK > PATIENCE:
            raise LogStorageError("Kafka does not give what it has", where=parts[0].topic)
        for message in messages:
            error, place = message.error(), (message.topic() or "", message.partition() or 0)
            if error is None:
                yield message.key() or b"", message.value()
            elif error.code() != KafkaError._PARTITION_EOF:
                raise as_error(error, place[0])
            reached[place] = (message.offset() or 0) + (error is None)


class Table:
    """Some partitions of a compacted topic, kept up to date by `refresh`; in between nobody asks what is new."""

    def __init__(self, settings: KafkaSettings, topic: str, partitions: tuple[int, ...] = (0,)) -> None:
        self.topic = topic
        self.values: dict[bytes, bytes] = {}
        self._reached: dict[tuple[str, int], int] = {}
        with kafka_errors(topic):
            self._consumer = Consumer(settings.consumer())
            self._parts = assigned(self._consumer, topic, partitions)

    def refresh(self) -> dict[bytes, bytes]:
        with kafka_errors(self.topic):
            self._consumer.resume(self._parts)
            for key, value in drained(self._consumer, self._parts, self._reached):
                if value is None:
                    self.values.pop(key, None)
                else:
                    self.values[key] = value
            self._consumer.pause(self._parts)
        return self.values

    def close(self) -> None:
        self._consumer.close()


class Notes:
    """Writes single values of a table, durably. One that is written twice does no harm, and none overtakes another: a
    client that numbers what it sends would look for a broker to begin with, and again half a second later."""

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self._topic = topic
        one_by_one: dict[str, object] = {"max_in_flight_requests_per_connection": 1}
        self._producer = Producer(settings.client(acks="all", linger_ms=0, **one_by_one))

    def write(self, values: dict[bytes, bytes | None]) -> None:
        with self._delivered() as failures:
            for key, value in values.items():
                self._producer.produce(
                    self._topic,
                    value,
                    key,
                    0,
                    on_delivery=lambda error, _: failures.append(error) if error is not None else None,
                )

    @contextmanager
    def _delivered(self) -> Iterator[list[KafkaError]]:
        failures: list[KafkaError] = []
        with kafka_errors(self._topic):
            yield failures
            left = self._producer.flush(PATIENCE)
        if left:
            raise LogStorageError("Kafka does not answer", where=self._topic)
        if failures:
            raise as_error(failures[0], self._topic) from KafkaException(failures[0])

    def close(self) -> None:
        self._producer.close()
