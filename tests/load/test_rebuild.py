"""When declarations change, silver is made anew from bronze: as if it had been loaded from nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from penstock.errors import DeclarationError, SourceError
from penstock.load.rules import rebuild_reason
from penstock.spec.contract import Contract, Evolution, LogicalType, RowRule
from penstock.spec.source import Reading, Source
from tests.load.load_shapes import BY_NAME, COLUMNS, DAY, KEYED, Road, column, contract, road, source

Declared = Callable[[Road], Contract | Source]


def _fill(way: Road) -> None:
    way.deliver("a_v1.csv", "1,Dune,1.50,2024-01-01", "1,Dune,1.50,2024-01-01", "2,Emma,free,", "3,x")
    way.run()
    way.deliver("b_v1.csv", "1,Emma,3,2024-01-05", "4,Emma,12345678,2024-01-02", ",Emma,,")
    way.run()
    way.deliver("a_v2.csv", "2,Ulysses,1,2024-01-01", "5,Ulysses,n/a,2024-01-01")
    way.run()


@pytest.mark.parametrize(
    "declared",
    [
        lambda _: contract(),
        lambda _: contract(key=("loan",), order_by="at", horizon=DAY),
        lambda _: contract(key=("loan",)),
        lambda _: contract(key=("loan", "title"), order_by="at"),
        lambda _: contract(*COLUMNS, key=("loan",), order_by="at", rules=(RowRule("cheap", "fee < 2"),)),
        lambda _: contract(*COLUMNS[:2], replace(COLUMNS[2], precision=12), COLUMNS[3], key=("loan",), order_by="at"),
        lambda _: contract(*COLUMNS, column("colour"), key=("loan",), order_by="at"),
        lambda way: source(way.inbox, delivery=BY_NAME),
        lambda way: source(way.inbox, reading=Reading(null_values=("", "n/a"))),
    ],
    ids=["no key", "horizon", "no order", "longer key", "rule", "wider", "column", "delivery", "reading"],
)
def test_after_a_change_silver_is_as_if_loaded_from_nothing(tmp_path: Path, declared: Declared) -> None:
    with road(tmp_path / "changed") as way:
        _fill(way)
        way.declare(declared(way))
        (settled,) = way.settle()
        assert settled.rebuilt
        way.assert_conserved()
        found = way.state()
    with road(tmp_path / "fresh") as fresh:
        fresh.declare(declared(fresh))
        _fill(fresh)
        assert _without_empty(found) == _without_empty(fresh.state())


def _without_empty(state: tuple[list[dict[str, object]], ...]) -> list[list[dict[str, object]]]:
    """Columns that silver keeps from a time with a key are empty; where from is not promised for equal rows."""
    places = ("_file", "_file_id", "_line")
    return [
        sorted(
            ({name: value for name, value in row.items() if value is not None and name not in places} for row in part),
            key=repr,
        )
        for part in state
    ]


def test_the_rules_stay_in_force_after_the_rebuild(keyed: Road) -> None:
    _fill(keyed)
    keyed.declare(contract())
    keyed.settle()
    keyed.deliver("c.csv", "1,Dune,1.50,2024-01-01")
    (settled,) = keyed.run()
    assert (settled.rebuilt, settled.counts.accepted) == (False, 1)


def test_a_key_may_come_and_go(plain: Road) -> None:
    plain.deliver("a.csv", "1,Dune,,2024-01-01", "1,Emma,,2024-01-02")
    plain.run()
    for declared, expected in ((KEYED, 1), (contract(), 2), (KEYED, 1)):
        plain.declare(declared)
        plain.run()
        assert len(plain.rows("silver.loans")) == expected


def test_a_rebuild_says_why(keyed: Road) -> None:
    _fill(keyed)
    head = keyed.lake.head("silver.loans")
    assert head is not None
    declared = contract()
    keyed.declare(declared)
    assert rebuild_reason(keyed.project, declared, head.properties) == "the contract or the reading of desk changed"
    keyed.declare(KEYED)
    assert rebuild_reason(keyed.project, KEYED, head.properties) is None


def test_bronze_is_not_touched_by_a_rebuild(keyed: Road) -> None:
    _fill(keyed)
    before = keyed.lake.head("bronze.desk")
    keyed.declare(contract())
    keyed.settle()
    assert keyed.lake.head("bronze.desk") == before


def test_a_renamed_column_is_the_same_by_its_id(keyed: Road) -> None:
    keyed.deliver("a.csv", "1,Dune,,")
    keyed.run()
    named = column("name", id="id_title", aliases=("title",))
    keyed.declare(contract(COLUMNS[0], named, *COLUMNS[2:], key=("loan",), order_by="at"))
    keyed.run()
    assert keyed.values("silver.loans", "loan", "name") == [("1", "Dune")]
    assert "title" not in keyed.rows("silver.loans")[0]


def test_a_widened_column_takes_what_was_refused(keyed: Road) -> None:
    keyed.deliver("a.csv", "1,Dune,123456789,", "2,Emma,1.50,")
    keyed.run()
    assert keyed.refused() == [("a.csv", 2, "conform", ["range"])]
    wide = replace(COLUMNS[2], precision=12)
    keyed.declare(contract(*COLUMNS[:2], wide, COLUMNS[3], key=("loan",), order_by="at"))
    keyed.run()
    assert keyed.values("silver.loans", "fee") == [(Decimal("123456789.00"),), (Decimal("1.50"),)]
    assert keyed.refused() == []


def test_a_change_that_data_cannot_follow_is_refused_and_nothing_is_lost(keyed: Road) -> None:
    keyed.deliver("a.csv", "1,Dune,,")
    keyed.run()
    keyed.declare(contract(COLUMNS[0], column("title", LogicalType.INTEGER), *COLUMNS[2:], key=("loan",)))
    with pytest.raises(DeclarationError, match="title"):
        keyed.settle()
    assert keyed.titles() == {"1": "Dune"}


def test_a_contract_that_freezes_later_refuses_what_bronze_has(keyed: Road) -> None:
    keyed.deliver("a.csv", "1,Dune,,,red", header="loan,title,fee,at,colour")
    keyed.run()
    keyed.declare(contract(key=("loan",), order_by="at", evolution=Evolution.FREEZE))
    with pytest.raises(SourceError, match="colour"):
        keyed.settle()
    assert keyed.titles() == {"1": "Dune"}


def test_rows_of_a_source_that_goes_leave_silver_and_come_back_with_it(tmp_path: Path) -> None:
    post = {"glob": "b*.csv", "name": "post"}
    with road(tmp_path, KEYED, {"glob": "a*.csv"}, post) as way:
        way.deliver("a.csv", "1,Dune,,2024-01-01", "3,x,free,", "4")
        way.deliver("b.csv", "1,Emma,,2024-01-02", "2,Emma,,", "5,x,free,", "6")
        way.run()
        whole = way.state()
        way.declare(without=["post"])
        (settled,) = way.settle()
        assert (settled.rebuilt, way.titles()) == (True, {"1": "Dune"})
        assert {row[0] for row in way.refused()} == {"a.csv"}
        way.declare(source(way.inbox, **post))
        way.run()
        assert way.state() == whole


def test_a_source_that_went_leaves_no_position(tmp_path: Path) -> None:
    with road(tmp_path, KEYED, {"glob": "a*.csv"}, {"glob": "b*.csv", "name": "post"}) as way:
        way.deliver("a.csv", "1,Dune,,")
        way.deliver("b.csv", "2,Emma,,")
        way.run()
        way.declare(without=["post"])
        way.run()
        for table in ("silver.loans", "quarantine.loans"):
            head = way.lake.head(table)
            assert head is not None
            assert (head.position("bronze.desk"), head.position("bronze.post")) == ("1", None)
        way.deliver("a2.csv", "3,Ulysses,,")
        (settled,) = way.run()
        assert (settled.rebuilt, sorted(way.titles())) == (False, ["1", "3"])


def test_a_dataset_whose_only_source_goes_is_empty(tmp_path: Path) -> None:
    with road(tmp_path, contract(key=("loan",), order_by="at", horizon=DAY)) as way:
        _fill(way)
        way.declare(without=["desk"])
        (settled,) = way.settle()
        assert (settled.rebuilt, settled.counts.rows_in, way.state()) == (True, 0, ([], []))
        assert way.settle() == []


def test_a_source_that_is_added_does_not_rebuild_the_others(tmp_path: Path) -> None:
    with road(tmp_path, KEYED, {"glob": "a*.csv"}) as way:
        way.deliver("a.csv", "1,Dune,,2024-01-01")
        way.run()
        way.declare(source(way.inbox, "b*.csv", name="post"))
        way.deliver("b.csv", "1,Emma,,2024-01-02", "2,Emma,,")
        (settled,) = way.run()
        assert (settled.rebuilt, settled.counts.rows_in, way.titles()) == (False, 2, {"1": "Emma", "2": "Emma"})
