"""What is remembered of failures quotes no value of a row: records outlive the rows."""

from __future__ import annotations

import pytest

from tests.flows.library import Library

CAST = "cast(max(email) as integer)"
CHECK = """
  - name: shelves
    kind: rows
    description: Every member has a shelf.
    sql: select cast(email as integer) as shelf from silver.members
"""


@pytest.mark.parametrize("failing", ["model", "check", "test"])
def test_an_error_of_the_database_is_remembered_without_values(library: Library, failing: str) -> None:
    if failing == "model":
        library.edit("models/marts/dim_member.sql", "min(joined) as joined", f"min(joined) as joined, {CAST} as shelf")
    elif failing == "test":
        path = library.project / "models" / "tests" / "shelves.sql"
        path.parent.mkdir()
        path.write_text("select joined from {{ ref('dim_member') }} where cast(member_id as integer) > 0")
    else:
        path = library.project / "checks" / "loans.yml"
        path.write_text(path.read_text().rstrip() + CHECK)
    library.call("run").expect(1)
    kept = library.call("history", "--json").out + library.call("status").out
    assert "Could not convert string '***'" in kept
    stored = b"".join(path.read_bytes() for path in library.data.glob("catalog.db*"))
    assert b"'m1'" not in stored
    assert b"example.org" not in stored
