"""A file of the same name with a higher version gives silver its rows; bronze keeps both."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest

from penstock.load.conflicts import Conflict, conflicts
from tests.load.load_shapes import (
    BY_COLUMN,
    BY_NAME,
    DAY,
    HEADER,
    KEYED,
    OPEN_FOR_A_DAY,
    Road,
    contract,
    road,
    source,
)

VERSIONED = f"{HEADER},version"


@pytest.fixture
def lists(tmp_path: Path) -> Iterator[Road]:
    """Whole lists without a key, with the version in the file's name."""
    with road(tmp_path, contract(), {"delivery": BY_NAME}) as made:
        yield made


@pytest.fixture
def keyed_lists(tmp_path: Path) -> Iterator[Road]:
    with road(tmp_path, KEYED, {"delivery": BY_NAME}) as made:
        yield made


def conflicting(way: Road) -> tuple[Conflict, ...]:
    return conflicts(way.lake, way.project, way.project.contracts["loans"])


def test_a_higher_version_takes_the_place_of_the_lower(lists: Road) -> None:
    lists.deliver("north_v1.csv", "1,Dune,,", "2,Emma,,")
    lists.deliver("south_v1.csv", "3,Ulysses,,")
    lists.run()
    lists.deliver("north_v2.csv", "1,Dune again,,")
    (settled,) = lists.run()
    assert (settled.replaced, lists.titles()) == (2, {"1": "Dune again", "3": "Ulysses"})
    assert len(lists.rows("bronze.desk")) == 4


def test_versions_are_numbers(lists: Road) -> None:
    for version in ("10", "9"):
        lists.deliver(f"north_v{version}.csv", f"1,{version},,")
        lists.run()
    assert lists.titles() == {"1": "10"}


def test_a_lower_version_that_comes_late_is_counted_and_left_out(lists: Road) -> None:
    lists.deliver("north_v2.csv", "1,Dune,,")
    lists.run()
    lists.deliver("north_v1.csv", "1,Emma,,", "2,Emma,free,", "3")
    (settled,) = lists.run()
    assert (settled.counts.superseded, settled.counts.accepted, lists.titles()) == (2, 0, {"1": "Dune"})
    assert (lists.refused(), len(lists.refused("superseded")), lists.told_open()) == ([], 1, 0)


def test_both_versions_in_one_run_leave_the_higher(lists: Road) -> None:
    lists.deliver("north_v1.csv", "1,Dune,,")
    lists.deliver("north_v2.csv", "2,Emma,,")
    (settled,) = lists.run()
    assert (settled.counts.superseded, lists.titles()) == (1, {"2": "Emma"})


def test_of_equal_versions_the_content_decides_whichever_came_first(tmp_path: Path) -> None:
    found = []
    for number, order in enumerate((("1,Dune,,", "1,Emma,,"), ("1,Emma,,", "1,Dune,,"))):
        with road(tmp_path / str(number), contract(), {"delivery": BY_NAME}) as way:
            for line in order:
                way.deliver("north_v1.csv", line)
                way.run()
            found.append(way.titles())
    assert found[0] == found[1]


def test_two_files_of_one_version_are_named_with_the_rows_that_differ_whichever_came_first(tmp_path: Path) -> None:
    lists = ("1,Dune,,\n2,Emma,,\n3,Ulysses,,", "1,Dune,,\n2,Emma again,,", "1,Dune,,")
    told = []
    for number, order in enumerate(permutations(lists)):
        with road(tmp_path / str(number), contract(), {"delivery": BY_NAME}) as way:
            for lines in order:
                way.deliver("north_v1.csv", lines)
                way.run()
            found, stands = conflicting(way), len(way.titles())
            told.append([str(one) for one in found])
    rows = {content.count(",,"): {*content.split("\n")} for content in lists}
    expected = [(len(rows[stands] - rows[other]), len(rows[other] - rows[stands])) for other in rows.keys() - {stands}]
    assert sorted((one.kept, one.left) for one in found) == sorted(expected)
    assert all(one == told[0] for one in told)
    assert told[0][0].startswith("version 1 of north came with different content: north_v1.csv (SHA-256 ")


def test_files_of_one_version_are_told_when_they_come_and_until_a_higher_one_stands(lists: Road) -> None:
    lists.deliver("north_v1.csv", "1,Dune,,")
    (first,) = lists.run()
    lists.deliver("north_v1.csv", "1,Emma,,")
    (second,) = lists.run()
    lists.deliver("south_v1.csv", "3,Ulysses,,")
    (third,) = lists.run()
    assert [len(one.conflicts) for one in (first, second, third)] == [0, 1, 0]
    assert len(conflicting(lists)) == 1
    lists.deliver("north_v2.csv", "1,Emma,,")
    lists.run()
    assert conflicting(lists) == ()


