"""Malformed lines are read again as the source is declared now, once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from penstock.errors import CommitConflict
from penstock.lake.commit import Commit
from penstock.spec.contract import Evolution
from penstock.spec.source import Csv, FileFormat
from tests.load.load_shapes import BY_NAME, HEADER, KEYED, Road, contract, file_id, road, source

NAMES = ("loan", "title", "fee", "at")
DECLARED = Csv(header=False, columns=NAMES)


def _declare(way: Road, csv: Csv, **facts: Any) -> None:
    way.declare(source(way.inbox, csv=csv, **facts))


@pytest.mark.parametrize(
    ("content", "before", "after"),
    [
        (b"1;Dune;1,50;\n", DECLARED, Csv(header=False, columns=NAMES, delimiter=";")),
        (b"loan,title,fee,at\n1,'a, b',1.50,\n", Csv(), Csv(quote="'")),
        (b"loan,title,fee,at\n1,\xe9t\xe9,1.50,\n", Csv(), Csv(encoding="latin-1")),
        (b"1,Dune,1.50,\n", Csv(header=False, columns=NAMES[:3]), DECLARED),
    ],
    ids=["delimiter", "quote", "encoding", "columns"],
)
def test_lines_become_rows_when_the_source_is_mended(tmp_path: Path, content: bytes, before: Csv, after: Csv) -> None:
    with road(tmp_path, contract(), {"csv": before}) as way:
        way.deliver_bytes("a.csv", content)
        assert way.taken().counts.quarantined == 1
        _declare(way, after)
        assert (way.reread().parsed, way.reread().tried) == (1, 0)
        assert way.values("bronze.desk", "loan", "_file_id") == [("1", file_id("a.csv", content))]
        assert (way.refused(), len(way.refused("replayed"))) == ([], 1)


def _mended(way: Road) -> None:
    """Two lines in latin-1 that could not be read, one that never can; then the encoding is declared."""
    content = f"{HEADER}\n1,\xe9t\xe9,,2024-01-01\n2,Emma,,2024-01-01\n3,\xe9,free,\n4,\xe9\n".encode("latin-1")
    way.deliver_bytes("a.csv", content)
    way.run()
    _declare(way, Csv(encoding="latin-1"))


def test_a_line_that_was_read_keeps_its_place_and_gets_a_new_batch(keyed: Road) -> None:
    _mended(keyed)
    reread = keyed.reread()
    assert (reread.tried, reread.parsed) == (3, 2)
    assert keyed.values("bronze.desk", "title", "_file", "_line", "_batch") == [
        ("Emma", "a.csv", 3, 1),
        ("\xe9t\xe9", "a.csv", 2, 2),
        ("\xe9", "a.csv", 4, 2),
    ]


def test_what_was_read_takes_the_usual_road(keyed: Road) -> None:
    _mended(keyed)
    keyed.reread()
    settled = keyed.settled()
    assert (settled.counts.rows_in, settled.counts.accepted, settled.counts.quarantined) == (2, 1, 1)
    assert keyed.titles() == {"1": "\xe9t\xe9", "2": "Emma"}
    assert keyed.refused() == [("a.csv", 5, "parse", ["undecodable"]), ("a.csv", 4, "conform", ["type"])]


def test_a_second_replay_doubles_nothing(keyed: Road) -> None:
    _mended(keyed)
    keyed.reread()
    keyed.settle()
    before = keyed.rows("bronze.desk"), keyed.rows("quarantine.loans")
    assert (keyed.reread().parsed, keyed.settle()) == (0, [])
    assert (keyed.rows("bronze.desk"), keyed.rows("quarantine.loans")) == before


def test_the_table_tells_how_many_rows_are_open(keyed: Road) -> None:
    _mended(keyed)
    assert keyed.told_open() == len(keyed.refused()) == 3
    keyed.reread()
    assert keyed.told_open() == len(keyed.refused()) == 1
    keyed.settle()
    assert keyed.told_open() == len(keyed.refused()) == 2


def test_a_line_that_is_still_none_stays_open(keyed: Road) -> None:
    keyed.deliver("a.csv", "1,Dune")
    keyed.run()
    before = keyed.lake.head("quarantine.loans")
    assert keyed.reread().parsed == 0
    assert keyed.lake.head("quarantine.loans") == before


def test_rows_positions_and_quarantine_move_in_one_commit(keyed: Road) -> None:
    _mended(keyed)
    keyed.reread()
    heads = [keyed.lake.head(name) for name in ("bronze.desk", "quarantine.loans", "ledger.desk")]
    assert None not in heads
    assert len({head.summary["penstock.token"] for head in heads if head is not None}) == 1
    assert [head.position("desk") for head in heads if head is not None] == ["2", None, "2"]


def test_a_replay_is_recorded_like_every_batch(keyed: Road) -> None:
    _mended(keyed)
    keyed.reread()
    keyed.settle()
    assert [(one["batch"], one["rows_in"], one["files"]) for one in keyed.batches("bronze.desk")] == [
        (1, 4, 1),
        (2, 2, 0),
    ]
    keyed.assert_conserved()


def test_of_two_replays_at_once_one_lands(keyed: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    _mended(keyed)
    apply = Commit.apply

    def other_first(self: Commit) -> object:
        monkeypatch.setattr(Commit, "apply", apply)
        keyed.reread()
        return apply(self)

    monkeypatch.setattr(Commit, "apply", other_first)
    with pytest.raises(CommitConflict):
        keyed.reread()
    assert (len(keyed.rows("bronze.desk")), keyed.reread().parsed) == (3, 0)


def test_only_data_files_that_hold_such_lines_are_written_anew(keyed: Road) -> None:
    keyed.deliver("b.csv", "9,Dune")
    keyed.run()
    untouched = {file.path for file in keyed.lake.scan("quarantine.loans").files}
    _mended(keyed)
    keyed.reread()
    assert untouched <= {file.path for file in keyed.lake.scan("quarantine.loans").files}


def test_a_file_with_a_header_in_other_capitals_is_read_into_the_same_columns(keyed: Road) -> None:
    keyed.deliver("0.csv", "9,Dune,,")
    keyed.deliver_bytes("a.csv", f"{HEADER.upper()}\n1,\xe9,,\n".encode("latin-1"))
    keyed.run()
    _declare(keyed, Csv(encoding="latin-1"))
    assert keyed.reread().parsed == 1
    assert keyed.values("bronze.desk", "loan", "title") == [("9", "Dune"), ("1", "\xe9")]


def _as_json(way: Road, rows: Mapping[str, Any]) -> None:
    """A file of objects that was declared as CSV, and the declaration mended."""
    way.deliver_bytes("a.csv", json.dumps(rows).encode() + b"\n")
    way.run()
    _declare(way, Csv(), format=FileFormat.NDJSON)


def test_bronze_gains_the_columns_that_such_lines_bring(tmp_path: Path) -> None:
    with road(tmp_path, KEYED, {"csv": DECLARED}) as way:
        way.deliver("b.csv", "9,Dune,,", header=None)
        _as_json(way, {"loan": "1", "Title": "Emma", "colour": "red"})
        assert way.reread().parsed == 1
        way.settle()
        assert way.values("bronze.desk", "loan", "title", "colour") == [("1", "Emma", "red"), ("9", "Dune", None)]
        assert way.titles() == {"1": "Emma", "9": "Dune"}


def test_a_frozen_contract_does_not_let_new_columns_in(tmp_path: Path) -> None:
    with road(tmp_path, contract(evolution=Evolution.FREEZE), {"csv": DECLARED}) as way:
        _as_json(way, {"loan": "1", "colour": "red"})
        assert (way.reread().parsed, len(way.refused())) == (0, 1)
        assert way.settle() == []


def test_lines_of_a_replaced_file_are_not_tried(tmp_path: Path) -> None:
    with road(tmp_path, contract(), {"delivery": BY_NAME}) as way:
        way.deliver_bytes("north_v1.csv", f"{HEADER}\n1,\xe9,,\n".encode("latin-1"))
        way.run()
        way.deliver("north_v2.csv", "2,Emma,,")
        way.run()
        _declare(way, Csv(encoding="latin-1"), delivery=BY_NAME)
        assert way.reread().tried == 0
        way.run()
        assert way.titles() == {"2": "Emma"}


def test_a_line_of_another_source_is_left_alone(tmp_path: Path) -> None:
    with road(tmp_path, KEYED, {"glob": "a*"}, {"glob": "b*", "name": "post"}) as way:
        line = f"{HEADER}\n1,\xe9,,\n".encode("latin-1")
        way.deliver_bytes("a.csv", line)
        way.deliver_bytes("b.csv", line)
        way.run()
        way.declare(source(way.inbox, "a*", csv=Csv(encoding="latin-1")))
        assert (way.reread("post").parsed, way.reread().parsed) == (0, 1)
        assert [row[0] for row in way.refused()] == ["b.csv"]


def test_a_source_that_was_never_read_has_nothing_to_replay(keyed: Road) -> None:
    assert keyed.reread().tried == 0
