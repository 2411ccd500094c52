"""The commands of streams as people call them: what is refused, what it takes to go on, and what may be looked at."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from penstock.store.live_file import live_file
from tests.flows.command import Done, call
from tests.stream.lending import COUNT, lending

LINES = "".join(
    json.dumps({"loan": f"L{number}", "member": f"m{number % 3}", "fee": number, "lent": "2026-03-01T00:00:00Z"}) + "\n"
    for number in range(9)
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Nine loans of three members, counted."""
    lending(tmp_path, COUNT)
    (tmp_path / "loans.ndjson").write_text(LINES)
    at(tmp_path, "topics", "append", "loans_typed", tmp_path / "loans.ndjson").expect(0)
    at(tmp_path, "stream", "--until-idle").expect(0)
    return tmp_path


def at(project: Path, *arguments: str | Path) -> Done:
    return call(*arguments, "-p", project)


def test_a_changed_topology_is_refused_until_it_is_adopted(project: Path) -> None:
    path = project / "streams" / "loans.yml"
    path.write_text(path.read_text().replace("{key: [member], value: fee", "{key: [loan], value: fee"))

    refused = at(project, "stream", "--until-idle").expect(1)
    adopted = at(project, "stream", "--until-idle", "--adopt", "--json").expect(0)

    assert "`running` changed" in refused.err
    assert "--adopt" in refused.err
    assert [one["keys"] for one in adopted.document] == [{"running": 0}]


def test_a_replay_names_the_live_table_in_which_a_row_differs(project: Path) -> None:
    assert at(project, "stream", "--replay", "--json").expect(0).document[0]["different"] == 0
    with closing(sqlite3.connect(live_file(project / ".penstock" / "live", "latest"))) as db, db:
        db.execute("UPDATE rows SET earlier = 99 WHERE member = 'm1'")

    told = at(project, "stream", "--replay", "--json").expect(1)

    assert [(one["table"], one["rows"], one["different"]) for one in told.document] == [("latest", 3, 1)]


def test_the_state_of_steps_and_the_graph_of_a_topology_are_shown(project: Path) -> None:
    (state,) = at(project, "stream", "state", "--json").expect(0).document
    graph = at(project, "explain", "counted").expect(0).out

    assert (state["topology"], state["keys"], state["lag"]) == ("counted", {"running": 3}, 0)
    for line in (
        "reads:   loans_typed",
        "read by: live.latest",
        "running <- loans_typed: earlier fee of each (member)",
    ):
        assert line in graph


def test_a_topic_is_looked_into_from_a_place(project: Path) -> None:
    topics = {one["name"]: one["rows"] for one in at(project, "topics", "list", "--json").expect(0).document}
    rows = at(project, "topics", "peek", "loans_typed", "--limit", "1", "--offset", "0").expect(0).document
    refused = at(project, "topics", "peek", "loans_type", "--limit", "1").expect(2)

    assert topics["loans_typed"] == 9
    assert [row["_offset"] for row in rows] == [0] * len(rows)
    assert "Did you mean `loans_typed`?" in refused.err


def test_a_damaged_batch_is_named_and_not_shown(project: Path) -> None:
    for segment in (project / ".penstock" / "log" / "topics" / "loans_typed").glob("*/*.db"):
        with closing(sqlite3.connect(segment)) as db, db:
            db.execute("UPDATE batch SET data = zeroblob(length(data))")

    refused = at(project, "topics", "peek", "loans_typed").expect(1)
    findings = at(project, "doctor", "--json").expect(1).document["findings"]

    assert "offsets 0 to" in refused.err
    assert "A batch of the log is damaged" in refused.err
    assert refused.out == ""
    told = [one["text"] for one in findings if one["subject"] == "event log" and not one["ok"]]
    assert [text.partition(", offsets")[0] for text in told] == ["loans_typed, partition 0", "loans_typed, partition 1"]


def test_rows_that_are_given_up_are_rejected_and_quarantined_and_all_goes_on(project: Path) -> None:
    at(project, "topics", "append", "loans_typed", project / "loans.ndjson").expect(0)
    (segment,) = (project / ".penstock" / "log" / "topics" / "loans_typed").glob("*/*.db")
    with closing(sqlite3.connect(segment)) as db, db:
        newest = "SELECT batch.id, partition, batch.first, rows FROM batch JOIN part ON part = part.id"
        id, partition, first, rows = db.execute(f"{newest} ORDER BY batch.id DESC").fetchone()
        db.execute("UPDATE batch SET data = x'00' WHERE id = ?", (id,))
    give_up = ("topics", "give-up", "loans_typed", "--partition", str(partition), "--offset", str(first))
    assert " ".join(give_up) in at(project, "stream", "--until-idle").expect(1).err
    at(project, "land", "--until-idle").expect(1)

    said = at(project, *give_up).expect(0).out
    at(project, *give_up).expect(2)
    at(project, "stream", "--until-idle").expect(0)
    (landed,) = (one for one in at(project, "land", "--until-idle", "--json").expect(0).document if one["rows"])

    assert f"{rows} rows given up: loans_typed, partition {partition}, offsets {first} to {first + rows - 1}" in said
    rejected = at(project, "topics", "peek", "counted.rejected").expect(0).document
    assert [(row["offset"], row["codes"]) for row in rejected] == [(first + one, ["lost"]) for one in range(rows)]
    assert (landed["rows"], landed["malformed"]) == (18, rows)
    assert at(project, "stream", "--replay", "--json").expect(0).document[0]["different"] == 0
    (found,) = (
        one for one in at(project, "doctor", "--json").expect(0).document["findings"] if one["subject"] == "event log"
    )
    assert found["text"].endswith(f"every batch whole but {rows} rows that were given up")
