"""Refused rows are shown, mended and tried again from the command line."""

from __future__ import annotations

from tests.flows.library import Library


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


def test_personal_values_of_refused_rows_are_hidden(library: Library) -> None:
    library.members("south", 1, "m9,zoe-at-example.org,2020-01-01", "m8,yan@example.org,yesterday")
    library.run()
    shown = library.call("quarantine", "show", "members").expect(0).out
    assert "m9" in shown
    assert "zoe-at" not in shown
    assert "yan@example.org" not in shown
    assert "yesterday" in shown


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
