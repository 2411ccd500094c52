"""The same project, without an edit, on either log: the same rows."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from penstock.testing.schema_registry import schema_registry
from tests.scale.broker import Broker

LIBRARY = Path(__file__).parent.parent.parent / "projects" / "library"
EVENTS = [
    {"loan_id": f"L{number}", "member_id": f"M{number % 3}", "title": "Dune", "status": "out", "fee": 1 + number % 4}
    | {"changed_at": f"2026-03-02T{9 + number // 20:02}:{number % 20:02}:00Z"}
    for number in range(60)
]
BROKEN = {**EVENTS[0], "loan_id": "L99", "status": "lost"}


def penstock(project: Path, servers: str | None, *arguments: str, encoding: str = "json") -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_KAFKA")}
    environment = kept | ({} if servers is None else {"PENSTOCK_KAFKA": servers, "PENSTOCK_KAFKA_ENCODING": encoding})
    command = [str(Path(sys.executable).parent / "penstock"), *arguments]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=True).stdout


def begun(project: Path, lines: list[dict[str, object]]) -> Path:
    """The project with these events in a file."""
    shutil.copytree(LIBRARY, project)
    (project / "events.ndjson").write_text("".join(json.dumps(one) + "\n" for one in lines))
    return project


def run(project: Path, servers: str | None) -> tuple[list[Any], list[dict[str, object]], list[Any]]:
    """Live rows, rejected rows, and what went to the lake."""
    begun(project, [*EVENTS, EVENTS[5], BROKEN])
    penstock(project, servers, "topics", "append", "loan_events", "events.ndjson")
    penstock(project, servers, "stream", "--until-idle")
    rows = json.loads(penstock(project, servers, "stream", "rows", "loans_by_hour", "--json"))
    rejected = json.loads(penstock(project, servers, "topics", "peek", "desk.rejected"))
    landed = json.loads(penstock(project, servers, "land", "--until-idle", "--json"))
    status = json.loads(penstock(project, servers, "status", "--json"))
    assert [one["lag"] for one in (*status["topologies"], *status["landings"])] == [0, 0]
    assert json.loads(penstock(project, servers, "stream", "--replay", "--json"))[0]["different"] == 0
    return rows, [{"codes": one["codes"], "topic": one["topic"]} for one in rejected], landed


@pytest.mark.parametrize("encoding", ["json", "avro"])
@pytest.mark.usefixtures("on_kafka")
def test_the_lines_that_the_page_shows_work(
    tmp_path: Path, broker: Broker, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (LIBRARY.parents[1] / "docs" / "log.md").read_text()
    (block,) = re.findall(r"```console\n(\$ pip install 'penstock\[kafka\]'.*?)```", page, re.DOTALL)
    lines = [shlex.split(line.removeprefix("$ penstock ")) for line in block.splitlines() if "$ penstock" in line]
    project = begun(tmp_path / "shown", EVENTS)

    with schema_registry() as registry:
        monkeypatch.setenv("PENSTOCK_SCHEMA_REGISTRY", registry.url)
        told = [penstock(project, broker.servers, *line, encoding=encoding) for line in lines]
        subjects = sorted(registry.subjects)

    partitions = [row["_partition"] for row in json.loads(told[-1])]
    assert len(told) == 4
    assert len({*partitions}) == len(partitions) > 0
    assert ("live.loans_by_hour-value" in subjects) == (encoding == "avro")


@pytest.mark.usefixtures("on_kafka")
def test_a_data_directory_of_one_log_is_not_gone_on_with_on_another(tmp_path: Path, broker: Broker) -> None:
    project = begun(tmp_path / "moved", EVENTS)
    commands = [
        ("topics", "append", "loan_events", "events.ndjson"),
        ("stream", "--until-idle"),
        ("land", "--until-idle"),
    ]
    for words in commands:
        penstock(project, None, *words)
    penstock(project, broker.servers, *commands[0])

    for words in commands[1:]:
        with pytest.raises(subprocess.CalledProcessError) as caught:
            penstock(project, broker.servers, *words)
        assert "incarnation" in caught.value.stderr


@pytest.mark.usefixtures("on_kafka")
def test_a_project_makes_the_same_of_the_same_events_on_kafka(tmp_path: Path, broker: Broker) -> None:
    embedded = run(tmp_path / "embedded", None)
    kafka = run(tmp_path / "kafka", broker.servers)
    assert len(embedded[0]) > 0
    assert kafka == embedded
