"""Bronze holds what was delivered: every string as written, where it stood, and nothing else."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import pytest

from penstock.load import bronze
from penstock.load.bronze import Taken
from penstock.load.ledger import files_in, known_files
from tests.load.load_shapes import HEADER, Road, file_id


def test_values_stay_as_written(plain: Road) -> None:
    plain.deliver("a.csv", ' 007 ,"Dune, ""part"" one", 1.50 ,not a time', ",,,")
    plain.take()
    assert plain.values("bronze.desk", "loan", "title", "fee", "at") == [
        (" 007 ", 'Dune, "part" one', " 1.50 ", "not a time"),
        ("", "", "", ""),
    ]


def test_every_row_says_where_and_when_it_came_from(plain: Road) -> None:
    path = plain.deliver("north/a.csv", "1,Dune,1.50,2024-01-01", '2,"two', 'lines",1,', "3,Emma,,")
    plain.take()
    (first, second, third) = plain.rows("bronze.desk")
    assert [one["_line"] for one in (first, second, third)] == [2, 3, 5]
    assert first["_file_id"] == file_id("north/a.csv", path.read_bytes())
    assert {name: first[name] for name in ("_tenant", "_source", "_file", "_ingested_at", "_batch")} == {
        "_tenant": "default",
        "_source": "desk",
        "_file": "north/a.csv",
        "_ingested_at": datetime(2020, 1, 1, 0, 1, tzinfo=UTC),
        "_batch": 1,
    }


def test_all_files_of_a_run_are_one_batch_and_the_next_run_is_the_next(plain: Road) -> None:
    plain.deliver("b.csv", "2,Emma,,")
    plain.deliver("a.csv", "1,Dune,,")
    assert plain.taken().files == ("a.csv", "b.csv")
    plain.deliver("c.csv", "3,Ulysses,,")
    assert (plain.taken().batch, plain.take()) == (2, [])
    assert plain.values("bronze.desk", "_file", "_batch") == [("a.csv", 1), ("b.csv", 1), ("c.csv", 2)]


def test_what_is_known_after_a_batch_is_what_the_ledger_holds(plain: Road) -> None:
    for names in (("b.csv", "é.csv"), ("c.csv", "B.csv", "a.csv")):
        for name in names:
            plain.deliver(name, "1,Dune,,")
        plain.take()
        assert known_files(plain.lake, "desk") == files_in(plain.lake.scan("ledger.desk"))
    assert len(known_files(plain.lake, "desk")) == 5


def test_the_ledger_names_every_file_with_its_content(plain: Road) -> None:
    path = plain.deliver("a.csv", "1,Dune,,", "2,Emma", "3,Ulysses,,")
    plain.take()
    (entry,) = plain.rows("ledger.desk")
    assert entry == {
        "path": "a.csv",
        "file_id": file_id("a.csv", path.read_bytes()),
        "content_hash": hashlib.sha256(path.read_bytes()).hexdigest(),
        "size": path.stat().st_size,
        "mtime_ns": path.stat().st_mtime_ns,
        "name": "a.csv",
        "version": None,
        "rows": 2,
        "malformed": 1,
        "batch": 1,
        "ingested_at": datetime(2020, 1, 1, 0, 1, tzinfo=UTC),
    }


def test_a_line_that_is_no_row_is_kept_as_bytes_and_stops_nothing(plain: Road) -> None:
    content = f"{HEADER}\n1,Dune,,\n2,\xe9t\xe9,,\n3,Emma\n4,Ulysses,,\n".encode("latin-1")
    plain.deliver_bytes("a.csv", content)
    plain.take()
    refused = plain.values("quarantine.loans", "_line", "raw", "codes", "stage", "status")
    assert refused == [
        (3, b"2,\xe9t\xe9,,", ["undecodable"], "parse", "open"),
        (4, b"3,Emma", ["field_count"], "parse", "open"),
    ]
    assert plain.values("bronze.desk", "_line") == [(2,), (5,)]


def test_an_unclosed_quote_costs_one_line(plain: Road) -> None:
    plain.deliver("a.csv", '1,"Dune,,', *(f"{number},Emma,," for number in range(2, 52)))
    assert plain.taken().counts.accepted == 50
    assert plain.refused() == [("a.csv", 2, "parse", ["unclosed_quote"])]


def test_malformed_lines_ledger_and_bronze_come_in_one_commit(plain: Road) -> None:
    plain.deliver("a.csv", "1,Dune,,", "2,Emma")
    plain.take()
    heads = [plain.lake.head(name) for name in ("bronze.desk", "quarantine.loans", "ledger.desk")]
    tokens = {head.summary["penstock.token"] for head in heads if head is not None}
    assert None not in heads
    assert len(tokens) == 1


def test_a_batch_without_malformed_lines_leaves_quarantine_as_it_is(plain: Road) -> None:
    plain.deliver("a.csv", "1,Dune,,", "2,Emma")
    plain.take()
    before = plain.lake.head("quarantine.loans")
    plain.deliver("b.csv", "3,Ulysses,,")
    plain.take()
    assert plain.lake.head("quarantine.loans") == before


def test_data_ledger_and_position_agree(plain: Road) -> None:
    for name in ("a", "b", "c"):
        plain.deliver(f"{name}.csv", "1,Dune,,")
        plain.take()
    for table in ("bronze.desk", "ledger.desk"):
        head = plain.lake.head(table)
        assert head is not None
        assert head.properties["penstock.position.desk"] == head.summary["penstock.position.desk"] == "3"


def test_the_token_depends_on_content_alone(plain: Road) -> None:
    plain.deliver("a.csv", "1,Dune,,")
    plain.take()
    head = plain.lake.head("bronze.desk")
    assert head is not None
    text = "\n".join(["desk", "0", "1", plain.values("ledger.desk", "file_id")[0][0]])
    assert plain.lake.committed(head, hashlib.sha256(text.encode()).hexdigest())


def test_what_was_read_is_in_bronze_or_in_quarantine(plain: Road) -> None:
    plain.deliver("a.csv", "1,Dune,,", "2,Emma", "3,Ulysses,,")
    counts = plain.taken().counts
    assert (counts.rows_in, counts.accepted, counts.quarantined) == (3, 2, 1)
    head = plain.lake.head("bronze.desk")
    assert head is not None
    assert json.loads(head.summary["penstock.counts"])["rows_in"] == 3
    plain.assert_conserved()


def test_an_empty_file_and_one_with_only_a_header_are_taken_once(plain: Road) -> None:
    plain.deliver_bytes("empty.csv", b"")
    plain.deliver("header.csv")
    assert plain.taken().counts.rows_in == 0
    assert plain.values("ledger.desk", "path", "rows") == [("empty.csv", 0), ("header.csv", 0)]
    plain.run()
    assert (plain.rows("silver.loans"), plain.take()) == ([], [])


def test_the_same_file_again_is_skipped_and_counted(plain: Road) -> None:
    path = plain.deliver("a.csv", "1,Dune,,")
    plain.take()
    plain.deliver_bytes("a.csv", path.read_bytes())
    assert plain.discover().identical == ("a.csv",)
    assert plain.take() == []


def test_the_same_content_under_another_path_is_another_file(plain: Road) -> None:
    plain.deliver("a.csv", "1,Dune,,")
    plain.deliver("b.csv", "1,Dune,,")
    plain.run()
    assert plain.values("silver.loans", "_file") == [("a.csv",), ("b.csv",)]


def test_many_files_make_several_commits_of_a_bounded_size(plain: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bronze, "FILES_PER_COMMIT", 2)
    for name in "abcde":
        plain.deliver(f"{name}.csv", "1,Dune,,")
    taken = [one for one in plain.take() if isinstance(one, Taken)]
    assert [(one.batch, one.files) for one in taken] == [
        (1, ("a.csv", "b.csv")),
        (2, ("c.csv", "d.csv")),
        (3, ("e.csv",)),
    ]


def test_a_commit_is_closed_before_it_holds_too_many_bytes(plain: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    size = plain.deliver("a.csv", "1,Dune,,").stat().st_size
    monkeypatch.setattr(bronze, "BYTES_PER_COMMIT", 2 * size)
    for name in "bc":
        plain.deliver(f"{name}.csv", "1,Dune,,")
    plain.deliver("d.csv", *["1,Dune,,"] * 100)
    assert [one.files for one in plain.take() if isinstance(one, Taken)] == [
        ("a.csv", "b.csv"),
        ("c.csv",),
        ("d.csv",),
    ]


def test_progress_is_told_in_rows_and_bytes(plain: Road) -> None:
    path = plain.deliver("a.csv", "1,Dune,,", "2,Emma")
    plain.take()
    assert sum(rows for rows, _ in plain.seen) == 2
    assert sum(size for _, size in plain.seen) == path.stat().st_size


def test_bronze_is_the_same_after_silver_was_made(keyed: Road) -> None:
    keyed.deliver("a.csv", "1,Dune,1.50,2024-01-02", "1,Dune,9,2024-01-01", "2,,x,", "3")
    keyed.take()
    before = keyed.rows("bronze.desk")
    keyed.settle()
    keyed.deliver("b.csv", "1,Dune,2,2024-01-03")
    keyed.run()
    assert keyed.rows("bronze.desk", where="_batch = 1") == before
