"""A data directory that may be read and not written: looking and asking work, changing is refused in a sentence."""

from __future__ import annotations

import gc
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.flows.library import Library, loan

NOBODY = 65534
LOOKS = (
    ("status", "--json"),
    ("history", "--json"),
    ("plan", "--json"),
    ("validate", "--json"),
    ("quarantine", "list", "--json"),
    ("quarantine", "show", "loans", "--json"),
    ("query", "SELECT * FROM gold.dim_member ORDER BY ALL", "--json"),
    ("query", "SELECT * FROM silver.loans ORDER BY ALL", "--release", "1", "--json"),
    ("explain", "loans", "--json"),
    ("metrics", "list", "--json"),
)
CHANGES = (("run",), ("quarantine", "replay", "loans"), ("doctor", "--restore", "silver.loans"))


@contextmanager
def reading_only(folder: Path) -> Iterator[None]:
    """This process may write nowhere below `folder` for a while; root becomes nobody for it."""
    places = {place: place.stat().st_mode for place in (folder, *folder.rglob("*")) if not place.is_symlink()}
    user = os.geteuid()
    for place in places:
        place.chmod(0o555 if place.is_dir() else 0o444)
    gc.collect()
    gc.disable()  # what root made, such as dbt's semaphores, is cleared up by root
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
        gc.enable()
        for place, mode in places.items():
            place.chmod(mode)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # nobody clears up root's dbt
@pytest.mark.parametrize("command", LOOKS, ids=lambda command: " ".join(command[:2]))
def test_whoever_may_only_read_sees_what_the_owner_sees(lent: Library, command: tuple[str, ...]) -> None:
    owner = lent.call(*command).expect(0).document
    before = sorted(lent.data.rglob("*"))
    with reading_only(lent.data):
        reader = lent.call(*command).expect(0).document
    assert reader == owner
    assert sorted(lent.data.rglob("*")) == before


def test_a_table_is_exported_by_whoever_may_only_read(lent: Library) -> None:
    exports = lent.folder.parent / "exports"
    exports.mkdir()
    exports.chmod(0o777)
    with reading_only(lent.data):
        lent.call("export", "gold.dim_member", "--to", exports / "members.csv").expect(0)
    assert (exports / "members.csv").read_text().startswith("member")


@pytest.mark.parametrize("command", CHANGES, ids=lambda command: command[0])
def test_changing_is_refused_in_a_sentence_to_whoever_may_only_read(lent: Library, command: tuple[str, ...]) -> None:
    with reading_only(lent.data):
        done = lent.call(*command).expect(1)
    assert "The data directory can only be read" in done.err
    assert str(lent.data) in done.err


def test_new_files_are_planned_by_whoever_may_only_read(lent: Library) -> None:
    file = lent.loans("later", loan(9))
    shutil.rmtree(lent.data / "cache")
    with reading_only(lent.data):
        steps = lent.call("plan", "--json").expect(0).document["steps"]
    assert (steps[0]["step"], steps[0]["files"]) == ("TakeFiles", 1)
    file.unlink()
    lent.call("plan").expect(0)


def test_whoever_may_only_read_sees_what_a_writer_has_just_committed(lent: Library) -> None:
    with closing(sqlite3.connect(lent.data / "catalog.db", isolation_level=None)) as writer:
        writer.execute(
            "INSERT INTO penstock_record VALUES ('run', 'just now', '{\"outcome\": \"loaded\"}', '2024-01-01T00:00:00Z')"
        )
        with reading_only(lent.data):
            seen = lent.call("query", "SELECT count(*) AS n FROM silver.loans", "--json").expect(0).document
            told = lent.call("status", "--json").expect(0).document
        writer.execute("DELETE FROM penstock_record WHERE key = 'just now'")
    assert seen == [{"n": 3}]
    assert told["release"] == 1


def test_doctor_says_that_nothing_can_be_written(lent: Library) -> None:
    with reading_only(lent.data):
        findings = lent.call("doctor", "--json").expect(1).document["findings"]
    [bad] = [finding for finding in findings if not finding["ok"]]
    assert bad["subject"] == "disk"
    assert str(lent.data) in bad["text"]
