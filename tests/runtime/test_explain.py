"""A source, a dataset and a model say how they are made, from what, and for whom."""

from __future__ import annotations

from typing import Any

import pytest

from tests.flows.command import call
from tests.flows.library import Library


def explained(library: Library, name: str) -> dict[str, Any]:
    document: dict[str, Any] = library.call("explain", name, "--json").expect(0).document
    return document


def test_a_source_tells_its_files_and_how_they_are_read(library: Library) -> None:
    source = explained(library, "bronze.members")
    assert (source["kind"], source["name"], source["read_by"]) == ("source", "bronze.members", ["silver.members"])
    assert source["facts"]["delivery"][0].startswith("replace_file")
    assert source["facts"]["format"] == ["csv, compression by ending"]


@pytest.mark.parametrize("name", ["loans", "silver.loans", "quarantine.loans"])
def test_a_dataset_tells_key_winner_rules_and_compiled_sql(library: Library, name: str) -> None:
    dataset = explained(library, name)
    assert (dataset["kind"], dataset["reads"], dataset["read_by"]) == (
        "dataset",
        ["bronze.loans", "bronze.loan_events"],
        ["staging.stg_loans"],
    )
    facts = dataset["facts"]
    assert facts["key"] == ["loan_id"]
    assert facts["version that wins"] == ["highest changed_at, then highest content hash; never by arrival"]
    assert facts["references (checked at the gate)"] == ["member_id -> members.member_id"]
    assert "fee decimal(10,2): from 0, internal" in facts["columns"]
    assert facts["partitions"] == ["month(changed_at)"]
    assert "TRY_CAST" in dataset["sql"]


def test_a_model_tells_its_parents_columns_tests_and_sql(library: Library) -> None:
    model = explained(library, "gold.loans_by_status")
    assert (model["kind"], model["reads"], model["read_by"]) == ("model", ["staging.stg_loans"], [])
    assert model["facts"]["tests"] == ["not_null_loans_by_status_status", "unique_loans_by_status_status"]
    assert "fees: Sum of their fees, in euros." in model["facts"]["columns"]
    assert "sum(fee)" in model["sql"]


def test_the_text_for_people_names_the_same(library: Library) -> None:
    text = library.call("explain", "dim_member").expect(0).out
    assert text.startswith("model gold.dim_member: Every member once.\nreads:   silver.members\n")


def test_the_secret_of_pseudonyms_is_not_shown(library: Library) -> None:
    key = "classification: personal\n        required: true\n        primaryKey: true\n        primaryKeyPosition: 1"
    library.edit("contracts/members.yml", "classification: personal", key)
    text = library.call("explain", "members").expect(0).out
    assert "sha256" in text.lower()
    assert library.environment["PENSTOCK_PSEUDONYM_KEY"] not in text


def test_explaining_before_the_first_run_leaves_nothing(library: Library) -> None:
    place = ("-p", str(library.project), "--data-dir", str(library.folder / "none"))
    assert "sum(fee)" in call("explain", "loans_by_status", *place).expect(0).out
    assert not (library.folder / "none").exists()


@pytest.mark.parametrize("command", [("explain", "loans_by_status"), ("validate",)])
def test_what_dbt_cannot_read_is_told_without_naming_a_file_that_is_gone(
    library: Library, command: tuple[str, ...]
) -> None:
    library.edit("models/marts/loans_by_status.sql", "sum(fee)", "sum({{ fee( }})")
    said = call(*command, "-p", str(library.project), "--data-dir", str(library.folder / "none"))
    assert said.code > 0
    assert "loans_by_status.sql" in said.out + said.err
    assert "dbt.log" not in said.out + said.err
