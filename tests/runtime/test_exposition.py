"""What Prometheus reads is what the processes told of themselves."""

from __future__ import annotations

import json
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from penstock.runtime.exposition import exposition
from penstock.runtime.landing_state import LandingState
from penstock.runtime.landing_state import tell as tell_landing
from penstock.runtime.latency import VISIBLE, Latency
from penstock.runtime.process_use import connections_of, used_by
from penstock.runtime.traffic_state import Telling, forget_ended
from penstock.serve.exposition import health_routes
from penstock.serve.traffic import Traffic
from penstock.testing.world import ManualClock
from tests.serve.asgi_client import Client

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BEFORE = int(NOW.timestamp() - 5) * 1_000_000
GONE = 2**22 + 1  # above every process id


def tell(root: Path, *, watermark: int | None = BEFORE) -> None:
    """A topology of this process, one whose process is gone, and two parts."""
    (root / "streams").mkdir()
    desk = {"topology": "desk", "process": os.getpid(), "at": BEFORE, "round": 3, "watermark": watermark, "lag": 7}
    latency = Latency()
    latency.observe(VISIBLE, [(NOW - timedelta(seconds=2), 3), (NOW, 1)], NOW)
    more = {"latency": latency.as_record(), "keys": {"fees": 2}, "counts": {"rows": 40, "late": 1}, "tables": {}}
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
    assert found["penstock_topology_latency_seconds_bucket", "1.0", "desk", VISIBLE] == 1
    assert found["penstock_topology_latency_seconds_bucket", "2.5", "desk", VISIBLE] == 4
    assert found["penstock_topology_latency_seconds_sum", "desk", VISIBLE] == 6


def test_rates_and_topics_on_their_way_to_the_lake_are_told(tmp_path: Path) -> None:
    tell(tmp_path)
    for path in (tmp_path / "streams").iterdir():
        path.write_text(json.dumps(json.loads(path.read_text()) | {"rate": 12.5}))
    counts = {"commits": 2, "rows": 9, "malformed": 1, "accepted": 7, "quarantined": 1}
    landing = LandingState("loan_events", os.getpid(), BEFORE, **counts, lag=4, rate=3.5, committed=BEFORE, batch=2)
    tell_landing(tmp_path, landing)

    found = values(exposition(tmp_path, ManualClock(NOW)))

    assert found["penstock_topology_rows_per_second", "desk"] == 12.5
    assert ("penstock_topology_rows_per_second", "old") not in found  # its process is gone
    assert found["penstock_landing_running", "loan_events"] == 1
    assert found["penstock_landing_lag_rows", "loan_events"] == 4
    assert found["penstock_landing_rows_per_second", "loan_events"] == 3.5
    assert found["penstock_landing_commit_age_seconds", "loan_events"] == 5
    assert found["penstock_landing_rows_total", "malformed", "loan_events"] == 1


def test_every_name_stands_in_the_page_about_the_api(tmp_path: Path) -> None:
    tell(tmp_path)
    tell_landing(tmp_path, LandingState("loan_events", os.getpid(), BEFORE, 1, 2, 0, 2, 0, lag=0, committed=BEFORE))
    Telling(tmp_path, asked(("/books", 200, 0.002)), server=os.getpid()).tell()
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text()

    told = {one.name for one in text_string_to_metric_families(exposition(tmp_path, ManualClock(NOW)).decode())}

    assert len(told) > 20
    assert {name for name in told if f"`{name}" not in page} == set()


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


def asked(*requests: tuple[str, int, float], open: int = 0) -> Traffic:
    traffic = Traffic(open=open)
    for one in requests:
        traffic.count(*one)
    return traffic


def test_requests_are_those_of_all_workers_of_a_living_server(tmp_path: Path) -> None:
    Telling(tmp_path, asked(("/books", 200, 0.002), ("/books", 404, 0.2), open=1), server=os.getpid()).tell()
    folder = tmp_path / "serving"
    replaced = {"process": GONE, "server": os.getpid(), "traffic": asked(("/books", 200, 0.002), open=5).as_record()}
    (folder / "replaced.json").write_text(json.dumps(replaced))
    (folder / "ended.json").write_text(json.dumps(replaced | {"server": GONE}))

    found = values(exposition(tmp_path, ManualClock(NOW)))

    assert found["penstock_http_requests_total", "/books", "2xx"] == 2
    assert found["penstock_http_requests_total", "/books", "4xx"] == 1
    assert found["penstock_http_request_seconds_bucket", "0.0025", "/books"] == 2
    assert found["penstock_http_request_seconds_count", "/books"] == 3
    assert found[("penstock_http_requests_in_progress",)] == 1  # of the one that lives
    assert found[("penstock_http_workers",)] == 1
    forget_ended(tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == [f"{os.getpid()}.json", "replaced.json"]


def test_nothing_is_told_twice(tmp_path: Path) -> None:
    telling = Telling(tmp_path, asked(("/books", 200, 0.002)))
    telling.tell()
    path = tmp_path / "serving" / f"{os.getpid()}.json"
    path.unlink()

    telling.tell()
    again = path.exists()
    telling.traffic.count("/books", 200, 0.1)
    telling.tell()

    assert (again, path.exists()) == (False, True)


def test_open_connections_are_counted() -> None:
    before = connections_of(os.getpid())
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        taken, _ = server.accept()
        with taken:
            assert before is not None
            assert connections_of(os.getpid()) == before + 2  # both ends are here
    assert connections_of(os.getpid()) == before
    assert connections_of(GONE) is None


def test_it_is_served_as_text_that_nobody_keeps(tmp_path: Path) -> None:
    app = FastAPI()
    app.include_router(health_routes(lambda: exposition(tmp_path, ManualClock(NOW))))

    answer = Client(app).get("/metrics")

    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert ("penstock_disk_free_bytes",) in values(answer.body)
