"""Headers that change between files, and what the contract's evolution mode makes of a column it does not name."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.errors import SourceError
from penstock.load.bronze import Ambiguous, Refused
from penstock.spec.contract import Evolution
from penstock.spec.source import Csv, Reading
from tests.load.load_shapes import HEADER, KEYED, Road, column, contract, refusals, road, source

MORE = f"{HEADER},colour"


def test_a_header_in_other_capitals_is_the_same_column(plain: Road) -> None:
    plain.deliver("a.csv", "1,Dune,,")
    plain.deliver("b.csv", "2,Emma,,", header=HEADER.upper())
    plain.run()
    assert plain.values("bronze.desk", "loan", "title") == [("1", "Dune"), ("2", "Emma")]
    assert plain.titles() == {"1": "Dune", "2": "Emma"}


def test_a_header_in_another_order_is_read_by_name(plain: Road) -> None:
    plain.deliver("a.csv", "1,Dune,,")
    plain.deliver("b.csv", "Emma,2024-01-01,2,", header="title,at,loan,fee")
    plain.run()
    assert plain.titles() == {"1": "Dune", "2": "Emma"}


def test_two_ways_onto_one_column_are_told_once_with_the_files(plain: Road) -> None:
    plain.declare(source(plain.inbox, reading=Reading(mapping=(("title", "name"),))))
    for number in ("1", "2"):
        plain.deliver(f"{number}.csv", f"{number},Dune,Emma", header="loan,name,Title")
    plain.deliver("3.csv", "3,Sula", header="loan,name")

    told, _ = plain.take()
    plain.settle()

    assert isinstance(told, Ambiguous)
    assert str(told) == (
        "in 1.csv and 1 other file `Title` is not read, for `name` is mapped onto `title`:"
        " deliver one of them, or correct the mapping"
    )
    assert plain.titles() == {"1": "Dune", "2": "Dune", "3": "Sula"}


def test_a_column_that_a_file_lacks_is_null_in_bronze(plain: Road) -> None:
    plain.deliver("a.csv", "1,Dune,,")
    plain.deliver("b.csv", "2", header="loan")
    plain.take()
    assert plain.values("bronze.desk", "loan", "title") == [("1", "Dune"), ("2", None)]


@pytest.mark.parametrize("name", ["_id", "_line", "_batch"])
def test_a_column_that_begins_with_an_underscore_stays_with_its_values(plain: Road, name: str) -> None:
    plain.deliver("a.csv", "1,x", header=f"loan,{name}")
    plain.take()
    plain.deliver("b.csv", "2", header="loan")
    plain.take()
    column_name = name if name == "_id" else f"{name}_2"
    assert plain.values("bronze.desk", "loan", column_name) == [("1", "x"), ("2", None)]


def test_evolve_adds_the_column_to_bronze_and_leaves_silver_to_the_contract(plain: Road) -> None:
    plain.deliver("a.csv", "1,Dune,,")
    plain.run()
    plain.deliver("b.csv", "2,Emma,,,red", header=MORE)
    plain.run()
    assert plain.values("bronze.desk", "loan", "colour") == [("1", None), ("2", "red")]
    assert "colour" not in plain.rows("silver.loans")[0]


def test_freeze_refuses_the_file_and_takes_the_others(tmp_path: Path) -> None:
    with road(tmp_path, contract(evolution=Evolution.FREEZE)) as way:
        way.deliver("a.csv", "1,Dune,,,red", header=MORE)
        way.deliver("b.csv", "2,Emma,,")
        assert refusals(way.take()) == [("a.csv", SourceError)]
        way.settle()
        assert way.titles() == {"2": "Emma"}


def test_freeze_says_which_columns_it_did_not_expect(tmp_path: Path) -> None:
    with road(tmp_path, contract(evolution=Evolution.FREEZE)) as way:
        way.deliver("a.csv", "1,Dune,,,red", header=MORE)
        (refused,) = way.take()
        assert "found colour" in str(getattr(refused, "error", ""))
        assert way.rows("bronze.desk") == way.rows("ledger.desk") == []


def test_discard_value_drops_the_values_from_silver_and_counts_them(tmp_path: Path) -> None:
    with road(tmp_path, contract(evolution=Evolution.DISCARD_VALUE)) as way:
        way.deliver("a.csv", "1,Dune,,,red", "2,Emma,,,", "3,Ulysses,,,blue", header=MORE)
        way.take()
        settled = way.settled()
        assert (settled.counts.accepted, settled.discarded) == (3, {"colour": 2})
        assert way.batches("silver.loans")[0]["discarded"] == {"colour": 2}


def test_discard_row_filters_rows_with_a_value_and_counts_them(tmp_path: Path) -> None:
    with road(tmp_path, contract(evolution=Evolution.DISCARD_ROW)) as way:
        way.deliver("a.csv", "1,Dune,,,red", "2,Emma,,,", header=MORE)
        (settled,) = way.run()
        assert (settled.counts.accepted, settled.counts.filtered) == (1, 1)
        assert way.titles() == {"2": "Emma"}
        assert len(way.rows("bronze.desk")) == 2


def test_a_renamed_header_is_found_by_its_alias_on_both_sides_of_the_change(tmp_path: Path) -> None:
    named = column("title", aliases=("name",))
    with road(tmp_path, contract(column("loan"), named)) as way:
        way.deliver("a.csv", "1,Dune", header="loan,name")
        way.deliver("b.csv", "2,Emma", header="loan,title")
        way.run()
        assert way.titles() == {"1": "Dune", "2": "Emma"}


def test_a_column_known_once_may_become_unknown(tmp_path: Path) -> None:
    with road(tmp_path, contract(column("loan"), column("title"))) as way:
        way.deliver("a.csv", "1,Dune", header="loan,title")
        way.run()
        way.declare(contract(column("loan"), column("name", id="id_title")))
        way.deliver("b.csv", "2,Emma", header="loan,name")
        way.run()
        assert way.values("silver.loans", "loan", "name") == [("1", None), ("2", "Emma")]


def test_a_new_mapping_is_applied_to_all_of_bronze(tmp_path: Path) -> None:
    with road(tmp_path, KEYED) as way:
        way.deliver("a.csv", "1,Dune,1.50,", header="loan,name,fee,at")
        way.run()
        way.declare(source(way.inbox, reading=Reading(mapping=(("title", "name"),))))
        (settled,) = way.settle()
        assert (settled.rebuilt, way.titles()) == (True, {"1": "Dune"})


def test_a_file_read_with_the_wrong_delimiter_is_refused_before_anything_is_written(plain: Road) -> None:
    path = plain.deliver("a.csv", "1;Dune", header="loan;title")
    (result,) = plain.take()
    assert isinstance(result, Refused)
    assert str(result.error) == (
        f"{path}: The file has none of the columns of the contract: expected one of loan, title, fee, at, found"
        " loan;title. Correct `files`, `csv.delimiter` or `reading.columns` of the source. Nothing of it was taken."
    )
    assert plain.lake.head("bronze.desk") is None
    plain.declare(source(plain.inbox, csv=Csv(delimiter=";")))
    plain.run()
    assert plain.titles() == {"1": "Dune"}
