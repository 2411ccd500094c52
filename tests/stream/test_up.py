"""`penstock up`: streams, landing and runs side by side; a part that is killed is begun again, and no event is lost."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from penstock.runtime.installation import Installation
from penstock.runtime.parts import read_parts
from tests.flows.command import call, start
from tests.stream.lending import lending
from tests.stream.running_topology import loan
from tests.stream.test_kill import WATCH, produce, read
from tests.waiting import PATIENCE, wait_for

EVENTS = 4000


@contextmanager
def supervised(root: Path) -> Iterator[subprocess.Popen[str]]:
    process = start("up", "--every", "1", "--project", root)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out + err


def pids(installation: Installation) -> dict[str, int]:
    return {one.part: one.process for one in read_parts(installation) if one.process is not None and one.is_running}


def test_a_killed_part_goes_on_and_every_event_arrives_once(tmp_path: Path) -> None:
    lending(tmp_path, WATCH)
    installation = Installation.at(tmp_path)
    written = [loan(number, f"m{number % 7}") for number in range(EVENTS)]

    with supervised(tmp_path):
        wait_for(lambda: {"stream", "land"} <= pids(installation).keys())
        produce(installation, written[: EVENTS // 2])
        killed = pids(installation)
        for part in ("stream", "land"):
            os.kill(killed[part], signal.SIGKILL)
        produce(installation, written[EVENTS // 2 :])
        wait_for(lambda: all(pids(installation).get(part, killed[part]) != killed[part] for part in ("stream", "land")))
        wait_for(lambda: _rows(tmp_path).get("silver.loans", 0) == EVENTS)
        wait_for(lambda: len(read(installation, "scored")) >= EVENTS)
        last = pids(installation)

    assert Counter(row["loan"] for row in read(installation, "scored")) == Counter(row["loan"] for row in written)
    assert _rows(tmp_path)["bronze.loans_typed"] == EVENTS
    assert pids(installation) == {}
    assert last.keys() >= {"stream", "land"}


def test_a_project_that_declares_nothing_has_nothing_to_run(tmp_path: Path) -> None:
    (tmp_path / "penstock.yml").write_text("name: idle\n")

    assert "declares nothing that could run" in call("up", "--project", tmp_path).expect(2).err


def _rows(root: Path) -> dict[str, int]:
    tables = call("status", "--json", "--project", root).expect(0).document["tables"]
    return {table["name"]: table["rows"] for table in tables}
