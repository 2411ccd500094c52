"""A user's mistake is one sentence that helps and an exit code, and nothing is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.command import call
from tests.flows.library import Library

QUERY = ("query", "SELECT 1")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("explain", "lones"), "Did you mean silver.loans"),
        (("quarantine", "list", "lones"), "Did you mean `loans`?"),
        (("export", "gold.dim_membr", "--to", "x.csv"), "Did you mean gold.dim_member?"),
        (("export", "dim_member", "--to", "x.xlsx"), ".parquet"),
        (("export", "dim_member", "--to", "nowhere/x.csv"), "no such folder"),
        (("export", "dim_member", "--to", "x.csv", "--release", "9"), "There is no release 9"),
        ((*QUERY, "--release", "9"), "one of 1"),
        ((*QUERY, "--release", "0"), "There is no release 0"),
        ((*QUERY, "--format", "xml"), "table, json, csv, parquet"),
        (("quarantine", "list", "lones"), "loans, members"),
        (("quarantine", "show", "lones"), "loans, members"),
        (("quarantine", "replay", "lones"), "loans, members"),
        (("doctor", "--adopt", "gold.lones"), "no such table"),
        (("doctor", "--restore", "silver.lones"), "no such table"),
        (("doctor", "--restore", "loans"), "silver.loans"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(
    library: Library, arguments: tuple[str, ...], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(library.folder)
    done = library.call(*arguments).expect(2)
    assert done.err.startswith("error: ")
    assert told.lower() in done.err.lower()
    assert done.output == b""
    assert not list(library.folder.glob("x.*"))


@pytest.mark.parametrize(
    "arguments",
    [(), ("runn",), ("run", "--colour"), ("query",), ("export", "loans"), ("quarantine",), ("history", "--limit", "0")],
)
def test_wrong_arguments_are_explained(arguments: tuple[str, ...]) -> None:
    done = call(*arguments)
    assert done.code == 2
    assert "Usage" in done.err + done.out


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT * FROM gold.loans_by_statuz", "Did you mean gold.loans_by_status?"),
        ("SELECT * FROM dim_member", "Did you mean gold.dim_member?"),
        ("SELECT loanz FROM gold.loans_by_status", "line 1"),
        ("SELECT loanz FROM gold.loans_by_status", "loans"),
        ("SELECT\n 1 +* 2", "line 2"),
        ("SELEC 1", "^"),
        ("SELECT CAST(status AS INTEGER) FROM gold.loans_by_status", "Could not convert string"),
        ("", "SELECT"),
        ("SELECT 1; SELECT 2", "one"),
    ],
)
def test_wrong_sql_is_answered_with_its_place_and_what_was_meant(library: Library, sql: str, told: str) -> None:
    done = library.call("query", sql).expect(2)
    assert done.err.startswith("error: ")
    assert told in done.err


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('{secret}')",
        "SELECT * FROM read_text('{secret}')",
        "SELECT * FROM '{secret}'",
        "SELECT * FROM glob('{folder}/*')",
        "COPY (SELECT 1) TO '{target}'",
        "COPY gold.dim_member TO '{target}'",
        "EXPORT DATABASE '{target}'",
        "ATTACH '{target}'",
        "CREATE TABLE gold.mine AS SELECT 1",
        "INSERT INTO gold.dim_member VALUES ('m9', NULL)",
        "DELETE FROM gold.dim_member",
        "DROP VIEW gold.dim_member",
        "SET enable_external_access = true",
        "PRAGMA database_list",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SELECT getenv('HOME')",
        "WITH x AS (SELECT * FROM read_blob('{secret}')) SELECT * FROM x",
    ],
)
def test_a_query_reaches_no_other_file_and_changes_nothing(library: Library, sql: str) -> None:
    secret, target = library.folder / "secret.csv", library.folder / "target"
    secret.write_text("word\nxyzzy\n")
    done = library.call("query", sql.format(secret=secret, target=target, folder=library.folder)).expect(2)
    assert done.err.startswith("error: ")
    assert b"xyzzy" not in done.output
    assert not target.exists()
    assert library.count("gold.dim_member") == 2


@pytest.mark.parametrize("command", ["validate", "plan", "run", "status", "history", "doctor"])
def test_a_folder_that_is_no_project_is_named(tmp_path: Path, command: str) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        done = call(command, "-p", folder).expect(2)
        assert str(folder) in done.err
        assert "penstock.yml" in done.err
        assert "penstock.yml:1" not in done.err
        assert "penstock init" in done.err
    assert list(tmp_path.iterdir()) == []


def test_reading_before_the_first_run_says_what_to_do(library: Library) -> None:
    for command in (QUERY, ("export", "loans", "--to", "x.csv"), ("quarantine", "show", "loans")):
        done = call(*command, "-p", library.project, "--data-dir", library.folder / "none").expect(2)
        assert "`penstock run`" in done.err


def test_yaml_that_cannot_be_read_is_shown_with_its_line(library: Library) -> None:
    library.edit("sources/loans.yml", "optional: true", "optional: [true")
    done = library.call("run").expect(2)
    assert "loans.yml:7" in done.err
    assert "1 problem found" in done.err


def test_a_model_that_names_no_table_is_found_by_validate(library: Library) -> None:
    library.edit("models/marts/dim_member.sql", "source('silver', 'members')", "source('silver', 'membres')")
    assert "membres" in library.call("validate").expect(2).err
