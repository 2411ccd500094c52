"""The API as its users run it: releases of the lending library, served by a real server."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from penstock.runtime.serving import key_checks
from penstock.serve.server import require_free
from penstock.spec.endpoint import Endpoint
from penstock.sql.connection import connect
from penstock.testing.world import ManualClock
from tests.flows.command import PENSTOCK
from tests.flows.library import Library, fill, loan
from tests.free_port import free_port
from tests.serve.server import get, served, until_answered
from tests.waiting import PATIENCE, wait_for

ENDPOINTS = """\
endpoints:
  - path: /members
    table: dim_member
    key: member_id
    columns: [member_id, joined]
    ranges: [joined]
  - path: /statuses
    table: loans_by_status
    key: status
    columns: [status, loans, fees]
"""


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Library:
    library = Library.found(tmp_path_factory.mktemp("served") / "town")
    (library.project / "endpoints").mkdir()
    (library.project / "endpoints" / "desk.yml").write_text(ENDPOINTS)
    fill(library)
    library.run()
    library.save()
    return library


@pytest.fixture
def library(released: Library) -> Iterator[Library]:
    """Release 1 is out and in the store."""
    yield released
    released.restore()


@contextmanager
def serving(library: Library, *options: str) -> Iterator[str]:
    """The address of a server of its own, ended by its process id."""
    port = free_port()
    process = library.start("serve", "--port", str(port), *options)
    address = f"http://127.0.0.1:{port}"
    with served(process, address, f"Release 1 of library is served at {address}"):
        yield address


def grouped(library: Library, port: int) -> subprocess.Popen[str]:
    """A server of two workers that leads a process group, as at a terminal."""
    return subprocess.Popen(
        [PENSTOCK, "serve", "--port", str(port), "--workers", "2", *library.place],
        env={**os.environ, **library.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def told(address: str) -> Mapping[tuple[str, ...], float]:
    """What Prometheus reads: values by name and labels, 0 where it is not there yet."""
    with urllib.request.urlopen(f"{address}/metrics", timeout=PATIENCE) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    found = {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}
    return Counter(found)


def test_a_release_appears_without_a_restart(library: Library) -> None:
    with serving(library) as address:
        before = get(f"{address}/statuses")
        library.loans("tuesday", loan(9, status="out"))
        library.run()
        after = get(f"{address}/statuses")
        releases = get(f"{address}/releases")

    assert {row["status"]: row["loans"] for row in before["items"]} == {"back": 1, "out": 2}
    assert {row["status"]: row["loans"] for row in after["items"]} == {"back": 1, "out": 3}
    assert (before["release"], after["release"], releases["release"]) == (1, 2, 2)
    assert [release["number"] for release in releases["items"]] == [2, 1]
    assert releases["items"][0]["changed"] == ["gold.loans_by_status"]


def test_several_processes_answer_alike(library: Library) -> None:
    with serving(library, "--workers", "2") as address:
        answers = {json.dumps(get(f"{address}/members")) for _ in range(10)}
        wait_for(lambda: told(address)["penstock_http_requests_total", "/members", "2xx"] == 10)
        wait_for(lambda: told(address)[("penstock_http_workers",)] == 2)
        found = told(address)

    assert found[("penstock_http_connections",)] >= 1
    assert found["penstock_http_request_seconds_count", "/members"] == 10
    assert (found["penstock_dataset_rows", "loans"], found["penstock_quarantine_rows", "loans"]) == (3, 2)
    assert 0 <= found["penstock_dataset_age_seconds", "loans"] < 3_600
    assert found["penstock_quality_score_percent", "loans"] == 60
    assert len(answers) == 1
    assert json.loads(answers.pop())["total"] == 2


@pytest.mark.parametrize(("word", "to_all"), [(signal.SIGTERM, False), (signal.SIGINT, False), (signal.SIGINT, True)])
@pytest.mark.parametrize("moment", ["told", "forked", "answering"])
def test_it_ends_at_any_moment_and_leaves_no_process(
    library: Library, moment: str, word: signal.Signals, to_all: bool
) -> None:
    """`told`: no worker is there yet; `forked`: they load; `answering`: the first of them is ready."""
    port = free_port()
    process = grouped(library, port)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("Release 1 of library is served")
    if moment == "forked":
        wait_for(lambda: children(process.pid), pause=0.005)
    elif moment == "answering":
        until_answered(process, f"http://127.0.0.1:{port}")

    os.killpg(process.pid, word) if to_all else process.send_signal(word)
    _, err = process.communicate(timeout=PATIENCE)  # until nobody has its output open

    assert (process.returncode, err) == (0, "")


def test_workers_do_not_outlive_a_server_that_was_killed(library: Library) -> None:
    port = free_port()
    process = grouped(library, port)
    until_answered(process, f"http://127.0.0.1:{port}")

    process.kill()
    process.communicate(timeout=PATIENCE)  # until nobody has its output open

    require_free("127.0.0.1", port)


def test_a_store_that_a_killed_run_left_behind_is_made_by_the_next_run(library: Library) -> None:
    shutil.rmtree(library.data / "store")

    report = library.run()

    assert report["outcome"] == "nothing new"
    assert (library.data / "store" / "current.json").is_file()


def test_a_store_that_a_killed_run_left_behind_is_made_when_serving_starts(library: Library) -> None:
    shutil.rmtree(library.data / "store")

    with serving(library) as address:
        assert get(f"{address}/members")["total"] == 2


def test_the_doctor_names_a_damaged_store_and_what_mends_it(library: Library) -> None:
    assert "ok   serving store: 4 rows of release 1 can be read" in library.call("doctor").expect(0).out
    file = next((library.data / "store").glob("dim_member-*"))
    file.write_bytes(b"torn")

    said = library.call("doctor").expect(1).out

    assert str(file) in said
    assert "penstock serve` makes it again" in said
    shutil.rmtree(library.data / "store")
    assert "behind the latest release" in library.call("doctor").expect(0).out
    library.run()
    assert "4 rows of release 1" in library.call("doctor").expect(0).out


def test_what_did_not_change_is_not_written_again(library: Library) -> None:
    members = set((library.data / "store").glob("dim_member-*"))
    statuses = set((library.data / "store").glob("loans_by_status-*"))

    library.loans("tuesday", loan(9, status="out"))
    library.run()

    assert set((library.data / "store").glob("dim_member-*")) == members
    assert set((library.data / "store").glob("loans_by_status-*")).isdisjoint(statuses)


def test_a_taken_port_is_told_at_once(library: Library) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        done = library.call("serve", "--port", str(port)).expect(2)

    assert f"127.0.0.1:{port}: The port is taken. End what listens there" in done.err


def test_an_address_of_another_machine_is_refused(library: Library) -> None:
    assert "cannot be served" in library.call("serve", "--host", "192.0.2.1").expect(2).err


def test_nothing_is_served_before_the_first_release(library: Library) -> None:
    shutil.rmtree(library.data)

    done = library.call("serve", "--port", str(free_port())).expect(2)

    assert "Nothing was released yet. Run `penstock run` first." in done.err


def test_a_project_without_endpoints_says_what_is_missing(library: Library) -> None:
    shutil.rmtree(library.project / "endpoints")

    assert "declares no endpoint" in library.call("serve").expect(2).err


def test_an_endpoint_that_shows_a_personal_column_is_refused_before_anything_is_built(library: Library) -> None:
    library.edit("endpoints/desk.yml", "[member_id, joined]", "[member_id, joined, email]")

    done = library.call("validate").expect(2)

    assert "endpoints/desk.yml:5:34: `email` of gold.dim_member holds personal values" in done.out + done.err


def test_an_endpoint_that_does_not_fit_its_model_stops_the_release(library: Library) -> None:
    library.edit("endpoints/desk.yml", "columns: [status, loans, fees]", "columns: [status, loan, fees]")

    done = library.call("run").expect(2)

    assert "endpoints/desk.yml:10:23: gold.loans_by_status has no column `loan`. Did you mean `loans`?" in done.err
    assert json.loads(library.call("status", "--json").output)["release"] == 1


@pytest.mark.parametrize(
    ("rows", "status", "message"),
    [
        ("('a'), ('b')", "pass", "isbn names every row"),
        ("('a'), (NULL)", "fail", "1 rows have no isbn, 0 repeat another's"),
        ("('a'), ('a'), ('a')", "fail", "0 rows have no isbn, 2 repeat another's"),
    ],
)
def test_the_gate_holds_the_key_of_an_endpoint_to_be_unique(rows: str, status: str, message: str) -> None:
    endpoint = Endpoint("/books", "books", "isbn", ("isbn",), places={"/key": "endpoints/books.yml:4:10"})
    with connect() as connection:
        connection.execute("CREATE SCHEMA gold")
        connection.execute(f"CREATE TABLE gold.books AS SELECT * FROM (VALUES {rows}) AS books (isbn)")

        (check,) = key_checks([endpoint, endpoint], connection, clock=ManualClock())

    assert (check.status.value, check.message, check.where) == (status, message, "endpoints/books.yml:4:10")
    assert check.blocks == (status == "fail")
