"""Personal values stand in no bound of any file, and a personal key is a pseudonym in silver."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq

from penstock.load.retention import forget_raw
from penstock.spec.contract import Classification, Column, Contract, Reference
from tests.load.load_shapes import BY_NAME, COLUMNS, Road, column, contract, personal, road

PLAIN = (COLUMNS[0], personal(COLUMNS[1]), *COLUMNS[2:])
KEYS = (personal(COLUMNS[0]), *COLUMNS[1:])


def _secret_in_files(way: Road, table: str, secret: str) -> set[str]:
    """The names of columns whose statistics hold the secret, in any file of the table."""
    found = set()
    for file in way.lake.scan(table).files:
        metadata = pq.ParquetFile(file.path).metadata
        for group in range(metadata.num_row_groups):
            for index in range(metadata.num_columns):
                one = metadata.row_group(group).column(index)
                if one.statistics is not None and secret in f"{one.statistics.min} {one.statistics.max}":
                    found.add(one.path_in_schema)
        found |= {name for name, bounds in file.bounds.items() if secret in str(bounds)}
    return found


def test_personal_columns_have_no_bounds_in_any_table(tmp_path: Path) -> None:
    with road(tmp_path, contract(*PLAIN)) as way:
        way.deliver("a.csv", "1,Ada,1.50,2024-01-01", "2,Ada,free,", "3,Ada")
        way.run()
        for table in ("bronze.desk", "silver.loans", "quarantine.loans"):
            assert _secret_in_files(way, table, "Ada") == set()


def test_a_column_that_is_not_personal_has_bounds(tmp_path: Path) -> None:
    with road(tmp_path, contract(*COLUMNS)) as way:
        way.deliver("a.csv", "1,Ada,1.50,2024-01-01")
        way.run()
        assert _secret_in_files(way, "silver.loans", "Ada") == _secret_in_files(way, "bronze.desk", "Ada") == {"title"}


def test_a_column_that_the_contract_does_not_know_is_treated_as_personal(plain: Road) -> None:
    plain.deliver("a.csv", "1,Ada", header="loan,borrower")
    plain.take()
    assert _secret_in_files(plain, "bronze.desk", "Ada") == set()


def test_a_personal_key_is_a_pseudonym_in_silver_and_the_value_in_bronze(tmp_path: Path) -> None:
    with road(tmp_path, contract(*KEYS, key=("loan",), order_by="at")) as way:
        way.deliver("a.csv", "ada,Dune,,2024-01-01", "ada,Emma,,2024-01-02", "bob,Dune,,")
        (settled,) = way.run()
        keys = [loan for (loan,) in way.values("silver.loans", "loan")]
        assert (settled.counts.superseded, len(set(keys))) == (1, 2)
        assert all(re.fullmatch("[0-9a-f]{64}", key) for key in keys)
        assert {loan for (loan,) in way.values("bronze.desk", "loan")} == {"ada", "bob"}


def test_the_pseudonym_depends_on_the_secret_and_the_value_alone(tmp_path: Path) -> None:
    found = []
    for number, secret in enumerate((b"one", b"one", b"two")):
        with road(tmp_path / str(number), contract(*KEYS, key=("loan",))) as way:
            way.settings = replace(way.settings, pseudonym_key=secret)
            way.deliver(f"{number}.csv", "ada,Dune,,")
            way.run()
            found += way.values("silver.loans", "loan")
    assert found[0] == found[1] != found[2]


def test_pseudonymous_keys_are_chosen_anew_when_a_file_is_replaced(tmp_path: Path) -> None:
    declared = contract(*KEYS, key=("loan",), order_by="at", horizon=timedelta(days=1))
    with road(tmp_path, declared, {"delivery": BY_NAME}) as way:
        way.deliver("north_v1.csv", "ada,Emma,,2024-01-02")
        way.deliver("south_v1.csv", "ada,Dune,,2024-01-01")
        way.run()
        way.deliver("north_v2.csv", "bob,Emma,,2024-01-02")
        way.run()
        assert set(way.titles().values()) == {"Dune", "Emma"}
        assert way.values("silver.loans", "title", where="_file = 'south_v1.csv'") == [("Dune",)]


def test_what_was_found_in_a_personal_column_is_hidden_in_the_reasons(tmp_path: Path) -> None:
    declared = contract(COLUMNS[0], replace(personal(COLUMNS[1]), max_length=2))
    with road(tmp_path, declared) as way:
        way.deliver("a.csv", "1,Ada", header="loan,title")
        way.run()
        ((reasons,),) = way.values("quarantine.loans", "reasons")
        assert "max_length" in reasons
        assert "Ada" not in reasons


def _members(classification: Classification) -> Contract:
    key = replace(column("member", required=True), classification=classification)
    return replace(contract(key, key=("member",)), dataset="members", fingerprint=classification.value)


def _with_member(member: Column) -> Contract:
    return contract(column("loan"), member, references=(Reference(("member",), "members", ("member",)),))


def test_a_reference_to_a_personal_key_joins_by_its_pseudonym(tmp_path: Path) -> None:
    members = {"glob": "members.csv", "name": "members", "dataset": "members"}
    declared = _with_member(personal(column("member")))
    with road(tmp_path, declared, {"glob": "loans.csv"}, members, others=[_members(Classification.PERSONAL)]) as way:
        way.deliver("loans.csv", "1,ada", header="loan,member")
        way.deliver("members.csv", "ada", header="member")
        way.run()
        assert way.values("silver.loans", "member") == way.values("silver.members", "member") != [("ada",)]


def test_a_key_elsewhere_that_becomes_personal_rebuilds_what_refers_to_it(tmp_path: Path) -> None:
    declared = _with_member(personal(column("member")))
    with road(tmp_path, declared, {"glob": "loans.csv"}, others=[_members(Classification.INTERNAL)]) as way:
        way.deliver("loans.csv", "1,ada", header="loan,member")
        way.settle("loans")
        way.run()
        assert way.values("silver.loans", "member") == [("ada",)]
        way.declare(_members(Classification.PERSONAL))
        way.settle("loans")
        assert way.values("silver.loans", "member") != [("ada",)]


def test_bytes_that_were_forgotten_are_not_read_again(plain: Road) -> None:
    plain.deliver("a.csv", "1,Dune")
    plain.take()
    plain.clock.sleep(timedelta(days=2).total_seconds())
    forget_raw(plain.lake, "loans", older_than=timedelta(days=1), lease=plain.lease)
    assert plain.reread().tried == 0
    assert plain.values("quarantine.loans", "raw", "status") == [(None, "open")]
