"""`validate` tries the SQL of models and checks over tables without rows."""

from __future__ import annotations

import re

import pytest

from tests.flows.library import Library


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("silver.loans", "silver.lones", "Did you mean silver.loans"),
        ("silver.loans", "gold.dim_membr", "Did you mean gold.dim_member?"),
        ("count(*)", "sum(feee)", "fee"),
        ("SELECT count(*)", "SELEKT count(*)", "SELEKT"),
        ("count(*)", "sum(_taken_at)", "_taken_at"),
        ("SELECT count(*) FROM silver.loans", "DROP TABLE silver.loans", "only reads"),
    ],
)
def test_wrong_sql_of_a_check_is_found_before_a_run(library: Library, right: str, wrong: str, told: str) -> None:
    library.edit("checks/loans.yml", right, wrong)
    done = library.call("validate").expect(2)
    assert done.err.startswith("checks/loans.yml:5:10: The SQL of check `loans_arrived` is wrong")
    assert told in done.err


def test_both_queries_of_a_reconciliation_are_tried_each_with_its_place(library: Library) -> None:
    library.edit("checks/loans.yml", "kind: threshold", "kind: reconcile")
    library.edit("checks/loans.yml", "minimum: 1", "against: SELECT sum(lones) FROM gold.loans_by_status")
    library.edit("checks/loans.yml", "silver.loans", "silver.lones")
    problems = library.call("validate", "--json").expect(2).document["problems"]
    assert [problem["where"] for problem in problems] == ["checks/loans.yml:5:10", "checks/loans.yml:6:14"]
    assert "loans" in problems[1]["found"]


def test_wrong_sql_of_a_model_is_found_before_a_run_with_its_line(library: Library) -> None:
    library.edit("models/marts/dim_member.sql", "min(joined)", "min(joint)")
    told = library.call("validate").expect(2).err
    assert re.match(r"models/marts/dim_member\.sql:\d+:\d+: The model `dim_member` did not build", told)
    assert told.splitlines()[-3].strip("^ ") == ""
    assert "gold was not changed" not in told


def test_a_file_that_dbt_cannot_read_is_named_as_it_stands_in_the_project(library: Library) -> None:
    library.edit("models/marts/loans_by_status.sql", "ref('", "ref('no_")
    told = library.call("validate").expect(2).err
    assert told.startswith("models/marts/loans_by_status.sql: The models cannot be read by dbt")


def test_a_rule_that_cannot_be_compiled_is_named_with_its_line(library: Library) -> None:
    rule = "quality: [{type: custom, engine: penstock, name: paid, implementation: fees > 0}]"
    library.edit("contracts/loans.yml", "        description: What was paid, in euros.", f"        {rule}")
    told = library.call("validate").expect(2).err
    assert re.match(r"contracts/loans\.yml:\d+:\d+: rule paid: .*found fees", told)


def test_a_rehearsal_leaves_data_and_releases_as_they_are(library: Library) -> None:
    gold, status = library.gold(), library.call("status", "--json").document
    for _ in range(2):
        library.call("validate").expect(0)
    assert (library.gold(), library.call("status", "--json").document) == (gold, status)
    assert not list((library.data / "cache").rglob("rehearsal-*.duckdb*"))
    assert library.run()["outcome"] == "nothing new"


def test_a_check_of_a_project_without_models_is_tried_too(library: Library) -> None:
    for path in (library.project / "models").rglob("*"):
        if path.is_file():
            path.unlink()
    library.edit("checks/loans.yml", "count(*)", "count(fee)")
    assert library.call("validate", "--json").expect(0).document["ok"] is True
    library.edit("checks/loans.yml", "count(fee)", "count(feee)")
    assert "feee" in library.call("validate").expect(2).err
