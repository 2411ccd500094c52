"""One data directory has one key of pseudonyms, from the first row on."""

from __future__ import annotations

from tests.flows.command import call
from tests.flows.library import Library, loan


def test_another_key_is_refused_before_a_row_is_conformed_with_it(library: Library) -> None:
    library.loans("tuesday", loan(6))
    other = {**library.environment, "PENSTOCK_PSEUDONYM_KEY": "another key for tests"}
    told = call("run", *library.place, environment=other).expect(2).err
    assert "is not the one that the data was made with" in told
    assert "another key" not in told
    assert library.count("silver.loans") == 3
    assert library.run()["release"] == 2
    assert library.count("silver.loans") == 4


def test_a_lost_key_is_not_replaced_by_a_new_one(library: Library) -> None:
    """The key's file was not in the backup, say."""
    library.loans("tuesday", loan(6))
    call("run", *library.place, environment={"LIBRARY_INBOX": str(library.inbox)}).expect(2)


def test_the_catalogue_holds_no_key(library: Library) -> None:
    assert b"a key for tests" not in b"".join(path.read_bytes() for path in library.data.glob("catalog.db*"))
