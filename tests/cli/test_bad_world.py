"""The world refuses: a clear sentence, exit code 1 (or 2 where the user chose wrongly), nothing half done."""

from __future__ import annotations

import gc
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.lake import access
from penstock.runtime import installation
from penstock.testing.disk import FullDisk
from penstock.world import real_world
from tests.flows.command import call
from tests.flows.library import Library, loan

NOBODY = 65534


def as_parquet(library: Library) -> None:
    library.edit("sources/loans.yml", "loans*.csv", "loans*.parquet")
    library.edit("sources/loans.yml", "format: csv", "format: parquet")


def write_parquet(library: Library, name: str) -> Path:
    row = dict(
        zip(["loan_id", "member_id", "title", "status", "fee", "changed_at"], loan(name).split(","), strict=True)
    )
    path = library.inbox / f"loans_{name}.parquet"
    pq.write_table(pa.Table.from_pylist([row]), path)
    return path


@pytest.mark.parametrize("damage", ["cut", "noise", "empty", "text"])
def test_a_corrupt_parquet_file_is_refused_by_name_and_the_others_are_taken(library: Library, damage: str) -> None:
    as_parquet(library)
    write_parquet(library, "7")
    broken = write_parquet(library, "8")
    content = broken.read_bytes()
    middle = len(content) // 2
    broken.write_bytes(
        {"cut": content[:middle], "noise": content[:-40] + b"x" * 40, "empty": b"", "text": b"loan_id\n8\n"}[damage]
    )
    report = library.run(expected=1)
    [notice] = [notice for notice in report["notices"] if notice["kind"] == "refused"]
    assert "loans_8.parquet" in notice["text"]
    assert (report["outcome"], report["release"]) == ("released", 2)
    assert library.query("SELECT loan_id FROM bronze.loans WHERE _file LIKE '%parquet'") == [{"loan_id": "7"}]
    write_parquet(library, "8")
    assert library.run()["release"] == 3
    assert library.count("bronze.loans") == 6


def test_a_refused_file_is_told_again_by_every_run(library: Library) -> None:
    as_parquet(library)
    (library.inbox / "loans_1.parquet").write_text("nothing")
    first, second = library.run(expected=1), library.run(expected=1)
    assert first["notices"] != []
    assert [notice["kind"] for notice in second["notices"]] == [notice["kind"] for notice in first["notices"]]


def test_a_missing_folder_of_a_source_is_named(library: Library) -> None:
    library.edit("sources/loans.yml", "optional: true", "optional: false")
    shutil.rmtree(library.inbox)
    for command in ("plan", "run"):
        assert str(library.inbox) in library.call(command).expect(1).err
    findings = library.call("doctor", "--json").expect(1).document["findings"]
    assert [finding["subject"] for finding in findings if not finding["ok"]] == ["source loans"]
    assert library.count("gold.dim_member") == 2


def test_a_missing_file_of_a_source_is_named(library: Library) -> None:
    library.edit("sources/loans.yml", "loans*.csv", "loans_today.csv")
    library.edit("sources/loans.yml", "optional: true", "optional: false")
    done = library.call("run").expect(1)
    assert "loans_today.csv" in done.err


@pytest.mark.parametrize("command", ["run", "status", "plan", "query", "history", "doctor"])
def test_a_data_directory_that_is_a_file_is_refused(library: Library, command: str) -> None:
    place = library.folder / "file"
    place.write_text("mine")
    more = ("SELECT 1",) if command == "query" else ()
    done = call(command, *more, "-p", library.project, "--data-dir", place, environment=library.environment)
    assert (done.code, f"{place}: The data directory is a file" in done.err) == (1, True)
    assert place.read_text() == "mine"


def test_a_damaged_catalogue_is_named_and_not_made_anew(library: Library) -> None:
    content = b"this is no database at all, " * 100
    (library.data / "catalog.db").write_bytes(content)
    for other in library.data.glob("catalog.db-*"):
        other.unlink()
    library.loans("tuesday", loan(7))
    for command in (("run",), ("status",), ("query", "SELECT 1"), ("history",), ("plan",)):
        done = library.call(*command).expect(1)
        assert "catalog.db" in done.err
    assert library.call("doctor").code == 1
    assert (library.data / "catalog.db").read_bytes() == content


