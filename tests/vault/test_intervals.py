"""Single histories, drawn: what deletions, snapshots and relations do to intervals. Time runs to the right in days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pytest

from tests.vault.macros import render
from tests.vault.oracle import UNKNOWN, hash_key

FEED = (
    "(tenant VARCHAR, member VARCHAR, book VARCHAR, city VARCHAR, gone BOOLEAN, applied_at INTEGER, loaded_at INTEGER)"
)


@pytest.fixture
def vault() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for feed in ("versions", "lists", "listed"):
        connection.execute(f"CREATE TABLE {feed} {FEED}")
        connection.execute(f"CREATE VIEW {feed}_feed AS SELECT *, 'desk' AS record_source FROM {feed}")
    return connection


def put(vault: duckdb.DuckDBPyConnection, feed: str, *rows: Mapping[str, Any]) -> None:
    for row in rows:
        given = {"tenant": "default", "loaded_at": 0, **row}
        names, values = ", ".join(given), ", ".join("?" * len(given))
        vault.execute(f"INSERT INTO {feed} ({names}) VALUES ({values})", [*given.values()])


def make(vault: duckdb.DuckDBPyConnection, table: str, call: str) -> None:
    vault.execute(f"CREATE TABLE {table} AS {render(call)}")


def said(vault: duckdb.DuckDBPyConnection, columns: str, call: str) -> Sequence[tuple[Any, ...]]:
    """The rows of a view of the macros, in the order of their columns."""
    return vault.execute(f"SELECT {columns} FROM ({render(call)}) ORDER BY ALL").fetchall()


def member_vault(vault: duckdb.DuckDBPyConnection) -> None:
    member = "'member', key=['member']"
    make(vault, "sat", f"vault_satellite({member}, payload=['city'], sources='versions_feed', deleted='gone')")
    make(vault, "trk", f"vault_tracking({member}, sources='lists_feed', snapshots='listed_feed')")


def test_a_snapshot_after_a_deletion_deletes_nothing_again(vault: duckdb.DuckDBPyConnection) -> None:
    # versions  Bern────✗
    # lists     1         5 (without)
    put(vault, "versions", {"member": "ann", "city": "Bern", "applied_at": 1})
    put(vault, "versions", {"member": "ann", "gone": True, "applied_at": 3})
    put(vault, "listed", {"applied_at": 1}, {"applied_at": 5})
    put(vault, "lists", {"member": "ann", "applied_at": 1})
    member_vault(vault)

    assert said(
        vault, "valid_from, valid_to, city, is_deleted", "vault_versions('sat', 'member_hk', tracking='trk')"
    ) == [
        (1, 3, "Bern", False),
        (3, None, None, True),
    ]


def test_a_backdated_version_is_deleted_by_the_next_snapshot_that_misses_it(vault: duckdb.DuckDBPyConnection) -> None:
    # versions  Bern        Thun (backdated)
    # lists     1     3 (without)     5 (without)
    put(vault, "versions", {"member": "ann", "city": "Bern", "applied_at": 1})
    put(vault, "versions", {"member": "ann", "city": "Thun", "applied_at": 4, "loaded_at": 9})
    put(vault, "listed", {"applied_at": 1}, {"applied_at": 3}, {"applied_at": 5})
    put(vault, "lists", {"member": "ann", "applied_at": 1})
    member_vault(vault)

    assert said(
        vault, "valid_from, valid_to, city, is_deleted", "vault_versions('sat', 'member_hk', tracking='trk')"
    ) == [
        (1, 3, "Bern", False),
        (3, 4, None, True),
        (4, 5, "Thun", False),
        (5, None, None, True),
    ]


def test_what_is_not_yet_known_leaves_no_trace(vault: duckdb.DuckDBPyConnection) -> None:
    put(vault, "versions", {"member": "ann", "city": "Bern", "applied_at": 1, "loaded_at": 9})
    put(vault, "lists", {"member": "ann", "applied_at": 1, "loaded_at": 9}, {"member": "bob", "applied_at": 1})
    put(vault, "listed", {"applied_at": 3})
    member_vault(vault)

    assert said(vault, "*", "vault_versions('sat', 'member_hk', tracking='trk', loaded=8)") == []
    assert said(vault, "member_hk", "vault_deletions('trk', 'member_hk', loaded=8)") == [
        (hash_key("default", "member", "bob"),)
    ]


def test_a_snapshot_of_one_tenant_deletes_nothing_of_another(vault: duckdb.DuckDBPyConnection) -> None:
    put(vault, "versions", {"member": "ann", "city": "Bern", "applied_at": 1})
    put(vault, "listed", {"applied_at": 2, "tenant": "other"})
    member_vault(vault)

    assert said(vault, "valid_to", "vault_versions('sat', 'member_hk', tracking='trk')") == [(None,)]


def test_a_relation_missing_in_a_snapshot_ends_unless_another_took_its_place(vault: duckdb.DuckDBPyConnection) -> None:
    # book 7   ann──────bob
    # book 8   ann──────✗
    # lists    1        5
    put(
        vault, "lists", {"member": "ann", "book": "7", "applied_at": 1}, {"member": "ann", "book": "8", "applied_at": 1}
    )
    put(vault, "lists", {"member": "bob", "book": "7", "applied_at": 5})
    hubs = "hubs={'book': ['book'], 'member': ['member']}"
    make(vault, "eff", f"vault_effectivity('loan', {hubs}, sources='lists_feed')")
    make(vault, "trk", "vault_tracking('loan', key=['book', 'member'], sources='lists_feed')")
    ann, bob = (hash_key("default", "member", name) for name in ("ann", "bob"))
    seven, eight = (hash_key("default", "book", number) for number in ("7", "8"))

    call = "vault_versions('eff', 'loan_hk', driving=['book_hk'], tracking='trk')"
    rows = said(vault, "book_hk, valid_from, valid_to, is_deleted, member_hk", call)

    assert set(rows) == {
        (seven, 1, 5, False, ann),
        (seven, 5, None, False, bob),
        (eight, 1, 5, False, ann),
        (eight, 5, None, True, None),
    }


def test_a_link_keeps_a_row_whose_key_is_not_known_and_drops_one_of_none(vault: duckdb.DuckDBPyConnection) -> None:
    put(vault, "versions", {"book": "7", "applied_at": 1}, {"applied_at": 1})
    make(vault, "link", "vault_link('loan', {'book': ['book'], 'member': ['member']}, sources='versions_feed')")
    make(vault, "hub", "vault_hub('member', key=['member'], sources='versions_feed')")

    assert vault.execute("SELECT book_hk, member_hk FROM link").fetchall() == [
        (hash_key("default", "book", "7"), UNKNOWN)
    ]
    assert vault.execute("SELECT * FROM hub").fetchall() == []


def test_a_driving_key_that_is_not_known_is_another_one_for_each_tenant(vault: duckdb.DuckDBPyConnection) -> None:
    put(vault, "versions", {"book": "7", "applied_at": 1}, {"book": "8", "applied_at": 2, "tenant": "other"})
    make(vault, "eff", "vault_effectivity('loan', {'book': ['book'], 'member': ['member']}, sources='versions_feed')")

    rows = said(vault, "member_hk, valid_from, valid_to", "vault_versions('eff', 'loan_hk', driving=['member_hk'])")

    assert rows == [(UNKNOWN, 1, None), (UNKNOWN, 2, None)]


def test_a_hub_takes_part_in_a_link_twice_by_roles_and_children_tell_relations_apart(
    vault: duckdb.DuckDBPyConnection,
) -> None:
    put(vault, "versions", {"member": "ann", "book": "bob", "city": "Bern", "applied_at": 1})
    put(vault, "versions", {"member": "ann", "book": "bob", "city": "Thun", "applied_at": 1})
    roles = "{'lender': {'hub': 'member', 'key': ['member']}, 'borrower': {'hub': 'member', 'key': ['book']}}"
    make(vault, "link", f"vault_link('pass_on', {roles}, sources='versions_feed', children=['city'])")

    ann, bob = (hash_key("default", "member", name) for name in ("ann", "bob"))
    assert vault.execute("SELECT pass_on_hk, lender_hk, borrower_hk, city FROM link ORDER BY city").fetchall() == [
        (hash_key("default", "pass_on", "ann", "bob", city), ann, bob, city) for city in ("Bern", "Thun")
    ]
