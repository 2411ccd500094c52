"""The demonstration runs on a stranger's machine, without any data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from penstock.lake.records import read_heads
from tests.flows.command import Done, call


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    folder = tmp_path_factory.mktemp("demo") / "here"
    done = call("demo", "--once", "--json", "--data-dir", folder, environment={"PENSTOCK_ONLINE_RETAIL": "/nowhere"})
    return folder, done


def test_two_deliveries_become_two_releases(shown: tuple[Path, Done]) -> None:
    document = shown[1].expect(0).document
    assert document["real"] is False
    [first] = document["first"]["datasets"]
    [second] = document["second"]["datasets"]
    assert (document["first"]["release"], document["second"]["release"]) == (1, 2)
    assert (first["files"], first["quarantined"]) == (60, 0)
    assert second["files"] == 6
    assert second["quarantined"] == 5
    assert [notice["kind"] for notice in document["second"]["notices"]] == ["identical"]


def test_three_questions_are_answered(shown: tuple[Path, Done]) -> None:
    answers = shown[1].document["answers"]
    assert len(answers) == 3
    assert all(len(one["answer"].splitlines()) > 3 for one in answers)
    assert "broken_rules" in answers[2]["answer"]


def test_the_demonstration_may_be_repeated_but_takes_no_foreign_folder(
    shown: tuple[Path, Done], tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert "not a demonstration" in call("demo", "--once", "--data-dir", tmp_path).expect(2).err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert "catalog.db" in {path.name for path in (shown[0] / "data").iterdir()}
    assert "gold.fact_sales" in read_heads(shown[0] / "data")


def test_the_text_ends_with_what_to_try_next(tmp_path: Path) -> None:
    done = call("demo", "--once", "--data-dir", tmp_path / "d", environment={"PENSTOCK_ONLINE_RETAIL": "/nowhere"})
    text = done.expect(0).out
    for line in ("First run", "Second run", "Release 2 is out.", "Now it is yours:", "penstock quarantine show"):
        assert line in text
    assert json.dumps(text).isprintable()
