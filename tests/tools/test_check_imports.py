from collections.abc import Callable
from pathlib import Path

import pytest

from tools.check_imports import findings

Found = Callable[[str, str], list[str]]


@pytest.fixture
def found(tmp_path: Path) -> Found:
    """What the rule says of one module with this content."""

    def check(module: str, content: str) -> list[str]:
        path = tmp_path / "src" / "penstock" / module
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return [str(finding) for finding in findings(tmp_path)]

    return check


def test_a_room_may_not_import_a_room_outside_its_line(found: Found) -> None:
    assert found("ingest/reading.py", "from penstock.lake.table import Head\n") == [
        "src/penstock/ingest/reading.py:1: ingest may not import lake (allowed: spec)"
    ]


def test_an_import_inside_a_function_counts(found: Found) -> None:
    assert len(found("spec/loading.py", "def load():\n    import penstock.sql.session\n")) == 1


def test_an_import_of_the_package_itself_names_no_room(found: Found) -> None:
    assert len(found("spec/loading.py", "from penstock import lake\n")) == 1
    assert len(found("spec/loading.py", "import penstock\n")) == 1


def test_errors_and_world_are_open_to_all_and_import_nothing(found: Found) -> None:
    assert found("sql/quote.py", "from penstock.errors import UsageError\nfrom penstock import world\n") == []
    assert len(found("errors.py", "from penstock.spec import contract\n")) == 1


def test_runtime_may_import_every_room(found: Found) -> None:
    assert found("runtime/apply.py", "from penstock.lake.lake import Lake\nfrom penstock.load import bronze\n") == []


def test_relative_imports_are_refused(found: Found) -> None:
    assert len(found("spec/loading.py", "from .contract import Contract\n")) == 1


@pytest.mark.parametrize(
    ("module", "library", "allowed"),
    [
        ("lake/commit.py", "pyiceberg.table", True),
        ("release/publish.py", "pyiceberg.table", False),
        ("transform/build.py", "dbt.cli.main", True),
        ("runtime/apply.py", "dbt.cli.main", False),
        ("log/kafka.py", "confluent_kafka", True),
        ("log/topic.py", "confluent_kafka", False),
        ("store/postgres/rows.py", "psycopg", True),
        ("store/rows.py", "psycopg", False),
    ],
)
def test_a_library_stands_only_where_it_belongs(found: Found, module: str, library: str, allowed: bool) -> None:
    assert (found(module, f"def use():\n    import {library}\n") == []) is allowed


def test_a_folder_that_is_no_room_is_named(found: Found) -> None:
    assert "utils is not a room" in found("utils/text.py", "")[0]


def test_a_room_init_holds_only_its_docstring(found: Found) -> None:
    assert found("lake/__init__.py", '"""Iceberg."""\n') == []
    assert len(found("lake/__init__.py", '"""Iceberg."""\nfrom penstock.lake.table import Head\n')) == 1
