"""The peer of the road: the same job in Flink SQL over CSV files, into files or into a blackhole. Runs in its own environment.

python flink_sql.py SOURCE TARGET      TARGET is a folder, or `-` for the blackhole; prints milliseconds of the job as JSON

The statistics of the earlier payments of a member are those of an unbounded OVER aggregate less the payment itself, since
Flink's OVER ends at the current row; money is whole cents, which Flink adds faster than decimals. Nothing is durable:
no checkpoints, no state outside of the heap.
"""

from __future__ import annotations

import json
import sys

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
SOURCE = """
CREATE TABLE payments (
    payment BIGINT,
    payer STRING,
    amount DECIMAL(18, 2),
    paid_at TIMESTAMP(3),
    taken AS PROCTIME(),
    WATERMARK FOR paid_at AS paid_at - INTERVAL '10' SECOND
) WITH ('connector' = 'filesystem', 'path' = '{source}', 'format' = 'csv')
"""
CONFORMED = """
CREATE TEMPORARY VIEW conformed AS
SELECT payment, payer, CAST(amount * 100 AS BIGINT) AS cents, paid_at, taken
FROM payments
WHERE payment IS NOT NULL AND payer IS NOT NULL AND amount >= 0 AND paid_at IS NOT NULL
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


def main(source: str, target: str) -> float:
    """Milliseconds that the job ran, without the start of the JVM and the planning."""
    environment = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    for name, value in SETTINGS.items():
        environment.get_config().set(name, value)
    environment.execute_sql(SOURCE.format(source=source))
    environment.execute_sql(CONFORMED)
    environment.execute_sql(SCORED)
    statements = environment.create_statement_set()
    for name, (columns, query) in SINKS.items():
        into = f"'filesystem', 'path' = '{target}/{name}', 'format' = 'csv'"
        connector = "'blackhole'" if target == "-" else into
        environment.execute_sql(f"CREATE TABLE {name} ({columns}) WITH ('connector' = {connector})")
        statements.add_insert_sql(f"INSERT INTO {name} {query}")
    job = statements.execute().get_job_client()
    assert job is not None
    return float(job.get_job_execution_result().result().get_net_runtime())


if __name__ == "__main__":
    print(json.dumps({"milliseconds": main(*sys.argv[1:])}))
