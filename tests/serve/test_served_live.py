"""Live tables of a project that releases nothing, as its users are served: streams alone, no models, no run."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from penstock.runtime import up
from penstock.runtime.installation import Installation
from penstock.runtime.stream import stream
from penstock.runtime.topics import append_lines
from tests.flows.command import PENSTOCK
from tests.free_port import free_port
from tests.serve.server import served
from tests.stream.lending import COUNT, lending
from tests.waiting import PATIENCE

SERVED = """\
live:
  - {path: /latest, live: latest, columns: [member, earlier]}
measures:
  - {name: so_far, live: latest, columns: [earlier], time: earlier}
"""
LOAN = b'{"loan": "L1", "member": "m", "fee": 1, "lent": "2020-01-01T00:00:00Z"}'


def project(root: Path, served: str = SERVED) -> Installation:
    lending(root, COUNT)
    (root / "endpoints").mkdir()
    (root / "endpoints" / "live.yml").write_text(served)
    return Installation.at(root)


def get(address: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@contextmanager
def serving(root: Path) -> Iterator[str]:
    """The address of a server of its own, ended by its process id."""
    address = f"http://127.0.0.1:{(port := free_port())}"
    command = [str(PENSTOCK), "serve", "--port", str(port), "--project", str(root)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with served(process, address, f"Live tables of lending are served at {address}", f"{address}/latest"):
        yield address


def test_live_tables_are_served_where_nothing_is_ever_released(tmp_path: Path) -> None:
    installation = project(tmp_path)
    with serving(tmp_path) as address:
        status, problem = get(f"{address}/latest")
        assert (status, "penstock stream" in problem["detail"]) == (503, True)

        append_lines(installation, "loans_typed", [LOAN])
        stream(installation, until_idle=True)

        status, latest = get(f"{address}/latest")
        assert (status, latest["items"], latest["total"]) == (200, [{"member": "m", "earlier": 0}], 1)
        assert [one["rows"] for one in get(f"{address}/metrics/live")[1]["items"]] == [[{"earlier": 0}]]
        health = get(f"{address}/health")[1]
        assert (health["status"], health["release"], health["committed_at"], health["endpoints"]) == ("ok", 0, None, 0)
        assert get(f"{address}/releases")[1]["total"] == 0
        assert {"/latest", "/metrics/live"} <= {one["path"] for one in get(address)[1]["paths"]}
        assert "/latest" in get(f"{address}/openapi.json")[1]["paths"]
        assert get(f"{address}/metrics/net_sales")[0] == 404
        assert get(f"{address}/elsewhere")[0] == 404


def test_up_serves_live_tables_without_waiting_for_a_release(tmp_path: Path) -> None:
    parts = {part.name: part for part in up.parts_of(project(tmp_path))}
    assert parts["serve"].ready()


def test_up_waits_for_the_first_release_where_released_tables_are_served_too(tmp_path: Path) -> None:
    released = "endpoints:\n  - {path: /members, table: members, key: member, columns: [member]}\n"
    parts = {part.name: part for part in up.parts_of(project(tmp_path, released + SERVED))}
    assert not parts["serve"].ready()
