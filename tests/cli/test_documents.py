"""Every reporting command answers a program with one JSON document that has the documented fields."""

from __future__ import annotations

import json

import pytest

from tests.flows.command import call
from tests.flows.library import Library

TABLES = {
    "bronze.loans": 4,
    "bronze.members": 2,
    "silver.loans": 3,
    "silver.members": 2,
    "quarantine.loans": 2,
    "quarantine.members": 0,
    "gold.dim_member": 2,
    "gold.loans_by_status": 2,
    "ledger.loans": 1,
    "ledger.members": 1,
    "quality.results": 12,
}
SELECT = "SELECT status, loans FROM gold.loans_by_status ORDER BY status"


@pytest.mark.parametrize(
    ("command", "fields"),
    [
        (("validate",), {"ok", "project", "contracts", "sources", "checks", "fingerprint"}),
        (("plan",), {"release", "steps"}),
        (("explain", "loans"), {"name", "kind", "description", "reads", "read_by", "facts", "sql"}),
        (("run",), {"run", "outcome", "release", "datasets", "notices", "checks", "gold", "verdict", "exit_code"}),
        (("status",), {"project", "release", "tables", "notes"}),
        (("history",), {"runs", "releases"}),
        (("doctor",), {"ok", "findings"}),
        (("quarantine", "replay", "loans"), {"dataset", "lines_tried", "lines_read", "rebuilt", "accepted"}),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_document_has_its_fields_and_nothing_stands_beside_it(
    library: Library, command: tuple[str, ...], fields: set[str]
) -> None:
    done = library.call(*command, "--json").expect(0)
    assert fields <= set(done.document)
    assert done.err == ""


@pytest.mark.parametrize("command", [("quarantine", "list"), ("quarantine", "show", "loans"), ("query", SELECT)])
def test_a_list_of_rows_is_one_array(library: Library, command: tuple[str, ...]) -> None:
    rows = library.call(*command, "--json").expect(0).document
    assert len(rows) == 2
    assert all(isinstance(row, dict) for row in rows)


def test_status_lists_every_table_with_its_sizes_and_the_release(library: Library) -> None:
    status = library.call("status", "--json").expect(0).document
    assert (status["project"], status["release"], status["notes"]) == ("library", 1, [])
    assert {table["name"]: table["rows"] for table in status["tables"]} == TABLES
    for table in status["tables"]:
        assert set(table) == {"name", "rows", "snapshot", "files", "bytes"}
        assert isinstance(table["snapshot"], int)
        assert (table["files"] > 0, table["bytes"] > 0) == (table["rows"] > 0, table["rows"] > 0)


def test_status_tells_the_quality_score_of_everything_and_of_each_dataset(library: Library) -> None:
    whole, *others = library.call("status", "--json").expect(0).document["quality"]
    assert (whole["dataset"], whole["score"]) == (None, "71.4285")  # five rows were accepted, two wait in quarantine
    assert [(one["dataset"], one["score"]) for one in others] == [("loans", "60.0000"), ("members", "100.0000")]
    said = library.call("status").expect(0).out
    assert f"quality: {whole['message']}\n  loans: {others[0]['message']}\n" in said


def test_status_and_history_of_a_project_that_never_ran_are_empty(library: Library) -> None:
    place = ("-p", str(library.project), "--data-dir", str(library.folder / "none"))
    status = call("status", "--json", *place).expect(0).document
    assert (status.pop("project"), status.pop("release")) == ("library", None)
    assert set(status) == {"tables", "notes", "topologies", "landings", "parts", "commits", "quality"}
    assert not any(status.values())
    assert call("history", "--json", *place).expect(0).document == {"runs": [], "releases": []}
    assert call("quarantine", "list", "--json", *place).expect(0).document == []
    assert not (library.folder / "none").exists()


def test_a_project_that_never_ran_says_so_without_empty_tables(library: Library) -> None:
    place = ("-p", library.project, "--data-dir", library.folder / "none")
    assert call("status", *place).expect(0).out == "library: no release yet\n"
    assert call("history", *place).expect(0).out == "nothing was run yet\n"


def test_the_run_document_accounts_for_every_row(library: Library) -> None:
    library.loans("tuesday", "1,m1,Dune,out,1.50,2024-01-01T10:00:00Z", "9,m1,,lost,,2024-01-01", "10,m1")
    [loans] = library.call("run", "--json").expect(0).document["datasets"]
    fates = ("accepted", "quarantined", "duplicates", "superseded", "filtered")
    assert loans["rows_in"] == sum(loans[fate] for fate in fates) == 3
    assert (loans["dataset"], loans["files"], loans["quarantined"], loans["duplicates"]) == ("loans", 1, 2, 1)


def test_a_refused_run_is_a_document_too(library: Library) -> None:
    library.edit("checks/loans.yml", "minimum: 1", "minimum: 100")
    done = library.call("run", "--json").expect(1)
    assert (done.document["outcome"], done.document["exit_code"]) == ("gate failed", 1)
    assert {check["name"]: check["status"] for check in done.document["checks"]}["loans_arrived"] == "fail"


def test_history_tells_runs_and_releases_newest_first(library: Library) -> None:
    library.run()
    library.members("south", 1, "m3,cy@example.org,2022-02-02")
    library.run()
    history = library.call("history", "--json").expect(0).document
    assert [(run["outcome"], run["release"]) for run in history["runs"]] == [
        ("released", 2),
        ("nothing new", 1),
        ("released", 1),
    ]
    [second, first] = history["releases"]
    assert (second["number"], second["gold"]["gold.dim_member"], second["changed"]) == (2, 3, ["gold.dim_member"])
    assert (first["number"], first["gold"]["gold.dim_member"], first["readable"]) == (1, 2, True)
    assert len(library.call("history", "--limit", "1", "--json").document["runs"]) == 1


def test_problems_of_a_project_are_all_in_one_document(library: Library) -> None:
    library.edit("penstock.yml", "tenant: default", "tenent: default")
    library.edit("sources/loans.yml", "format: csv", "format: cvs")
    done = library.call("validate", "--json").expect(2)
    problems = done.document["problems"]
    assert done.document["ok"] is False
    places = [problem["where"] for problem in problems]
    assert any("penstock.yml:3:1" in place for place in places)
    assert any("loans.yml:5:" in place for place in places)
    assert all(set(problem) == {"what", "where", "expected", "found", "remedy"} for problem in problems)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("query", "SELECT * FROM gold.nothing"), 2),
        (("explain", "nothing"), 2),
        (("quarantine", "show", "nothing"), 2),
        (("export", "gold.nothing", "--to", "x.csv"), 2),
        (("doctor", "--restore", "nothing"), 2),
        (("run", "--nothing"), 2),
        (("query", "SELECT * FROM gold.nothing", "--format", "json"), 2),
        (("query", "SELECT * FROM gold.nothing", "--format=json"), 2),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_failure_is_one_document_too(library: Library, command: tuple[str, ...], code: int) -> None:
    is_said = any("json" in word for word in command)
    done = library.call(*command, *(() if is_said else ("--json",))).expect(code)
    assert (done.document["ok"], done.err) == (False, "")
    assert "nothing" in str(done.document["problems"][0])


def test_the_tables_of_every_layer_are_listed(library: Library) -> None:
    listed = library.call("query", "show tables;", "--json").expect(0).document
    assert [row["name"] for row in listed] == sorted(name for name in TABLES if not name.startswith("ledger."))


@pytest.mark.parametrize("form", ["table", "json", "csv", "parquet"])
def test_query_answers_in_every_format(library: Library, form: str) -> None:
    output = library.call("query", SELECT, "--format", form).expect(0).output
    match form:
        case "json":
            assert json.loads(output) == [{"status": "back", "loans": 1}, {"status": "out", "loans": 2}]
        case "csv":
            assert output == b"status,loans\nback,1\nout,2\n"
        case "parquet":
            assert output[:4] == output[-4:] == b"PAR1"
        case _:
            assert [line.split() for line in output.decode().splitlines()[2:]] == [["back", "1"], ["out", "2"]]


def test_a_table_is_cut_at_its_limit_alone(library: Library) -> None:
    asked = ("query", "SELECT * FROM range(300)")
    shown = [len(library.call(*asked, "--limit", limit).output.splitlines()) for limit in ("5", "0")]
    assert shown == [7, 302]
    assert len(library.call(*asked, "--json").document) == 300