def test_files_of_one_version_that_say_the_same_rows_are_no_conflict(lists: Road) -> None:
    for lines in (["1,Dune,,", "2,Emma,,"], ["2,Emma,,", "1,Dune,,"]):
        lists.deliver("north_v1.csv", *lines)
        (settled,) = lists.run()
    assert settled.conflicts == ()


def test_an_empty_list_takes_the_place_of_a_full_one(lists: Road) -> None:
    lists.deliver("north_v1.csv", "1,Dune,,")
    lists.run()
    lists.deliver("north_v2.csv")
    (settled,) = lists.run()
    assert (settled.replaced, lists.titles()) == (1, {})


def test_refused_rows_of_a_replaced_file_are_superseded(lists: Road) -> None:
    lists.deliver("north_v1.csv", "1,Dune,free,", "2,Emma")
    lists.run()
    lists.deliver("north_v2.csv", "1,Dune,free,", "2,Emma,,")
    lists.run()
    assert lists.refused() == [("north_v2.csv", 2, "conform", ["type"])]
    assert [row[:3] for row in lists.refused("superseded")] == [
        ("north_v1.csv", 2, "conform"),
        ("north_v1.csv", 3, "parse"),
    ]


def test_the_column_says_the_version(tmp_path: Path) -> None:
    with road(tmp_path, contract(), {"delivery": BY_COLUMN}) as way:
        for version in ("9", "10", "8"):
            way.deliver("north.csv", f"1,{version},,,1", f"2,{version},,,{version}", header=VERSIONED)
            way.run()
        assert way.titles() == {"1": "10", "2": "10"}
        assert way.values("ledger.desk", "version") == [("9",), ("10",), ("8",)]


def test_the_version_column_is_found_whatever_its_capitals(tmp_path: Path) -> None:
    with road(tmp_path, contract(), {"delivery": BY_COLUMN}) as way:
        for version, header in (("9", VERSIONED), ("10", VERSIONED.upper()), ("8", VERSIONED)):
            way.deliver("north.csv", f"1,{version},,,{version}", header=header)
            way.run()
        assert way.titles() == {"1": "10"}


def test_a_file_without_rows_has_no_version_and_replaces_nothing(tmp_path: Path) -> None:
    with road(tmp_path, contract(), {"delivery": BY_COLUMN}) as way:
        way.deliver("north.csv", "1,Dune,,,9", header=VERSIONED)
        way.run()
        way.deliver("north.csv", header=VERSIONED)
        way.run()
        assert way.titles() == {"1": "Dune"}


def test_a_key_that_the_new_file_lacks_goes(keyed_lists: Road) -> None:
    keyed_lists.deliver("north_v1.csv", "1,Dune,,2024-01-01", "2,Emma,,2024-01-01")
    keyed_lists.run()
    keyed_lists.deliver("north_v2.csv", "2,Emma,,2024-01-01")
    keyed_lists.run()
    assert keyed_lists.titles() == {"2": "Emma"}
    assert keyed_lists.values("silver.loans", "_file") == [("north_v2.csv",)]


def test_a_key_that_lost_its_winner_falls_back_to_another_file(keyed_lists: Road) -> None:
    keyed_lists.deliver("south_v1.csv", "1,Dune,,2024-01-01")
    keyed_lists.deliver("north_v1.csv", "1,Emma,,2024-01-02")
    keyed_lists.run()
    keyed_lists.deliver("north_v2.csv", "3,Ulysses,,2024-01-02")
    (settled,) = keyed_lists.run()
    assert (settled.revived, settled.replaced) == (1, 1)
    assert keyed_lists.titles() == {"1": "Dune", "3": "Ulysses"}


def test_the_new_file_may_hold_a_worse_version_of_the_key(keyed_lists: Road) -> None:
    keyed_lists.deliver("north_v1.csv", "1,Emma,,2024-01-03")
    keyed_lists.deliver("south_v1.csv", "1,Dune,,2024-01-02")
    keyed_lists.run()
    keyed_lists.deliver("north_v2.csv", "1,Ulysses,,2024-01-01")
    (settled,) = keyed_lists.run()
    assert (keyed_lists.titles(), settled.counts.superseded) == ({"1": "Dune"}, 1)


