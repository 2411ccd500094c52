"""What Prometheus reads is what the processes told of themselves."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from penstock.runtime.exposition import exposition, used_by
from penstock.serve.exposition import health_routes
from penstock.testing.world import ManualClock
from tests.serve.asgi_client import Client

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BEFORE = int(NOW.timestamp() - 5) * 1_000_000
GONE = 2**22 + 1  # above every process id


def tell(root: Path, *, watermark: int | None = BEFORE) -> None:
    """A topology of this process, one whose process is gone, and two parts."""
    (root / "streams").mkdir()
    desk = {"topology": "desk", "process": os.getpid(), "at": BEFORE, "round": 3, "watermark": watermark, "lag": 7}
    more = {"keys": {"fees": 2}, "counts": {"rows": 40, "late": 1}, "tables": {}}
    (root / "streams" / "desk.json").write_text(json.dumps(desk | more))
    (root / "streams" / "old.json").write_text(json.dumps(desk | {"topology": "old", "process": GONE}))
    part = {"restarts": 2, "last_exit": None, "given_up": False}
    parts = [{"part": "stream", "process": os.getpid(), **part}, {"part": "run", "process": None, **part}]
    (root / "up.json").write_text(json.dumps(parts))


def values(text: bytes) -> dict[tuple[str, ...], float]:
    """Value by name and labels in the order of the labels' names."""
    families = text_string_to_metric_families(text.decode())
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def test_topologies_tell_lag_watermark_rows_and_keys(tmp_path: Path) -> None:
    tell(tmp_path)

    found = values(exposition(tmp_path, ManualClock(NOW)))

    assert found["penstock_topology_running", "desk"] == 1
    assert found["penstock_topology_running", "old"] == 0
    assert found["penstock_topology_lag_rows", "desk"] == 7
    assert found["penstock_topology_watermark_delay_seconds", "desk"] == 5
    assert found["penstock_topology_rows_total", "late", "desk"] == 1
    assert found["penstock_topology_keys", "fees", "desk"] == 2


def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    tell(tmp_path, watermark=None)

    found = values(exposition(tmp_path, ManualClock(NOW)))

    names = {key[:2] for key in found}
    assert ("penstock_topology_watermark_delay_seconds", "desk") not in names
    assert ("penstock_part_resident_memory_bytes", "run") not in names
    assert "penstock_release_number" not in {name for name, *_ in found}
    assert found["penstock_part_restarts_total", "run"] == 2


def test_a_process_tells_its_memory_and_time_and_one_that_is_gone_nothing() -> None:
    used = used_by(os.getpid())

    assert used is not None
    assert used[0] > 10_000_000
    assert 0 < used[1] <= sum(os.times()[:2]) + 0.1
    assert used_by(GONE) is None


def test_it_is_served_as_text_that_nobody_keeps(tmp_path: Path) -> None:
    app = FastAPI()
    app.include_router(health_routes(lambda: exposition(tmp_path, ManualClock(NOW))))

    answer = Client(app).get("/metrics")

    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert ("penstock_disk_free_bytes",) in values(answer.body)
