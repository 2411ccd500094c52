"""The peer of the road on Kafka in Python: Quix Streams, at least once. Runs in its own environment.

python quix_streams.py SERVERS TOPIC ROWS STATE     prints milliseconds from the first row to the last as JSON
"""

from __future__ import annotations

import json
import math
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from quixstreams import Application, State
from quixstreams.dataframe.windows import Count, Sum

MINIMUM, THRESHOLD = 10, 3.0
WINDOWS = {"member_minutes": 60_000, "member_days": 86_400_000}
GRACE = 10_000


def conformed(value: dict[str, Any]) -> dict[str, Any] | None:
    """The row as the contract types it, None when it breaks it; money as whole cents."""
    payment, payer, amount = value.get("payment"), value.get("member"), Decimal(value.get("amount", "NaN"))
    if not isinstance(payment, int) or not isinstance(payer, str) or not amount >= 0:
        return None
    return {"payment": payment, "payer": payer, "cents": int(amount * 100)}


def scored(row: dict[str, Any], state: State) -> dict[str, Any] | None:
    """The statistics of the earlier payments of the member when this one is odd, else None."""
    count, mean, squares = state.get("statistics", (0, 0.0, 0.0))
    distance = row["cents"] - mean
    odd = None
    if count >= MINIMUM and squares > 0 and (score := distance / math.sqrt(squares / (count - 1))) > THRESHOLD:
        odd = {"payment": row["payment"], "earlier": count, "usual": mean / 100, "score": score}
    moved = mean + distance / (count + 1)
    state.set("statistics", (count + 1, moved, squares + distance * (row["cents"] - moved)))
    return odd


def windowed(value: dict[str, Any], key: bytes, _: int, __: object) -> dict[str, Any]:
    start = datetime.fromtimestamp(value["start"] / 1000, UTC).replace(tzinfo=None).isoformat()
    payer = key.decode().rpartition("\x1f")[2]  # keys of topics made here begin with the tenant
    return {"payer": payer, "window_start": start, "payments": value["payments"], "paid": value["paid"]}


def paid_at(value: dict[str, Any], _: object, __: float, ___: object) -> int:
    return int(datetime.fromisoformat(value["paid_at"]).timestamp() * 1000)


def main(servers: str, topic: str, rows: str, state: str) -> float:
    """Milliseconds from the first row to the last."""
    taken: list[float] = []

    def count(_: str, __: int, ___: int) -> None:
        taken.append(time.perf_counter())
        if len(taken) == int(rows):
            application.stop()

    application = Application(
        servers,
        consumer_group="quix",
        auto_offset_reset="earliest",
        processing_guarantee="at-least-once",
        state_dir=state,
        on_message_processed=count,
        consumer_extra_config={"isolation.level": "read_committed"},
        producer_extra_config={"compression.type": "lz4"},
        loglevel="ERROR",
    )
    source = application.topic(topic, timestamp_extractor=paid_at)
    frame = application.dataframe(source).apply(conformed).filter(lambda row: row is not None)
    odd = frame.apply(scored, stateful=True).filter(lambda row: row is not None)
    odd.to_topic(application.topic("quix_odd_payments"))
    for name, size in WINDOWS.items():
        window = frame.tumbling_window(size, grace_ms=GRACE, name=name).agg(payments=Count(), paid=Sum("cents"))
        window.current().apply(windowed, metadata=True).to_topic(application.topic(f"quix_{name}"))
    application.run()
    return 1000 * (taken[-1] - taken[0])


if __name__ == "__main__":
    print(json.dumps({"milliseconds": main(*sys.argv[1:])}))
