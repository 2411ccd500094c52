"""Lists that are the whole truth of their day, and versions in any order, from files to gold."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tests.flows.library import LOAN, CardOffice, loan
from tests.flows.test_any_order import check, result


@pytest.fixture
def office(tmp_path: Path) -> CardOffice:
    made = CardOffice.found(tmp_path / "town")
    made.loans("monday", loan(1))
    return made


def cards(office: CardOffice) -> dict[str, str]:
    rows = office.query("SELECT member_id, card FROM gold.cards_today ORDER BY member_id")
    return {row["member_id"]: row["card"] for row in rows}


def lost(office: CardOffice) -> list[tuple[str, str | None]]:
    """When keys went missing and when they were back, oldest first."""
    rows = office.query("SELECT deleted_at::DATE AS gone, restored_at::DATE AS back FROM gold.lost_cards ORDER BY ALL")
    return [(row["gone"], row["back"]) for row in rows]


def test_lists_in_any_order_say_who_holds_a_card_today_and_who_lost_one_when(office: CardOffice) -> None:
    office.cards(15, "m1,gold", "m2,blue")
    office.cards(1, "m1,blue", "m2,blue", "m3,blue")
    office.run()
    assert (cards(office), lost(office)) == ({"m1": "gold", "m2": "blue"}, [("2024-01-15", None)])
    office.cards(8, "m1,blue", "m3,blue")
    office.run()
    assert lost(office) == [("2024-01-08", "2024-01-15"), ("2024-01-15", None)]
    assert cards(office) == {"m1": "gold", "m2": "blue"}


def test_a_refused_card_is_not_a_lost_one_and_an_unreadable_line_deletes_nothing(office: CardOffice) -> None:
    office.cards(1, "m1,blue", "m2,blue")
    office.cards(8, "m1,green", "m2,gold")
    office.run()
    assert (cards(office), lost(office)) == ({"m1": "blue", "m2": "gold"}, [])
    office.cards(15, "m1,blue", '"m2,gold')
    report = office.run()
    assert [notice["text"] for notice in report["notices"]] == [
        "cards: a row of the snapshot of 2024-01-15 could not be read, so it deletes nothing"
    ]
    assert (cards(office), lost(office)) == ({"m1": "blue", "m2": "gold"}, [])


def test_an_empty_list_is_refused_by_name_while_the_newest_move_holds_whenever_it_arrives(office: CardOffice) -> None:
    office.cards(1, "m1,blue", "m2,blue")
    office.moves("second", "Dune,B2,2024-01-03", "Emma,C3,2024-01-03")
    office.run()
    office.cards(8)
    office.moves("first", "Dune,A1,2024-01-02", "Emma,,2024-01-04")
    (notice,) = office.run(expected=1)["notices"]
    assert "cards_20240108.csv was not taken" in notice["text"]
    assert "max_deleted" in notice["text"]
    assert len(cards(office)) == 2
    rows = office.query("SELECT branch, title, shelf FROM gold.shelves_today ORDER BY title")
    assert [tuple(row.values()) for row in rows] == [("main", "Dune", "B2"), ("main", "Emma", None)]
    assert office.count("silver.shelves") == 4


def write_files(folder: Path) -> None:
    chance = random.Random(0)
    folder.mkdir()
    (folder / "loans_00.csv").write_text(f"{LOAN}\n{loan(1)}\n")
    for day in range(1, 9):
        held = chance.sample(range(12), 9)
        lines = [f"m{member},{chance.choice(('blue', 'gold', 'gold', 'green'))}" for member in held]
        lines += ['"m12,blue'] if day == 5 else []
        (folder / f"cards_202401{day:02}.csv").write_text("\n".join(["member_id,card", *lines]) + "\n")
        moves = [
            f"{chance.choice(('Dune', 'Emma'))},{chance.choice('AB')},2024-01-{chance.randrange(1, 9):02}"
            for _ in range(4)
        ]
        (folder / f"moves_{day}.csv").write_text("\n".join(["title,shelf,moved_at", *moves]) + "\n")


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("lists")
    write_files(folder / "files")
    return folder, result("cards", folder, 0)


def test_the_order_of_lists_changes_nothing(lists: tuple[Path, dict[str, Any]]) -> None:
    folder, expected = lists
    assert expected["rows"]["gold.lost_cards"] > 5
    assert check("cards", folder, expected, 1) > 0


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(2, 20))
def test_no_order_of_lists_changes_anything(lists: tuple[Path, dict[str, Any]], seed: int) -> None:
    check("cards", *lists, seed)
