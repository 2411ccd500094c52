"""Other engines on the same topic of the same broker: the same statistics and windows, written back to topics."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # exported, not declared so

from bench import flink
from bench.figure import Figure
from bench.payments import AT, ODD, TOPIC, WINDOWS, Expected
from bench.peers.environment import locked, versions_of
from bench.poison import AS_JSON
from bench.process import run as run_process

ROOT = Path(__file__).resolve().parent.parent
JARS = ROOT / "build" / "flink-kafka"
POM = Path(__file__).parent / "peers" / "flink-kafka.xml"
QUIX = Path(__file__).parent / "peers" / "quix_streams.py"
QUIET = 3.0  # seconds without a message after which a topic is read
SUMS = pa.decimal128(38, 2)


@dataclass(frozen=True)
class Peer:
    """An engine; `run` takes a topic of these servers with so many rows through, and says how many seconds that took."""

    name: str
    prefix: str  # of the topics that it writes
    bar: float  # how many times faster ours must be
    run: Callable[[str, str, int], float]
    versions: Callable[[], Mapping[str, str]]
    most: int | None = None  # rows that it takes, of a topic of its own, when it is too slow for all


def measure(peer: Peer, servers: str, file: Path, *, rows: int) -> float:
    """Events a second, when what it wrote is what must come."""
    _make_topics(servers, [f"{peer.prefix}{name}" for name in (ODD, *WINDOWS)])
    topic = TOPIC
    if peer.most is not None and peer.most < rows:
        topic, rows, file = f"{peer.prefix}{TOPIC}", peer.most, _sample(file, peer.most)
        _copy(servers, file, topic)
    rate = rows / peer.run(servers, topic, rows)
    expected = Expected.of(file)
    odd = expected.check_odd(pa.Table.from_pylist(list(_messages(servers, f"{peer.prefix}{ODD}"))))
    found = {
        name: expected.check_windows(name, _windows(_messages(servers, f"{peer.prefix}{name}"))) for name in WINDOWS
    }
    print(f"  kafka  {peer.name}  {rows:,} rows  {rate:,.0f}/s  {odd} odd, {found}", flush=True)
    return rate


def _make_topics(servers: str, names: Sequence[str]) -> None:
    admin = AdminClient({"bootstrap.servers": servers})
    for one in admin.create_topics([NewTopic(name, 2, 1) for name in names]).values():
        one.result()


def _sample(file: Path, rows: int) -> Path:
    """The first rows, in a file beside it."""
    sample = file.with_name(f"{file.stem}-{rows}.parquet")
    pq.write_table(pq.read_table(file).slice(0, rows), sample)
    return sample


def _copy(servers: str, file: Path, topic: str) -> None:
    """The rows of the file as JSON messages, keyed by member."""
    _make_topics(servers, [topic])
    rows = pq.read_table(file)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        texts = connection.register("rows", rows).sql(AS_JSON).to_arrow_table()["value"].to_pylist()
    producer = Producer({"bootstrap.servers": servers, "compression.type": "lz4", "linger.ms": 20})
    for member, text in zip(rows["member"].to_pylist(), texts, strict=True):
        while True:
            try:
                producer.produce(topic, text, member.encode())
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()


def _messages(servers: str, topic: str) -> Iterator[dict[str, object]]:
    """What was committed to a topic."""
    own = {"group.id": "bench", "auto.offset.reset": "earliest", "isolation.level": "read_committed"}
    with closing(Consumer({"bootstrap.servers": servers, "enable.auto.commit": False, **own})) as consumer:
        consumer.subscribe([topic])
        while messages := consumer.consume(10_000, QUIET):
            yield from (json.loads(one.value() or b"") for one in messages)


def _windows(messages: Iterator[dict[str, object]]) -> pa.Table:
    """The last row of each member and window, as a live table has them."""
    latest = {(one["payer"], one["window_start"]): one for one in messages}
    rows = latest.values()
    columns = [
        pa.array([one["payer"] for one in rows]),
        pa.array([datetime.fromisoformat(str(one["window_start"])).replace(tzinfo=UTC) for one in rows], AT),
        pa.array([one["payments"] for one in rows], pa.int64()),
        pa.array([Decimal(str(one["paid"])) / 100 for one in rows], SUMS),
    ]
    return pa.table(columns, names=["member", "window_start", "payments", "paid"])


def _flink(servers: str, topic: str, _: int) -> float:
    if not any(JARS.glob("*.jar")):
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={JARS}"]
        subprocess.run(["mvn", "-q", "-B", "-f", str(POM), *goal], check=True)
    (jar,) = JARS.glob("*.jar")
    with tempfile.TemporaryDirectory() as checkpoints:
        cost = run_process([locked("flink"), flink.JOB, servers, topic, jar, checkpoints], env=flink.HEAP)
    return float(json.loads(cost.output.strip().splitlines()[-1])["milliseconds"]) / 1000


def _flink_versions() -> Mapping[str, str]:
    return {**versions_of(locked("flink"), ["apache-flink"]), "connector": next(JARS.glob("*.jar")).stem}


def _quix(servers: str, topic: str, rows: int) -> float:
    with tempfile.TemporaryDirectory() as state:
        cost = run_process([locked("quix"), QUIX, servers, topic, str(rows), state])
    return float(json.loads(cost.output.strip().splitlines()[-1])["milliseconds"]) / 1000


def _quix_versions() -> Mapping[str, str]:
    return versions_of(locked("quix"), ["quixstreams"])


PEERS = (
    Peer("Apache Flink 2.3 with exactly-once sinks", "flink_", 3, _flink, _flink_versions),
    Peer("Quix Streams 3.28, at least once", "quix_", 5, _quix, _quix_versions, most=100_000),
)


def figure(peer: Peer, rate: float, *, ours: float) -> Figure:
    return Figure(f"on Kafka, against {peer.name}", ours / rate, "x", peer.bar, peer.name, 1, higher_is_better=True)
