"""The peer of the road: the same job in Flink SQL, over CSV files or over Kafka. Runs in its own environment.

python flink_sql.py SOURCE TARGET                   from a folder into a folder, or into a blackhole (`-`)
python flink_sql.py SERVERS TOPIC JAR CHECKPOINTS   from a topic into topics `flink_*` by the connector JAR, exactly once

It prints the milliseconds of the job as JSON. The statistics of the earlier payments of a member are those of an unbounded OVER aggregate less the payment itself, since
Flink's OVER ends at the current row; money is whole cents, which Flink adds faster than decimals. State is on the heap;
from files there are no checkpoints, on Kafka one every five seconds commits what was written. They go to a folder: kept by
the job manager, as they are unless told otherwise, one of more than 5 MB fails, and the job begins again without end.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from pyflink.table import EnvironmentSettings, TableEnvironment

PARALLELISM = 2
SETTINGS = {
    "parallelism.default": str(PARALLELISM),
    "pipeline.object-reuse": "true",
    "state.backend.type": "hashmap",
    "table.exec.mini-batch.enabled": "true",
    "table.exec.mini-batch.allow-latency": "1 s",
    "table.exec.mini-batch.size": "5000",
    "table.optimizer.agg-phase-strategy": "TWO_PHASE",
    "table.local-time-zone": "UTC",
    "taskmanager.numberOfTaskSlots": str(PARALLELISM),
}
ON_KAFKA = {
    "execution.checkpointing.interval": "5 s",
    "execution.checkpointing.mode": "EXACTLY_ONCE",
    "execution.checkpointing.storage": "filesystem",
    "restart-strategy.type": "none",  # what goes wrong is to be seen
}
SOURCE = """
CREATE TABLE payments (
    payment BIGINT,
    `member` STRING,
    amount DECIMAL(18, 2),
    paid_at {instant},
    taken AS PROCTIME(),
    WATERMARK FOR paid_at AS paid_at - INTERVAL '10' SECOND
) WITH ({connector})
"""
CONFORMED = """
CREATE TEMPORARY VIEW conformed AS
SELECT payment, `member` AS payer, CAST(amount * 100 AS BIGINT) AS cents, paid_at, taken
FROM payments
WHERE payment IS NOT NULL AND `member` IS NOT NULL AND amount >= 0 AND paid_at IS NOT NULL
"""
SCORED = """
CREATE TEMPORARY VIEW scored AS
SELECT
    payment,
    n AS earlier,
    s / n / 100 AS usual,
    CASE WHEN n >= 10 AND n * q > s * s THEN (cents - s / n) / SQRT((n * q - s * s) / (n * (n - 1))) END AS score
FROM (
    SELECT
        payment,
        CAST(cents AS DOUBLE) AS cents,
        CAST(n - 1 AS DOUBLE) AS n,
        CAST(s - cents AS DOUBLE) AS s,
        CAST(q - cents * cents AS DOUBLE) AS q
    FROM (
        SELECT payment, cents, COUNT(*) OVER w AS n, SUM(cents) OVER w AS s, SUM(cents * cents) OVER w AS q
        FROM conformed
        WINDOW w AS (PARTITION BY payer ORDER BY taken ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    )
)
"""
WINDOWED = """
SELECT payer, window_start, COUNT(*) AS payments, SUM(cents) AS paid
FROM TABLE(TUMBLE(TABLE conformed, DESCRIPTOR(paid_at), INTERVAL '1' {size}))
GROUP BY payer, window_start, window_end
"""
SINKS = {
    "odd_payments": (
        "payment BIGINT, earlier DOUBLE, usual DOUBLE, score DOUBLE",
        "SELECT payment, earlier, usual, score FROM scored WHERE score > 3",
    ),
    "member_minutes": (
        "payer STRING, window_start TIMESTAMP(3), payments BIGINT, paid BIGINT",
        WINDOWED.format(size="MINUTE"),
    ),
    "member_days": (
        "payer STRING, window_start TIMESTAMP(3), payments BIGINT, paid BIGINT",
        WINDOWED.format(size="DAY"),
    ),
}


FILES = "'connector' = 'filesystem', 'path' = '{path}', 'format' = 'csv'"
KAFKA = "'connector' = 'kafka', 'properties.bootstrap.servers' = '{servers}', 'topic' = '{topic}', 'format' = 'json'"
FROM_TOPIC = (
    ", 'json.timestamp-format.standard' = 'ISO-8601', 'scan.startup.mode' = 'earliest-offset',"
    " 'scan.bounded.mode' = 'latest-offset', 'properties.isolation.level' = 'read_committed', 'properties.group.id' = 'flink'"
)
INTO_TOPIC = (
    ", 'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = '{topic}',"
    " 'properties.transaction.timeout.ms' = '600000', 'properties.compression.type' = 'lz4'"
)


def files(source: str, target: str) -> float:
    """Milliseconds of the job over files."""
    sinks = {
        name: "'connector' = 'blackhole'" if target == "-" else FILES.format(path=f"{target}/{name}") for name in SINKS
    }
    return run(SETTINGS, SOURCE.format(instant="TIMESTAMP(3)", connector=FILES.format(path=source)), sinks)


def kafka(servers: str, topic: str, jar: str, checkpoints: str) -> float:
    """Milliseconds of the job over a topic, until what it holds now is through and committed."""
    settings = {**SETTINGS, **ON_KAFKA, "pipeline.jars": f"file://{jar}"}
    settings["execution.checkpointing.dir"] = f"file://{checkpoints}"
    taken = KAFKA.format(servers=servers, topic=topic) + FROM_TOPIC
    sinks = {
        name: KAFKA.format(servers=servers, topic=f"flink_{name}") + INTO_TOPIC.format(topic=f"flink_{name}")
        for name in SINKS
    }
    return run(settings, SOURCE.format(instant="TIMESTAMP_LTZ(3)", connector=taken), sinks)


def run(settings: Mapping[str, str], source: str, sinks: Mapping[str, str]) -> float:
    """Milliseconds that the job ran, without the start of the JVM and the planning."""
    environment = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    for name, value in settings.items():
        environment.get_config().set(name, value)
    for statement in (source, CONFORMED, SCORED):
        environment.execute_sql(statement)
    statements = environment.create_statement_set()
    for name, (columns, query) in SINKS.items():
        environment.execute_sql(f"CREATE TABLE {name} ({columns}) WITH ({sinks[name]})")
        statements.add_insert_sql(f"INSERT INTO {name} {query}")
    job = statements.execute().get_job_client()
    assert job is not None
    return float(job.get_job_execution_result().result().get_net_runtime())


if __name__ == "__main__":
    print(json.dumps({"milliseconds": (kafka if len(sys.argv) == 5 else files)(*sys.argv[1:])}))
