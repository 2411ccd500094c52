"""The same project, without an edit, on either log: the same rows."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from broker import Broker

LIBRARY = Path(__file__).parent.parent.parent / "projects" / "library"
EVENTS = [
    {"loan_id": f"L{number}", "member_id": f"M{number % 3}", "title": "Dune", "status": "out", "fee": 1 + number % 4}
    | {"changed_at": f"2026-03-02T{9 + number // 20:02}:{number % 20:02}:00Z"}
    for number in range(60)
]
BROKEN = {**EVENTS[0], "loan_id": "L99", "status": "lost"}


def penstock(project: Path, servers: str | None, *arguments: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_KAFKA")}
    environment = kept if servers is None else {**kept, "PENSTOCK_KAFKA": servers}
    command = [str(Path(sys.executable).parent / "penstock"), *arguments, "-p", str(project)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def run(project: Path, servers: str | None) -> tuple[object, list[dict[str, object]], object]:
    """Live rows, rejected rows, and what went to the lake."""
    shutil.copytree(LIBRARY, project)
    (project / "events.ndjson").write_text("".join(json.dumps(one) + "\n" for one in [*EVENTS, EVENTS[5], BROKEN]))
    penstock(project, servers, "topics", "append", "loan_events", str(project / "events.ndjson"))
    penstock(project, servers, "stream", "--until-idle")
    rows = json.loads(penstock(project, servers, "stream", "rows", "loans_by_hour", "--json"))
    rejected = json.loads(penstock(project, servers, "topics", "peek", "desk.rejected"))
    landed = json.loads(penstock(project, servers, "land", "--until-idle", "--json"))
    status = json.loads(penstock(project, servers, "status", "--json"))
    assert [one["lag"] for one in (*status["topologies"], *status["landings"])] == [0, 0]
    assert json.loads(penstock(project, servers, "stream", "--replay", "--json"))[0]["different"] == 0
    return rows, [{"codes": one["codes"], "topic": one["topic"]} for one in rejected], landed


def test_a_project_makes_the_same_of_the_same_events_on_kafka(tmp_path: Path, broker: Broker) -> None:
    embedded = run(tmp_path / "embedded", None)
    kafka = run(tmp_path / "kafka", broker.servers)
    assert len(embedded[0]) > 0
    assert kafka == embedded
