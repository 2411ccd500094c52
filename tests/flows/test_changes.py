"""What is declared changes: models, contracts, sources. Only what must be done again is."""

from __future__ import annotations

from tests.flows.library import Library, loan


def test_an_edited_model_is_planned_released_and_the_old_release_still_shows_the_old(library: Library) -> None:
    library.edit("models/marts/dim_member.sql", "min(joined) as joined", "max(joined) as joined, 1 as shelf")
    steps = library.call("plan", "--json").document["steps"]
    assert [(step["step"], step["reason"]) for step in steps] == [("ReleaseGold", "the models changed")]
    report = library.run()
    assert report["gold"] == {"gold.dim_member": 2}  # the other table is as it was
    assert library.query("SELECT shelf FROM gold.dim_member") == [{"shelf": 1}, {"shelf": 1}]
    assert set(library.query("SELECT * FROM gold.dim_member", release=1)[0]) == {"member_id", "joined"}


def test_an_unchanged_project_has_nothing_to_do(library: Library) -> None:
    assert library.call("plan", "--json").document == {"release": 1, "steps": []}
    assert library.run()["outcome"] == "nothing new"


def test_a_changed_contract_conforms_all_rows_again(library: Library) -> None:
    """The status that was refused is allowed now, and a fee above one euro is not."""
    library.edit("contracts/loans.yml", "^(out|back)$", "^(out|back|lost)$")
    library.edit("contracts/loans.yml", "minimum: 0", "minimum: 0\n          maximum: 1")
    plan = library.call("plan").out
    assert "all rows again: the contract or the reading of loans changed" in plan
    report = library.run()
    loans = next(result for result in report["datasets"] if result["dataset"] == "loans")
    assert (loans["rows_in"], loans["accepted"], loans["quarantined"]) == (4, 1, 3)
    assert library.query("SELECT loan_id FROM silver.loans") == [{"loan_id": "3"}]
    assert library.count("silver.loans", release=1) == 3


def test_a_rejected_row_is_not_doubled_when_its_contract_changes(library: Library) -> None:
    library.edit("contracts/loans.yml", "minimum: 0", "minimum: 0\n          maximum: 100")
    library.run()
    assert library.count("quarantine.loans WHERE status = 'open'") == 2
    assert library.count("bronze.loans") == 4


def test_a_new_column_of_the_contract_reaches_gold(library: Library) -> None:
    library.edit(
        "contracts/loans.yml",
        "      - id: changed_at",
        "      - id: branch\n        name: branch\n        logicalType: string\n        classification: public\n"
        "        description: Where.\n      - id: changed_at",
    )
    library.edit("models/marts/loans_by_status.sql", "from loans", "from loans -- by branch")
    library.deliver("loans_wide.csv", "loan_id,member_id,status,changed_at,branch", "7,m1,out,2024-02-01,north")
    library.run()
    rows = library.query("SELECT loan_id, branch FROM silver.loans ORDER BY loan_id")
    assert rows[-1] == {"loan_id": "7", "branch": "north"}
    assert [row["branch"] for row in rows[:-1]] == [None, None, None]


def test_a_changed_reading_conforms_again_without_reading_files_again(library: Library) -> None:
    library.edit("sources/loans.yml", "optional: true", "optional: true\nreading:\n  null_values: ['', Dune]")
    for file in library.inbox.glob("loans*"):
        file.write_text("gone")
        file.unlink()
    report = library.run()
    assert library.query("SELECT DISTINCT title FROM silver.loans") == [{"title": None}]
    assert [notice["kind"] for notice in report["notices"]] == ["vanished"]


def test_a_retracted_declaration_stops_before_anything_is_done(library: Library) -> None:
    library.edit("sources/loans.yml", "dataset: loans", "dataset: lones")
    done = library.call("run").expect(2)
    assert "lones" in done.err
    assert "loans" in done.err
    library.edit("sources/loans.yml", "dataset: lones", "dataset: loans")
    assert library.run()["outcome"] == "nothing new"


def test_a_better_version_replaces_the_row_and_gold_follows(library: Library) -> None:
    library.loans("tuesday", loan(1, status="back", day=3))
    report = library.run()
    loans = next(result for result in report["datasets"] if result["dataset"] == "loans")
    assert (loans["accepted"], loans["replaced"]) == (1, 1)
    assert library.query("SELECT status, loans FROM gold.loans_by_status ORDER BY ALL") == [
        {"status": "back", "loans": 2},
        {"status": "out", "loans": 1},
    ]


def test_a_replaced_file_takes_its_rows_along(library: Library) -> None:
    library.members("north", 2, "m1,ada@example.org,2020-01-01")
    library.run()
    assert library.query("SELECT member_id FROM gold.dim_member") == [{"member_id": "m1"}]
    assert library.count("bronze.members") == 3
    assert library.count("gold.dim_member", release=1) == 2


def test_a_horizon_may_be_dropped(library: Library) -> None:
    """Then every correction counts, however late."""
    library.edit("contracts/loans.yml", "order_by: changed_at, horizon: P30D", "order_by: changed_at")
    library.loans("late", loan(1, status="back").replace("2024-01", "2024-09"))
    assert library.run()["release"] == 2
    assert library.query("SELECT status FROM silver.loans WHERE loan_id = '1'") == [{"status": "back"}]
