from pathlib import Path

import pytest

from tools.check_docs import broken_links, make_targets, shown_commands, stale, unknown, wrong_commands

CLI = {"run": {"--json", "-p"}, "quarantine list": {"--json"}, "query": {"--format"}}
TARGETS = {"test", "demo"}


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_a_link_to_a_missing_page_or_heading_is_found(tmp_path: Path) -> None:
    write(
        tmp_path,
        "README.md",
        "[a](docs/a.md)\n[gone](docs/b.md)\n[here](docs/a.md#two-words)\n[not](docs/a.md#three)\n",
    )
    write(tmp_path, "docs/a.md", "# Two words\n[out](https://example.com/x)\n")
    assert [str(finding) for finding in broken_links(tmp_path)] == [
        "README.md:2: docs/b.md does not exist",
        "README.md:4: docs/a.md has no heading #three",
    ]


def test_a_page_that_nobody_links_to_is_found(tmp_path: Path) -> None:
    write(tmp_path, "README.md", "")
    write(tmp_path, "docs/a.md", "")
    assert [str(finding) for finding in broken_links(tmp_path)] == ["docs/a.md:1: no other page links to this one"]


@pytest.mark.parametrize(
    "command",
    [
        "penstock run --json",
        "penstock run -p shop",
        "penstock quarantine list --json",
        "penstock quarantine",
        "penstock --version",
        'penstock query "select 1 -- no option" --format=csv',
        "make test",
        "make demo ONCE=1",
        "ONCE=1 make demo",
        "cd shop",
    ],
)
def test_commands_that_exist_are_accepted(command: str) -> None:
    assert unknown(command, CLI, TARGETS) is None


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("penstock fly", "penstock has no command fly"),
        ("penstock run --quick", "penstock run has no option --quick"),
        ("penstock quarantine drop", "penstock has no command quarantine"),
        ("make tea", "make has no target tea"),
    ],
)
def test_commands_that_do_not_exist_are_named(command: str, why: str) -> None:
    assert unknown(command, CLI, TARGETS) == why


def test_commands_are_read_from_fences_and_inline_code_but_not_from_shown_output() -> None:
    text = "Say `make test`.\n```console\n$ penstock run\npenstock says hello\n```\n```bash\ncd shop\n```\n"
    assert sorted(shown_commands(text)) == [(1, "make test"), (3, "penstock run"), (7, "cd shop")]


def test_a_wrong_command_is_found_with_its_page_and_line(tmp_path: Path) -> None:
    write(tmp_path, "docs/a.md", "Hello.\n```console\n$ penstock fly\n```\n")
    assert [str(finding) for finding in wrong_commands(tmp_path, CLI, TARGETS)] == [
        "docs/a.md:3: penstock has no command fly"
    ]


def test_a_made_page_that_is_missing_or_old_is_found(tmp_path: Path) -> None:
    write(tmp_path, "docs/old.md", "before")
    write(tmp_path, "docs/new.md", "now")
    pages = {"docs/old.md": "now", "docs/new.md": "now", "docs/missing.md": "now"}
    assert [finding.path for finding in stale(tmp_path, pages)] == ["docs/old.md", "docs/missing.md"]


def test_targets_are_read_from_the_makefile() -> None:
    assert make_targets("VENV := .venv\ntest: lint  ## All\n\nlint:\n\truff\n.PHONY: test\n") == {"test", "lint"}
