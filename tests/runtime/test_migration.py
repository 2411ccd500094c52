"""A change of models is planned, shown with what it costs, made in one release, and undone by another."""

from __future__ import annotations

import sys
from subprocess import PIPE, Popen
from typing import Any

from penstock.release.record import find_release
from tests.flows.library import Library, loan

FEES = "    cast(sum(fee) as decimal(18, 2)) as fees"
STATUS, STAGED = "models/marts/loans_by_status.sql", "models/staging/stg_loans.sql"


def rebuilds(library: Library) -> dict[str, dict[str, Any]]:
    """What `plan` says is made from nothing, by table."""
    plan = library.call("plan", "--json").expect(0).document
    return {one["table"]: one for step in plan["steps"] for one in step.get("rebuilds", ())}


def test_nothing_is_made_from_nothing_while_the_models_stay(library: Library) -> None:
    assert rebuilds(library) == {}
    library.loans("tuesday", loan(6))
    assert rebuilds(library) == {}


def test_a_plan_says_which_tables_are_made_from_nothing_why_and_what_that_costs(library: Library) -> None:
    library.edit(STATUS, FEES, FEES + ",\n    max(fee) as highest")
    [(table, rebuild)] = rebuilds(library).items()
    assert (table, rebuild["reason"]) == ("gold.loans_by_status", "its code changed")
    assert (rebuild["rows_read"], rebuild["rows"]) == (3, 2)
    assert rebuild["bytes"] > 0
    assert rebuild["seconds"] >= 0
    told = library.call("plan").expect(0).output.decode()
    assert "make gold.loans_by_status from nothing: its code changed (reads 3 rows, writes about 2" in told


def test_a_plan_says_the_same_while_a_run_works_in_the_warehouse(library: Library) -> None:
    library.edit(STATUS, FEES, FEES + ",\n    max(fee) as highest")
    planned, (warehouse,) = rebuilds(library), library.data.glob("cache/*.duckdb")
    program = "import sys, duckdb; held = duckdb.connect(sys.argv[1]); print(flush=True); input()"
    with Popen([sys.executable, "-c", program, str(warehouse)], stdin=PIPE, stdout=PIPE, text=True) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        try:
            assert rebuilds(library) == planned
        finally:
            writer.communicate("\n")
    assert list(planned) == ["gold.loans_by_status"]


def test_what_reads_changed_code_is_made_from_nothing_because_of_it(library: Library) -> None:
    library.edit(STAGED, "coalesce(fee, 0)", "coalesce(fee, 1)")
    assert {table: one["reason"] for table, one in rebuilds(library).items()} == {
        "gold.loans_by_status": "staging.stg_loans above it changed"
    }


def test_a_new_column_of_silver_is_a_reason(library: Library) -> None:
    column = "      - id: {0}\n        name: {0}\n        logicalType: string\n"
    library.edit("contracts/loans.yml", column.format("title"), column.format("note") + column.format("title"))
    assert {one["reason"] for one in rebuilds(library).values()} == {"silver.loans has the new column note"}


def test_a_model_that_is_gone_is_released_no_more_and_former_releases_keep_its_table(library: Library) -> None:
    (library.project / STATUS).unlink()
    properties = library.project / "models" / "marts" / "schema.yml"
    text = properties.read_text()
    start, end = text.index("  - name: loans_by_status"), text.index("  - name: dim_member")
    properties.write_text(text[:start] + text[end:])
    told = library.call("plan").expect(0).out
    assert "release gold.loans_by_status no more: no model makes it (2 rows stay in the releases up to now)" in told
    library.run()
    assert "loans_by_status" not in library.call("status").expect(0).out
    assert (
        "There is no table loans_by_status" in library.call("query", "SELECT * FROM gold.loans_by_status").expect(2).err
    )
    assert library.count("gold.loans_by_status", release=1) == 2


def test_a_model_that_leaves_no_table_is_released_no_more(library: Library) -> None:
    path = library.project / STATUS
    path.write_text("{{ config(materialized='ephemeral') }}\n" + path.read_text())
    assert "release gold.loans_by_status no more" in library.call("plan").expect(0).out


def test_reverted_declarations_release_the_former_content_again(library: Library) -> None:
    library.edit(STATUS, FEES, FEES + ",\n    max(fee) as highest")
    assert library.run()["gold"] == {"gold.loans_by_status": 2}
    library.edit(STATUS, FEES + ",\n    max(fee) as highest", FEES)
    assert library.run()["gold"] == {"gold.loans_by_status": 2}
    first, last = (find_release(library.data, number) for number in (1, 3))
    assert (last.models, last.silver) == (first.models, first.silver)
    contents = [{name: (table.content, table.shape) for name, table in one.gold.items()} for one in (first, last)]
    assert contents[0] == contents[1]
    assert library.gold() == library.gold(release=1)


def test_a_contract_that_the_data_cannot_follow_is_told_before_a_run_refuses_it(library: Library) -> None:
    before = library.data / "catalog.db"
    there = before.read_bytes()
    library.edit("contracts/loans.yml", "decimal(10,2)", "decimal(8,2)")
    library.edit("contracts/members.yml", "First day of the membership", "The first day of it")
    for command in ("plan", "validate"):
        said = library.call(command).expect(2).err
        assert "silver.loans: The type of column fee cannot change in place" in said
        assert "1 problem found" in said
    assert before.read_bytes() == there
    assert "cannot change in place" in library.call("run").expect(2).err
