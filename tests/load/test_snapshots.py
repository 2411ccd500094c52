"""A snapshot is the whole truth of its moment: which keys it held, and when it says nothing of those it misses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from penstock.load.bronze import Refused
from penstock.load.conflicts import Contradiction
from penstock.spec.contract import Contract, LogicalType
from penstock.spec.source import Delivery, DeliveryMode, Reading
from tests.load.load_shapes import COLUMNS, Road, column, contract, road

LISTED = column("listed", LogicalType.DATE, required=True)
HEADER = "loan,title,fee,at"
DATED = "loan,title,fee,at,listed"
BY_NAME = Delivery(DeliveryMode.SNAPSHOT, pattern=r"list_(?P<version>[0-9-]+)\.csv", version="listed", max_deleted=1)
BY_COLUMN = replace(BY_NAME, pattern=None)
UPSERT = Delivery(DeliveryMode.UPSERT, version="listed")


def lists_of_loans(**facts: Any) -> Contract:
    """Loans by number, in every version there was."""
    return replace(contract(*COLUMNS, LISTED, key=("loan",), **facts), history="listed")


@pytest.fixture
def lists(tmp_path: Path) -> Iterator[Road]:
    with road(tmp_path, lists_of_loans(), {"delivery": BY_NAME}) as made:
        yield made


def versions(way: Road) -> list[tuple[str, str, str | None]]:
    return sorted(
        (str(listed), loan, title) for listed, loan, title in way.values("silver.loans", "listed", "loan", "title")
    )


def held(way: Road) -> list[tuple[str, str | None, bool]]:
    """(moment, key or None for the file itself, whether it is whole)."""
    rows = way.values("silver.loans_snapshots", "listed", "loan", "is_whole")
    return sorted(((str(listed), loan, whole) for listed, loan, whole in rows), key=repr)


def test_silver_keeps_every_version_and_the_snapshots_say_which_keys_they_held(lists: Road) -> None:
    lists.deliver("list_2024-01-02.csv", "1,Dune,,", "2,Emma,,")
    lists.deliver("list_2024-01-01.csv", "1,Dune,,")
    lists.deliver("list_2024-01-03.csv")
    lists.run()
    assert versions(lists) == [("2024-01-01", "1", "Dune"), ("2024-01-02", "1", "Dune"), ("2024-01-02", "2", "Emma")]
    assert held(lists) == [
        ("2024-01-01", "1", True),
        ("2024-01-01", None, True),
        ("2024-01-02", "1", True),
        ("2024-01-02", "2", True),
        ("2024-01-02", None, True),
        ("2024-01-03", None, True),
    ]


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_two_parts_of_a_moment_that_say_otherwise_of_a_key_are_named(
    lists: Road, order: tuple[str, str], together: bool
) -> None:
    said = {"a": ("1,Dune,,", "2,Emma,,"), "b": ("1,Ulysses,,", "2,Emma,,", "3,Atlas,,")}
    told = []
    for part in order:
        lists.deliver(f"{part}/list_2024-01-02.csv", *said[part])
        told += [] if together else lists.run()
    told += lists.run()
    holds = "a" if ("2024-01-02", "1", "Dune") in versions(lists) else "b"
    (other,) = {"a", "b"} - {holds}
    assert [one for settled in told for one in settled.conflicts] == [
        Contradiction(f"{holds}/list_2024-01-02.csv", f"{other}/list_2024-01-02.csv", 1)
    ]


def test_contents_of_one_file_that_contradict_each_other_are_told_as_such() -> None:
    assert str(Contradiction("customers.csv", "customers.csv", 1)) == (
        "two contents of customers.csv differ in 1 row of one key and version: the one whose hash is the higher holds"
        " there, whichever came first; a change needs a higher version"
    )


def test_parts_of_a_moment_that_agree_are_no_contradiction(lists: Road) -> None:
    for part in ("a", "b"):
        lists.deliver(f"{part}/list_2024-01-02.csv", "1,Dune,,", f"{part},Emma,,")
    lists.deliver("list_2024-01-03.csv", "1,Ulysses,,")
    assert [one for settled in lists.run() for one in settled.conflicts] == []


def test_a_refused_row_whose_key_can_be_read_was_there(lists: Road) -> None:
    lists.deliver("list_2024-01-02.csv", "1,Dune,free,")
    (settled,) = lists.run()
    assert (settled.counts.quarantined, settled.held, versions(lists)) == (1, (), [])
    assert held(lists) == [("2024-01-02", "1", True), ("2024-01-02", None, True)]


@pytest.mark.parametrize("line", [",Dune,,", "1,Dune"])
def test_a_snapshot_with_a_row_of_unknown_key_is_not_whole(lists: Road, line: str) -> None:
    lists.deliver("list_2024-01-02.csv", line, "2,Emma,,")
    (settled,) = lists.run()
    assert settled.held == ("2024-01-02",)
    assert held(lists) == [("2024-01-02", "2", False), ("2024-01-02", None, False)]


def test_another_part_of_the_moment_can_take_its_wholeness(lists: Road) -> None:
    lists.deliver("a/list_2024-01-02.csv", "2,Emma,,")
    lists.run()
    lists.deliver("b/list_2024-01-02.csv", "1,Dune,,", ",Dune,,")
    lists.run()
    assert {whole for _, _, whole in held(lists)} == {False}


def test_a_line_that_was_mended_makes_the_snapshot_whole(lists: Road) -> None:
    lists.deliver("list_2024-01-02.csv", '1,"Dune,,')
    lists.run()
    assert held(lists) == [("2024-01-02", None, False)]
    source = lists.project.sources["desk"]
    lists.declare(replace(source, csv=replace(source.csv, quote="'")))
    assert lists.reread().parsed == 1
    lists.run()
    assert held(lists) == [("2024-01-02", "1", True), ("2024-01-02", None, True)]
    lists.assert_conserved()


def test_a_mended_reading_makes_the_snapshot_whole(lists: Road) -> None:
    source = lists.project.sources["desk"]
    lists.declare(replace(source, reading=Reading(null_values=("1",))))
    lists.deliver("list_2024-01-02.csv", "1,Dune,,")
    lists.run()
    assert held(lists) == [("2024-01-02", None, False)]
    lists.declare(source)
    lists.run()
    assert held(lists) == [("2024-01-02", "1", True), ("2024-01-02", None, True)]


def test_sightings_that_were_lost_are_made_anew_from_bronze(lists: Road) -> None:
    lists.deliver("list_2024-01-01.csv", "1,Dune,,")
    lists.run()
    head = lists.lake.head("silver.loans_snapshots")
    assert head is not None
    with lists.lake.stage(lease=lists.lease, token="lost") as commit:
        change = commit.table(head)
        change.remove(lists.lake.scan_head(head).files)
        change.position("bronze.desk", "0")
        commit.apply()
    lists.deliver("list_2024-01-02.csv", "1,Dune,,")
    (settled,) = lists.run()
    assert (settled.rebuilt, [key for _, key, _ in held(lists)]) == (True, ["1", None, "1", None])


def test_the_moment_may_stand_in_a_column(tmp_path: Path) -> None:
    with road(tmp_path, lists_of_loans(), {"delivery": BY_COLUMN}) as way:
        way.deliver("b.csv", "1,Dune,,,2024-01-02", header=DATED)
        way.deliver("a.csv", "1,Emma,,,2024-01-01", header=DATED)
        way.run()
        assert versions(way) == [("2024-01-01", "1", "Emma"), ("2024-01-02", "1", "Dune")]
        assert [key for _, key, _ in held(way)] == ["1", None, "1", None]


def test_upserted_versions_stay_whenever_they_arrive(tmp_path: Path) -> None:
    with road(tmp_path, lists_of_loans(), {"delivery": UPSERT}) as way:
        for day in ("2024-01-02", "2024-01-01"):
            way.deliver(f"{day}.csv", f"1,{day},,,{day}", header=DATED)
            way.run()
        assert versions(way) == [("2024-01-01", "1", "2024-01-01"), ("2024-01-02", "1", "2024-01-02")]
        assert way.lake.head("silver.loans_snapshots") is None


def test_of_one_version_the_content_decides_whichever_came_first(tmp_path: Path) -> None:
    found = []
    for number, order in enumerate((("Dune", "Emma"), ("Emma", "Dune"))):
        with road(tmp_path / str(number), lists_of_loans(), {"delivery": UPSERT}) as way:
            for title in order:
                way.deliver(f"{title}.csv", f"1,{title},,,2024-01-01", header=DATED)
                way.run()
            found.append(versions(way))
            way.assert_conserved()
    assert found[0] == found[1]
    assert len(found[0]) == 1


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Road]:
    """At most half of the keys may go from one list to the next."""
    with road(tmp_path, lists_of_loans(), {"delivery": replace(BY_NAME, max_deleted=0.5)}) as made:
        yield made


def deliver(way: Road, day: int, *loans: int) -> Path:
    return way.deliver(f"list_2024-01-0{day}.csv", *(f"{loan},Dune,," for loan in loans))


def refused(way: Road) -> list[str]:
    """Names of the files that were not taken, then everything that waits is conformed."""
    found = [Path(one.path).name for one in way.take() if isinstance(one, Refused)]
    way.settle()
    return found


def test_a_list_that_misses_too_many_keys_is_refused_by_name_and_nothing_of_it_is_taken(guarded: Road) -> None:
    deliver(guarded, 1, 1, 2, 3, 4)
    guarded.run()
    path = deliver(guarded, 2)
    (result,) = guarded.take()
    assert isinstance(result, Refused)
    assert str(result.error) == (
        f"{path}: The snapshot misses too many keys, which would all be deleted: expected at most 0.5 of the 4 keys of"
        " list_2024-01-01.csv missing from list_2024-01-02.csv, found 4 missing. Have it delivered again, or raise"
        " `delivery.max_deleted`. Nothing of it was taken."
    )
    assert (guarded.settle(), len(guarded.rows("ledger.desk"))) == ([], 1)


def test_half_of_the_keys_may_go(guarded: Road) -> None:
    deliver(guarded, 1, 1, 2, 3, 4)
    deliver(guarded, 2, 3, 4)
    assert refused(guarded) == []


def test_other_keys_do_not_make_up_for_those_that_are_missing(guarded: Road) -> None:
    deliver(guarded, 1, 1, 2, 3, 4)
    deliver(guarded, 2, 5, 6, 7, 8)
    assert refused(guarded) == ["list_2024-01-02.csv"]


def test_a_list_is_held_against_the_one_that_follows_too(guarded: Road) -> None:
    deliver(guarded, 2, 1)
    guarded.run()
    deliver(guarded, 1, 1, 2, 3, 4)
    assert refused(guarded) == ["list_2024-01-01.csv"]


def test_a_refused_list_is_taken_once_the_one_between_has_come(guarded: Road) -> None:
    deliver(guarded, 1, 1, 2, 3, 4)
    deliver(guarded, 3, 4)
    assert refused(guarded) == ["list_2024-01-03.csv"]
    deliver(guarded, 2, 3, 4)
    assert refused(guarded) == []
    assert {moment for moment, _, _ in held(guarded)} == {"2024-01-01", "2024-01-02", "2024-01-03"}


def test_parts_of_one_moment_count_together(guarded: Road) -> None:
    deliver(guarded, 1, 1, 2, 3, 4)
    guarded.run()
    guarded.deliver("a/list_2024-01-02.csv", "1,Dune,,", "2,Dune,,")
    guarded.deliver("b/list_2024-01-02.csv", "3,Dune,,")
    assert refused(guarded) == []


def test_a_file_with_rows_of_several_moments_is_no_snapshot(tmp_path: Path) -> None:
    with road(tmp_path, lists_of_loans(), {"delivery": BY_COLUMN}) as way:
        way.deliver("a.csv", "1,Dune,,,2024-01-01", "2,Dune,,,2024-01-02", header=DATED)
        assert refused(way) == ["a.csv"]
