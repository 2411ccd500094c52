"""A gate that refuses keeps gold as it is, says why, is not forgotten, and opens again."""

from __future__ import annotations

from typing import Any

from tests.flows.library import Library, loan

NOT_TWICE = """checks:
  - name: loans_arrived
    kind: threshold
    description: There is something to lend.
    sql: SELECT count(*) FROM silver.loans
    minimum: 1
  - name: members_are_listed_once
    kind: rows
    description: A member stands in one list only.
    sql: SELECT member_id, count(*) AS lists FROM silver.members GROUP BY member_id HAVING count(*) > 1
"""


def refuse(library: Library) -> dict[str, Any]:
    """A delivery that a check refuses: the member m2 stands in two lists."""
    (library.project / "checks" / "loans.yml").write_text(NOT_TWICE)
    library.members("south", 1, "m2,bob@example.org,2021-05-05")
    library.loans("tuesday", loan(9, status="back"))
    return library.run(expected=1)


def test_a_failed_check_leaves_gold_as_it_was_and_names_rule_and_rows(library: Library) -> None:
    before = library.gold()
    report = refuse(library)
    assert (report["outcome"], report["release"], report["exit_code"]) == ("gate failed", 1, 1)
    assert "members_are_listed_once" in report["verdict"]
    assert "lists 2" in report["verdict"]
    assert library.gold() == before
    assert library.count("silver.loans") == 4  # what met its contract is in silver all the same


def test_a_person_reads_the_refusal_in_the_text_of_run(library: Library) -> None:
    refuse(library)
    shown = library.call("run").expect(1).out
    assert "fail (error) members_are_listed_once" in shown
    assert "    member_id m2, lists 2\n    A member stands in one list only.\n" in shown
    assert "The gate failed, so gold was not changed" in shown


def test_a_warning_names_its_rows_and_does_not_keep_gold_back(library: Library) -> None:
    noted = NOT_TWICE.replace("kind: rows", "kind: rows\n    severity: warn")
    (library.project / "checks" / "loans.yml").write_text(noted)
    library.members("south", 1, "m2,bob@example.org,2021-05-05")
    report = library.run()
    (check,) = (check for check in report["checks"] if check["name"] == "members_are_listed_once")
    assert report["outcome"] == "released"
    assert [row["lists"] for row in check["sample"]] == ["2"]


def test_nothing_new_never_skips_a_refusal(library: Library) -> None:
    refuse(library)
    steps = library.call("plan", "--json").document["steps"]
    assert [step["reason"] for step in steps] == ["the gate refused release 2"]
    again = library.run(expected=1)
    assert again["outcome"] == "gate failed"
    assert "the gate refused release 2" in library.call("status").out


def test_a_good_delivery_opens_the_gate(library: Library) -> None:
    refuse(library)
    library.members("south", 2, "m3,cy@example.org,2022-02-02")
    report = library.run()
    assert (report["outcome"], report["release"]) == ("released", 2)
    assert library.count("gold.dim_member") == 3
    assert library.query("SELECT loans FROM gold.loans_by_status WHERE status = 'back'") == [{"loans": 2}]
    assert library.call("status", "--json").document["notes"] == []
    assert library.run()["outcome"] == "nothing new"


def test_a_failed_test_of_a_model_refuses_too(library: Library) -> None:
    library.edit("models/marts/dim_member.sql", "group by member_id", "group by member_id, email")
    library.members("south", 1, "m2,robert@example.org,2021-05-05")
    report = library.run(expected=1)
    assert "unique_dim_member_member_id" in report["verdict"]
    assert library.count("gold.dim_member") == 2


FEW_REFUSED = """checks:
  - name: few_loans_are_refused
    kind: threshold
    description: More than two refused rows are a change in the files.
    sql: SELECT count(*) FROM quarantine.loans WHERE status = 'open'
    maximum: 2
"""


def test_too_many_refused_rows_refuse_the_release(library: Library) -> None:
    (library.project / "checks" / "loans.yml").write_text(FEW_REFUSED)
    assert library.run()["release"] == 2  # the two of the first delivery are within the bound
    library.loans("tuesday", loan(9, status="torn"), loan(10))
    report = library.run(expected=1)
    assert "few_loans_are_refused: 3 is not at most 2" in report["verdict"]
    assert (report["release"], library.count("silver.loans")) == (2, 4)


def test_a_declared_warning_does_not_refuse(library: Library) -> None:
    (library.project / "checks" / "loans.yml").write_text(FEW_REFUSED + "    severity: warn\n")
    library.loans("tuesday", loan(9, status="torn"), loan(10))
    report = library.run()
    failed = {check["name"] for check in report["checks"] if check["status"] == "fail"}
    assert (report["release"], "few_loans_are_refused" in failed) == (2, True)


def test_two_files_of_one_version_are_noted_when_they_come_and_by_each_gate_until_a_higher_one_comes(
    library: Library,
) -> None:
    library.members("north", 1, "m1,ada@example.org,2020-01-01", "m2,bob@example.org,2022-05-05")
    came = library.run()
    library.loans("tuesday", loan(9))
    after = library.run()
    library.members("north", 2, "m1,ada@example.org,2020-01-01", "m2,bob@example.org,2022-05-05")
    mended = library.run()

    (notice,) = (one["text"] for one in came["notices"] if one["kind"] == "conflicting")
    assert "members: version 1 of members_north came with different content: members_north_v1.csv (SHA-256" in notice
    assert "1 row only in it, 1 row only in the other" in notice
    for report in (came, after):
        (noted,) = (check for check in report["checks"] if check["name"] == "versions.members")
        assert (noted["severity"], noted["status"], noted["sample"][0]["version"]) == (
            "warn",
            "fail",
            "1 of members_north",
        )
    assert [one for one in after["notices"] if one["kind"] == "conflicting"] == []
    assert not [check for check in mended["checks"] if check["name"] == "versions.members"]


def test_what_the_gate_found_is_a_table_for_releases_and_refusals_alike(library: Library) -> None:
    refuse(library)
    library.members("south", 2, "m3,cy@example.org,2022-02-02")
    library.run()

    found = library.query(
        "SELECT release, released, status FROM quality.results WHERE name = 'members_are_listed_once' ORDER BY judged_at"
    )
    scores = library.query(
        "SELECT dataset, score FROM quality.results WHERE kind = 'score' AND release = 1 ORDER BY dataset NULLS LAST"
    )

    assert [(row["release"], row["released"], row["status"]) for row in found] == [
        (2, False, "fail"),
        (2, True, "pass"),
    ]
    assert [row["dataset"] for row in scores] == ["loans", "members", None]
    assert scores[1]["score"] == 100
    assert scores[0]["score"] < scores[2]["score"] < 100
    assert library.count("quality.results", release=1) == library.count("quality.results")
