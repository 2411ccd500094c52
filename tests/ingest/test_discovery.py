"""What is new is decided by path, size and content; everything else is named and counted."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import SourceError
from penstock.ingest import discovery, hashes
from penstock.ingest.discovery import Discovery, discover, source_folder
from penstock.ingest.file import KnownFile, version_order
from penstock.ingest.hashes import Hashes
from penstock.spec.source import Delivery, DeliveryMode, Source
from penstock.testing.world import ManualClock
from tests.ingest.ingest_shapes import known, source

OLD = datetime(2024, 5, 1, tzinfo=UTC)
NOW = datetime(2024, 5, 2, tzinfo=UTC)
CSV = source("in/*.csv")


def write(path: Path, content: str = "a\n1\n", *, at: datetime = OLD) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path


def look(root: Path, taken: Sequence[KnownFile] = (), *, at: Source = CSV, now: datetime = NOW) -> Discovery:
    return discover(at, root, taken, ManualClock(now))


def paths(result: Discovery) -> list[str]:
    return [file.path for file in result.new]


def test_new_files_come_sorted_with_their_identity(tmp_path: Path) -> None:
    write(tmp_path / "in/b.csv")
    write(tmp_path / "in/a.csv", "x\n")
    result = look(tmp_path)
    assert paths(result) == ["a.csv", "b.csv"]
    [first, _] = result.new
    assert first.content_hash == hashlib.sha256(b"x\n").hexdigest()
    assert first.file_id == hashlib.sha256(b"lines\0a.csv\0" + first.content_hash.encode()).hexdigest()[:32]
    assert (first.size, first.name, first.version) == (2, "a.csv", None)


def test_a_file_as_it_was_taken_is_unchanged_and_not_even_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "in/a.csv")
    taken = [known(file) for file in look(tmp_path).new]
    monkeypatch.setattr(discovery, "hash_content", lambda _: pytest.fail("hashed"))
    assert look(tmp_path, taken) == Discovery((), (), (), (), (), unchanged=1)


def test_a_file_touched_just_now_is_hashed_though_it_looks_the_same(tmp_path: Path) -> None:
    path = write(tmp_path / "in/a.csv", "a\n1\n", at=NOW)
    taken = [known(file) for file in look(tmp_path).new]
    assert look(tmp_path, taken).unchanged == 1
    write(path, "a\n2\n", at=NOW)
    assert paths(look(tmp_path, taken)) == ["a.csv"]
    assert paths(look(tmp_path, taken, now=NOW + timedelta(minutes=1))) == []


def test_a_file_that_was_only_touched_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "in/a.csv")
    taken = [known(file) for file in look(tmp_path).new]
    write(path, at=OLD + timedelta(hours=1))
    kept = tmp_path / "hashes.json"
    assert look_again(tmp_path, taken, kept).identical == ("a.csv",)
    monkeypatch.setattr(hashes, "hash_content", lambda _: pytest.fail("hashed"))
    assert look_again(tmp_path, taken, kept).identical == ("a.csv",)


def test_a_remembered_hash_holds_for_its_size_and_time_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "in/a.csv")
    taken = [known(file) for file in look(tmp_path).new]
    kept = tmp_path / "hashes.json"
    write(path, at=OLD + timedelta(hours=1))
    look_again(tmp_path, taken, kept)
    write(path, "a\n2\n", at=OLD + timedelta(hours=2))
    assert paths(look_again(tmp_path, taken, kept)) == ["a.csv"]
    kept.write_text("damaged")
    assert paths(look_again(tmp_path, taken, kept)) == ["a.csv"]


def look_again(root: Path, taken: Sequence[KnownFile], kept: Path) -> Discovery:
    remembered = Hashes(kept)
    found = discover(CSV, root, taken, ManualClock(NOW), hashes=remembered)
    remembered.save()
    return found


def test_the_folder_of_the_lake_holds_no_deliveries(tmp_path: Path) -> None:
    write(tmp_path / "in/a.csv")
    write(tmp_path / "data/lake/b.csv")
    everything = source("**/*.csv")
    found = discover(everything, tmp_path, (), ManualClock(NOW), without=tmp_path / "data")
    assert paths(found) == ["in/a.csv"]


def test_the_same_content_delivered_again_under_its_path_is_counted_not_taken(tmp_path: Path) -> None:
    path = write(tmp_path / "in/a.csv")
    taken = [known(file) for file in look(tmp_path).new]
    write(path, at=OLD + timedelta(hours=1))
    result = look(tmp_path, taken)
    assert (paths(result), result.identical) == ([], ("a.csv",))


def test_a_content_that_returns_under_its_path_is_identical(tmp_path: Path) -> None:
    path = write(tmp_path / "in/a.csv", "one")
    taken = [known(file, 1) for file in look(tmp_path).new]
    write(path, "two!")
    taken += [known(file, 2) for file in look(tmp_path, taken).new]
    assert len(taken) == 2
    write(path, "one")
    assert look(tmp_path, taken).identical == ("a.csv",)


@pytest.mark.parametrize(("declared", "new", "skipped"), [("load", ["b.csv"], ()), ("skip", [], ("b.csv",))])
def test_a_known_content_under_another_path_is_what_is_declared(
    tmp_path: Path, declared: str, new: list[str], skipped: tuple[str, ...]
) -> None:
    at = replace(CSV, delivery=Delivery(same_content=declared))
    write(tmp_path / "in/a.csv")
    taken = [known(file) for file in look(tmp_path, at=at).new]
    write(tmp_path / "in/b.csv")
    result = look(tmp_path, taken, at=at)
    assert (paths(result), result.same_content) == (new, skipped)


def test_of_two_new_files_with_one_content_the_first_path_wins_when_skipping(tmp_path: Path) -> None:
    write(tmp_path / "in/b.csv")
    write(tmp_path / "in/a.csv")
    result = look(tmp_path, at=replace(CSV, delivery=Delivery(same_content="skip")))
    assert (paths(result), result.same_content) == (["a.csv"], ("b.csv",))


def test_a_file_that_is_gone_is_reported(tmp_path: Path) -> None:
    path = write(tmp_path / "in/a.csv")
    taken = [known(file) for file in look(tmp_path).new]
    path.unlink()
    assert look(tmp_path, taken).vanished == ("a.csv",)


def test_a_file_is_left_alone_until_it_has_settled(tmp_path: Path) -> None:
    at = replace(CSV, settle=timedelta(minutes=5))
    write(tmp_path / "in/a.csv", at=NOW - timedelta(minutes=4))
    assert look(tmp_path, at=at).unsettled == ("a.csv",)
    assert paths(look(tmp_path, at=at, now=NOW + timedelta(minutes=1))) == ["a.csv"]


def test_a_file_from_the_future_is_taken_rather_than_waited_for(tmp_path: Path) -> None:
    write(tmp_path / "in/a.csv", at=NOW + timedelta(days=1))
    assert paths(look(tmp_path, at=replace(CSV, settle=timedelta(minutes=5)))) == ["a.csv"]


def test_globs_match_folders_at_any_depth_and_each_file_once(tmp_path: Path) -> None:
    for name in ("a.csv", "2024/b.csv", "2024/05/c.csv", "2024/05/c.txt", "other/d.csv"):
        write(tmp_path / "in" / name)
    at = source("in/**/*.csv", "in/2024/*/[a-c].csv", str(tmp_path / "in/other/?.csv"))
    assert paths(look(tmp_path, at=at)) == ["2024/05/c.csv", "2024/b.csv", "a.csv", "other/d.csv"]


def test_paths_are_relative_to_the_folder_common_to_the_globs(tmp_path: Path) -> None:
    assert source_folder(source("in/x/*.csv", "in/y/**/*.csv"), tmp_path) == tmp_path / "in"
    assert source_folder(source("../in/./one.csv"), tmp_path / "project") == tmp_path / "in"


@pytest.mark.parametrize("folder", ["shop [1]", "shop *", "what?"])
def test_wildcards_in_the_name_of_the_projects_folder_are_letters(tmp_path: Path, folder: str) -> None:
    write(tmp_path / folder / "in/a.csv")
    write(tmp_path / "shop 1/in/b.csv")
    write(tmp_path / "what!/in/b.csv")
    assert paths(look(tmp_path / folder)) == ["a.csv"]


@pytest.mark.parametrize("name", [".hidden.csv", ".folder/a.csv", "a.csv.tmp", "b.csv.part", "c.csv~"])
def test_hidden_and_half_delivered_files_are_passed_over(tmp_path: Path, name: str) -> None:
    write(tmp_path / "in" / name)
    write(tmp_path / "in/good.csv")
    assert paths(look(tmp_path, at=source("in/**/*"))) == ["good.csv"]


def test_they_are_taken_when_the_pattern_says_so(tmp_path: Path) -> None:
    write(tmp_path / "in/.a.csv")
    write(tmp_path / "in/b.part")
    assert paths(look(tmp_path, at=source("in/.*.csv", "in/*.part"))) == [".a.csv", "b.part"]


def test_folders_and_pipes_that_match_are_no_deliveries(tmp_path: Path) -> None:
    (tmp_path / "in/folder.csv").mkdir(parents=True)
    os.mkfifo(tmp_path / "in/pipe.csv")
    write(tmp_path / "in/a.csv")
    assert paths(look(tmp_path)) == ["a.csv"]


def test_links_are_followed_once_around(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere/a.csv")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in/b.csv").symlink_to(tmp_path / "elsewhere/a.csv")
    (tmp_path / "elsewhere/round").symlink_to(tmp_path / "in")
    result = paths(look(tmp_path, at=source("in/**/*.csv")))
    assert result == ["b.csv", "linked/a.csv"]


def test_a_link_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.csv").symlink_to(tmp_path / "nothing")
    with pytest.raises(SourceError, match=r"a\.csv: It cannot be read: found No such file"):
        look(tmp_path)


def test_a_missing_folder_is_an_error_unless_optional(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="The folder of the source is missing"):
        look(tmp_path)
    assert paths(look(tmp_path, at=replace(CSV, optional=True))) == []


def test_an_empty_folder_is_fine_and_one_with_other_files_is_not(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    assert look(tmp_path) == Discovery((), (), (), (), (), 0)
    write(tmp_path / "in/a.CSV")
    with pytest.raises(SourceError, match=r"expected `in/\*\.csv`, found `a\.CSV`"):
        look(tmp_path)
    assert paths(look(tmp_path, at=replace(CSV, optional=True))) == []


def test_a_missing_file_named_without_wildcards_is_an_error_until_it_was_taken(tmp_path: Path) -> None:
    at = source("in/one.csv")
    (tmp_path / "in").mkdir()
    with pytest.raises(SourceError, match="The file of the source is missing"):
        look(tmp_path, at=at)
    path = write(tmp_path / "in/one.csv")
    taken = [known(file) for file in look(tmp_path, at=at).new]
    path.unlink()
    assert look(tmp_path, taken, at=at).vanished == ("one.csv",)


def test_what_the_system_refuses_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "in/a.csv")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("penstock.ingest.glob.os.scandir", refuse)
    with pytest.raises(SourceError, match=r"in: It cannot be read: found Permission denied\. Check that"):
        look(tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr("penstock.ingest.file.open", refuse, raising=False)
    with pytest.raises(SourceError, match=r"a\.csv: It cannot be read: found Permission denied"):
        look(tmp_path)


def test_a_name_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with open(os.fsencode(tmp_path / "in") + b"/\xff.csv", "wb"):
        pass
    with pytest.raises(SourceError, match="name is not text"):
        look(tmp_path)


def test_name_and_version_come_from_the_declared_pattern(tmp_path: Path) -> None:
    delivery = Delivery(DeliveryMode.REPLACE_FILE, pattern=r"(?P<name>.+)_v(?P<version>[0-9]+)[.]csv")
    write(tmp_path / "in/stock_v12.csv")
    [file] = look(tmp_path, at=replace(CSV, delivery=delivery)).new
    assert (file.name, file.version) == ("stock", "12")
    write(tmp_path / "in/stock.csv")
    with pytest.raises(SourceError, match=r"which version it is: expected a name like .*, found stock\.csv"):
        look(tmp_path, at=replace(CSV, delivery=delivery))


@given(st.lists(st.text("019av", min_size=1, max_size=3)))
def test_versions_have_one_order_whatever_they_mix(versions: list[str]) -> None:
    ordered = sorted(versions, key=version_order)
    numbers = [version for version in ordered if version.isdigit()]
    assert ordered[: len(numbers)] == sorted(numbers, key=lambda text: (int(text), text))
    assert ordered[len(numbers) :] == sorted(version for version in versions if not version.isdigit())