def test_a_replaced_version_does_not_keep_the_window_where_it_opened_it(tmp_path: Path) -> None:
    with road(tmp_path, OPEN_FOR_A_DAY, {"delivery": BY_NAME}) as way:
        way.deliver("north_v1.csv", "1,Dune,,2024-01-01")
        way.deliver("south_v1.csv", "1,Emma,,2024-01-02")
        way.deliver("east_v1.csv", "1,Ulysses,,2024-01-03")
        way.run()
        assert way.titles() == {"1": "Emma"}
        way.deliver("north_v2.csv", "2,Dune,,2024-01-01")
        way.run()
        assert way.titles() == {"1": "Ulysses", "2": "Dune"}
        way.assert_conserved()


def test_a_contract_without_horizon_keeps_rows_that_a_replaced_loser_does_not_touch(keyed_lists: Road) -> None:
    keyed_lists.deliver("north_v1.csv", "1,Dune,,2024-01-01")
    keyed_lists.deliver("south_v1.csv", "1,Emma,,2024-01-02")
    keyed_lists.run()
    keyed_lists.deliver("north_v2.csv", "2,Dune,,2024-01-01")
    (settled,) = keyed_lists.run()
    assert (settled.replaced, keyed_lists.titles()) == (0, {"1": "Emma", "2": "Dune"})


def test_hundreds_of_replaced_files_are_as_good_as_one(keyed_lists: Road) -> None:
    for version in range(400):
        keyed_lists.deliver(f"north_v{version}.csv", f"1,{version},,2024-01-01")
    keyed_lists.run()
    keyed_lists.deliver("north_v400.csv", "1,last,,2024-01-01")
    (settled,) = keyed_lists.run()
    assert (settled.replaced, keyed_lists.titles()) == (1, {"1": "last"})


@pytest.mark.parametrize("horizon", [None, DAY])
def test_a_delivery_declared_otherwise_holds_for_what_was_taken_before(tmp_path: Path, horizon: object) -> None:
    key = () if horizon is None else ("loan",)
    declared = contract(key=key, order_by="at" if key else None, horizon=DAY if key else None)
    with road(tmp_path, declared) as way:
        way.deliver("north_v2.csv", "1,Emma,,2024-01-01", "2,Emma")
        way.deliver("north_v1.csv", "1,Dune,,2024-01-01", "3,Dune,,2024-01-01", "4,Dune")
        way.run()
        way.declare(source(way.inbox, delivery=BY_NAME))
        (settled,) = way.settle()
        assert (settled.rebuilt, way.titles()) == (True, {"1": "Emma"})
        assert [row[:2] for row in way.refused()] == [("north_v2.csv", 3)]
        way.declare(source(way.inbox))
        way.settle()
        assert (sorted(way.titles()), len(way.refused())) == (["1", "3"], 2)


def test_a_version_column_declared_later_is_read_from_bronze(tmp_path: Path) -> None:
    with road(tmp_path, contract()) as way:
        for version in ("9", "10", "8"):
            way.deliver("north.csv", f"1,{version},,,{version}", header=VERSIONED)
            way.run()
        way.declare(source(way.inbox, delivery=BY_COLUMN))
        way.run()
        assert way.titles() == {"1": "10"}
        way.deliver("north.csv", "1,11,,,11", header=VERSIONED)
        way.run()
        assert way.titles() == {"1": "11"}


def test_two_paths_may_hold_versions_of_one_name(lists: Road) -> None:
    lists.deliver("january/north_v1.csv", "1,Dune,,")
    lists.deliver("february/north_v2.csv", "1,Emma,,")
    lists.run()
    assert lists.titles() == {"1": "Emma"}


def test_two_sources_with_one_name_do_not_replace_each_other(tmp_path: Path) -> None:
    facts = {"delivery": BY_NAME}
    with road(tmp_path, contract(), {"glob": "a/*", **facts}, {"glob": "b/*", "name": "post", **facts}) as way:
        way.deliver("a/north_v1.csv", "1,Dune,,")
        way.deliver("b/north_v2.csv", "2,Emma,,")
        way.run()
        assert way.titles() == {"1": "Dune", "2": "Emma"}


def test_a_plain_source_beside_lists_is_left_alone(tmp_path: Path) -> None:
    post = {"glob": "post*", "name": "post"}
    with road(tmp_path, KEYED, {"glob": "north*", "delivery": BY_NAME}, post) as way:
        way.deliver("north_v1.csv", "1,Dune,,2024-01-02")
        way.deliver("post.csv", "1,Emma,,2024-01-01", "2,Emma,free,")
        way.run()
        way.deliver("north_v2.csv", "3,Dune,,2024-01-02")
        way.run()
        assert way.titles() == {"1": "Emma", "3": "Dune"}
        assert [row[0] for row in way.refused()] == ["post.csv"]
