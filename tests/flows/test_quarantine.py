"""Refused rows are shown, mended and tried again from the command line."""

from __future__ import annotations

from tests.flows.library import Library, loan


def test_refused_rows_are_counted_by_rule(library: Library) -> None:
    rows = library.call("quarantine", "list", "--json").expect(0).document
    assert [(row["dataset"], row["stage"], row["code"], row["column"], row["rows"]) for row in rows] == [
        ("loans", "conform", "pattern", "status", 1),
        ("loans", "parse", "field_count", None, 1),
    ]


def test_a_refused_row_is_shown_with_place_rule_and_what_was_read(library: Library) -> None:
    refused, malformed = library.call("quarantine", "show", "loans", "--json").expect(0).document
    assert (refused["file"], refused["line"], refused["reasons"][0]["found"]) == ("loans_monday.csv", 5, "lost")
    assert '"loan_id": "4"' in refused["read"]
    assert (malformed["line"], malformed["read"]) == (6, "5,m1")
    text = library.call("quarantine", "show", "loans", "--code", "pattern").expect(0).out
    assert "loans_monday.csv:5 [conform, open]" in text
    assert "field_count" not in text


def test_a_rule_that_does_not_exist_is_told_with_those_that_do(library: Library) -> None:
    said = library.call("quarantine", "show", "loans", "--code", "patern").expect(2).err
    assert "There is no such rule" in said
    assert all(code in said for code in ("broken_json", "undecodable"))
    assert "Did you mean `pattern`?" in said
    assert library.call("quarantine", "show", "loans", "--code", "enum").expect(0).out == "no refused rows\n"


def test_personal_values_of_refused_rows_are_hidden(library: Library) -> None:
    library.members("south", 1, "m9,zoe-at-example.org,2020-01-01", "m8,yan@example.org,yesterday")
    library.run()
    shown = library.call("quarantine", "show", "members").expect(0).out
    assert "m9" in shown
    assert "zoe-at" not in shown
    assert "yan@example.org" not in shown
    assert "yesterday" in shown


def test_a_line_that_could_not_be_read_is_hidden_where_it_may_hold_personal_values(library: Library) -> None:
    library.members("south", 1, "m9,zoe@example.org", "m8,yan-at-example.org,2020-01-01")
    library.run()
    line, row = library.call("quarantine", "show", "members", "--json").expect(0).document
    assert (line["read"], line["hidden"], row["hidden"]) == ("(hidden), 18 bytes", True, True)
    text = library.call("quarantine", "show", "members").expect(0).out
    assert "--reveal shows it" in text
    assert "zoe@" not in text
    revealed = library.call("quarantine", "show", "members", "--reveal").expect(0).out
    assert "  read: m9,zoe@example.org\n" in revealed
    assert '"email": "yan-at-example.org"' in revealed
    assert "--reveal" not in revealed


def test_the_overview_tells_how_many_rows_there_are_beside_how_often_each_rule_was_broken(library: Library) -> None:
    library.loans("tuesday", loan(7, status="lost", fee="free"))
    library.run()
    text = library.call("quarantine", "list").expect(0).out
    assert text.splitlines()[-1].startswith("in all: loans 3 rows open (")
    rules = library.call("quarantine", "list", "--json").document
    assert sum(rule["rows"] for rule in rules) == 4


def test_rows_are_replayed_after_the_contract_was_mended(library: Library) -> None:
    assert "contract and reading are as they were" in library.call("quarantine", "replay", "loans").expect(0).out
    library.edit("contracts/loans.yml", "^(out|back)$", "^(out|back|lost)$")
    report = library.call("quarantine", "replay", "loans", "--json").expect(0).document
    assert (report["rebuilt"], report["accepted"], report["quarantined"]) == (True, 4, 0)
    assert library.count("gold.loans_by_status") == 2  # gold follows with the next run
    assert library.run()["outcome"] == "released"
    assert library.query("SELECT loans FROM gold.loans_by_status WHERE status = 'lost'") == [{"loans": 1}]
    left = library.call("quarantine", "list", "--json").document
    assert [(row["code"], row["status"]) for row in left] == [("field_count", "open")]


def test_malformed_lines_are_read_again_after_the_source_was_mended(library: Library) -> None:
    """The file was written with semicolons: nothing but its header could be read."""
    library.deliver("loans_semi.csv", "loan_id,member_id,title,status,fee,changed_at", "8;m1;Dune;out;2.50;2024-01-05")
    library.run()
    lines = len(library.call("quarantine", "show", "loans", "--code", "field_count", "--json").document)
    library.edit("sources/loans.yml", "format: csv", "format: csv\ncsv:\n  delimiter: ';'")
    report = library.call("quarantine", "replay", "loans", "--json").expect(0).document
    assert (lines, report["lines_tried"], report["lines_read"]) == (2, 2, 1)
    assert library.query("SELECT fee FROM silver.loans WHERE loan_id = '8'") != []
    statuses = {row["status"] for row in library.call("quarantine", "list", "--json").document}
    assert statuses == {"open", "replayed"}


def test_a_dataset_without_refused_rows_says_so(library: Library) -> None:
    assert library.call("quarantine", "show", "members").expect(0).out == "no refused rows\n"
    assert library.call("quarantine", "list", "members", "--json").expect(0).document == []