def test_a_catalogue_that_another_program_holds_is_named(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_BUSY_SECONDS", 0.05)
    library.loans("tuesday", loan(7))
    other = sqlite3.connect(library.data / "catalog.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    done = library.call("run").expect(1)
    other.execute("ROLLBACK")
    other.close()
    assert "catalog.db" in done.err
    assert "locked" in done.err
    assert library.run()["release"] == 2


def test_a_catalogue_that_was_hardly_begun_is_begun_anew(library: Library) -> None:
    """What a process leaves that was killed, or found the disk full, while it opened the lake for the first time."""
    place = ("-p", str(library.project), "--data-dir", str(library.folder / "new"))
    (library.folder / "new").mkdir()
    (library.folder / "new" / "catalog.db").touch()
    assert call("status", "--json", *place).expect(0).document["tables"] == []
    report = call("run", "--json", *place, environment=library.environment).expect(0).document
    assert (report["outcome"], report["release"]) == ("released", 1)


@pytest.mark.parametrize("room", [0, 3_000, 20_000, 40_000])
def test_a_full_disk_stops_the_run_and_the_next_one_ends_it(
    library: Library, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = library.gold()
    library.loans("tuesday", loan(1, status="back", day=3), loan(6, "m3"), loan(7, status="torn"), "8,m1")
    world = replace(real_world(), disk=FullDisk(room=room))
    with monkeypatch.context() as patched:
        patched.setattr(installation, "real_world", lambda: world)
        done = library.call("run").expect(1)
    assert "No space left on device" in done.err
    assert library.gold() == before
    assert library.run()["release"] == 2
    assert (library.count("bronze.loans"), library.count("silver.loans")) == (7, 4)
    assert library.gold(release=1) == before


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of three megabytes."""
    folder = Path(tempfile.mkdtemp(prefix="penstock-small-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "penstock-test", folder], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        folder.rmdir()
        pytest.skip("NOT TESTED: a file system cannot be mounted here, so a really full disk was not tried")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)
    folder.rmdir()


@pytest.mark.parametrize("left", [0, 100_000, 400_000, 1_200_000])
def test_a_disk_that_is_really_full_leaves_what_was_there(library: Library, small_disk: Path, left: int) -> None:
    """Everything is written there: files of the lake, the catalogue, the warehouse, dbt's own files."""
    place = ("-p", str(library.project), "--data-dir", str(small_disk / "data"))
    filler = small_disk / "filler"
    size = os.statvfs(small_disk)
    filler.write_bytes(b"x" * (size.f_bavail * size.f_frsize - left))
    done = call("run", *place, environment=library.environment).expect(1)
    assert done.err.splitlines()[-1].startswith("error: ")
    assert "space" in done.err or "full" in done.err
    filler.unlink()
    report = call("run", "--json", *place, environment=library.environment).expect(0).document
    assert (report["outcome"], report["release"]) == ("released", 1)
    status = call("status", "--json", *place, environment=library.environment).expect(0).document
    rows = {table["name"]: table["rows"] for table in status["tables"]}
    assert (rows["bronze.loans"], rows["silver.loans"], rows["gold.dim_member"]) == (4, 3, 2)


@contextmanager
def without_rights(folder: Path) -> Iterator[None]:
    """This process may not look into the folder for a while; root becomes nobody for it."""
    gc.collect()  # what other tests left may not be ended as nobody
    mode = folder.stat().st_mode
    folder.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
        folder.chmod(mode)


@pytest.mark.parametrize("command", ["run", "plan"])
def test_an_inbox_that_may_not_be_read_is_named(lent: Library, command: str) -> None:
    lent.call("plan").expect(0)
    for place in (lent.data, *lent.data.rglob("*")):
        place.chmod(0o777)
    with without_rights(lent.inbox):
        done = lent.call(command).expect(1)
    assert str(lent.inbox) in done.err
    assert lent.run()["outcome"] == "nothing new"


@pytest.mark.parametrize("command", ["run", "plan", "status", "history", "quarantine list", "doctor"])
def test_a_data_directory_that_may_not_be_read_is_named(lent: Library, command: str) -> None:
    lent.call(*command.split())
    with without_rights(lent.data):
        done = lent.call(*command.split()).expect(1)
    assert str(lent.data) in done.err + done.out
    assert lent.run()["outcome"] == "nothing new"
