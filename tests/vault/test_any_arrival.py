"""The vault's answers do not depend on the order of arrival: random histories, permuted and cut into batches.

PENSTOCK_VAULT_PERMUTATIONS sets how many are tried; 10000 is the long run.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from tests.vault.history import HOURS, History, Row, histories, hour
from tests.vault.library_vault import LibraryVault
from tests.vault.macros import render
from tests.vault.oracle import Seen, Version, deletions, first_loaded, hash_diff, hash_key, relations_at, versions_at

PERMUTATIONS = int(os.environ.get("PENSTOCK_VAULT_PERMUTATIONS", "1000"))
TOGETHER = 200  # histories in one vault
SEEDS = range(-(-PERMUTATIONS // TOGETHER))

Answers = dict[tuple[str, str], Any]  # by tenant and hash key


@cache
def arrived(seed: int) -> tuple[list[History], LibraryVault]:
    """Histories and the vault that was appended to batch by batch; the tests of it only read."""
    every = histories(min(TOGETHER, PERMUTATIONS), seed=seed)
    return every, LibraryVault(row for history in every for row in history.rows).load()


def member(row: Row) -> str:
    return hash_key(row.tenant, "member", row.member_id)


def loan(row: Row) -> str:
    return hash_key(row.tenant, "loan", row.book_id, row.member_id)


def book(row: Row) -> str:
    return hash_key(row.tenant, "book", row.book_id)


def versions(history: History) -> list[Version]:
    return [
        Version(
            key=member(row),
            applied=row.applied_at,
            loaded=row.loaded_at,
            diff=hash_diff(row.tenant, {"name": row.name, "fee": row.fee}, bool(row.is_gone)),
            deleted=bool(row.is_gone),
            says=(row.name, row.fee),
        )
        for row in history.rows
        if row.kind in ("version", "snapshot")
    ]


def sightings(history: History) -> list[Seen]:
    return [
        Seen(None if row.kind == "listed" else member(row), row.applied_at, row.loaded_at)
        for row in history.rows
        if row.kind in ("snapshot", "listed")
    ]


def relations(history: History) -> tuple[list[Version], dict[str, str]]:
    """Beginnings and ends of loans, and the book of each loan: a book is lent to one member at a time."""
    rows = [row for row in history.rows if row.kind == "relation"]
    found = [
        Version(
            key=loan(row),
            applied=row.applied_at,
            loaded=row.loaded_at,
            diff=hash_diff(row.tenant, {"loan_hk": loan(row)}, bool(row.is_gone)),
            deleted=bool(row.is_gone),
            says=member(row),
        )
        for row in rows
    ]
    return found, {loan(row): book(row) for row in rows}


def expected(
    every: list[History], applied: datetime | None, loaded: datetime | None
) -> tuple[Answers, Answers, Answers]:
    """By the oracle: members, members with the snapshots' deletions and the load time, the member who has each book."""
    plain: Answers = {}
    tracked: Answers = {}
    held: Answers = {}
    for history in every:
        rows, seen = versions(history), sightings(history)
        for key, row in versions_at(rows, applied, loaded).items():
            plain[history.tenant, key] = row.says
        for key, row in versions_at(rows, applied, loaded, seen).items():
            tracked[history.tenant, key] = (*row.says, first_loaded(rows, row))
        for key, row in relations_at(*relations(history), applied, loaded).items():
            held[history.tenant, key] = row.says
    return plain, tracked, held


SATELLITE = "'sat_member', key='member_hk'"
TRACKED = "'sat_member', key='member_hk', tracking='trk_member'"
EFFECTIVITY = "'eff_loan', key='loan_hk', driving=['book_hk']"


def moments(seed: int) -> Iterator[tuple[datetime | None, datetime | None]]:
    yield None, None
    chance = random.Random(f"moments {seed}")
    for _ in range(8):
        yield hour(chance.randrange(HOURS)), hour(chance.randrange(HOURS))
    yield hour(chance.randrange(HOURS)), None
    yield None, hour(chance.randrange(HOURS))


def literal(moment: datetime | None) -> str:
    return "none" if moment is None else f"\"timestamptz '{moment.isoformat()}'\""


def answers(vault: LibraryVault, columns: str, sql: str) -> Answers:
    rows = vault.query(f"SELECT tenant, {columns} FROM {sql}")
    found = {(tenant, key): says[0] if len(says) == 1 else says for tenant, key, *says in rows}
    assert len(found) == len(rows), "a key has two versions at one moment"
    return {key: tuple(says) if isinstance(says, list) else says for key, says in found.items()}


@pytest.mark.parametrize("seed", SEEDS)
def test_every_order_of_arrival_gives_the_answers_of_the_oracle_on_both_axes(seed: int) -> None:
    every, vault = arrived(seed)

    for applied, loaded in moments(seed):
        when = f", applied={literal(applied)}, loaded={literal(loaded)}"
        plain, tracked, held = expected(every, applied, loaded)
        assert answers(vault, "member_hk, name, fee", render(f"vault_as_of({SATELLITE}{when})")) == plain
        assert answers(vault, "member_hk, name, fee, loaded_at", render(f"vault_as_of({TRACKED}{when})")) == tracked
        assert answers(vault, "book_hk, member_hk", render(f"vault_as_of({EFFECTIVITY}{when})")) == held


@pytest.mark.parametrize("seed", SEEDS)
def test_the_intervals_say_at_every_moment_what_the_oracle_says(seed: int) -> None:
    every, vault = arrived(seed)
    loaded = random.Random(f"loaded {seed}").choice([None, *map(hour, range(HOURS))])
    views = {
        name: f"({render(f'vault_versions({call}, loaded={literal(loaded)}, changes_only={only})')})"
        for name, call, only in [
            ("plain", SATELLITE, False),
            ("tracked", TRACKED, False),
            ("changes", TRACKED, True),
            ("held", EFFECTIVITY, seed % 2 == 0),
        ]
    }

    for number in range(HOURS):
        plain, tracked, held = expected(every, hour(number), loaded)
        at = f"valid_from <= '{hour(number)}' AND coalesce(valid_to > '{hour(number)}', true) AND NOT is_deleted"
        assert answers(vault, "member_hk, name, fee", f"{views['plain']} WHERE {at}") == plain
        assert answers(vault, "member_hk, name, fee, loaded_at", f"{views['tracked']} WHERE {at}") == tracked
        assert answers(vault, "member_hk, name, fee", f"{views['changes']} WHERE {at}") == {
            key: (name, fee) for key, (name, fee, _) in tracked.items()
        }
        assert answers(vault, "book_hk, member_hk", f"{views['held']} WHERE {at}") == held


@pytest.mark.parametrize("seed", SEEDS)
def test_changes_only_never_says_the_same_twice_in_a_row(seed: int) -> None:
    _, vault = arrived(seed)
    changes = vault.define("member_changes", f"vault_versions({TRACKED}, changes_only=true)")

    rows = vault.query(f"SELECT member_hk, is_deleted, name, fee FROM {changes} ORDER BY member_hk, valid_from")
    said = [(key, deleted, *([] if deleted else payload)) for key, deleted, *payload in rows]

    assert len(said) > 100 or PERMUTATIONS < TOGETHER
    assert all(before != after for before, after in pairwise(said))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_key_that_snapshots_miss_is_deleted_at_the_first_and_restored_when_it_comes_back(seed: int) -> None:
    every, vault = arrived(seed)
    gone = vault.define("gone", "vault_deletions('trk_member', key='member_hk')")
    found = vault.query(f"SELECT tenant, member_hk, deleted_at, restored_at FROM {gone}")

    assert len(found) == len(set(found))
    assert set(found) == {(history.tenant, *one) for history in every for one in deletions(sightings(history))}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_point_in_time_table_names_the_version_that_held_in_each_satellite(seed: int) -> None:
    every, vault = arrived(seed)
    vault.define("member_all", f"vault_versions({SATELLITE})")
    vault.define("member_there", f"vault_versions({TRACKED})")
    satellites = "{'said': 'member_all', 'there': 'member_there'}"
    found = vault.query(render(f"vault_pit('member_hk', satellites={satellites}, dates='hours')"))

    wanted = set()
    for history in every:
        rows, seen = versions(history), sightings(history)
        for number in range(HOURS):
            there = versions_at(rows, hour(number), None, seen)
            for key, row in versions_at(rows, hour(number), None).items():
                wanted.add((hour(number), key, row.applied, there[key].applied if key in there else None))
    assert len(found) == len(set(found))
    assert set(found) == wanted


@pytest.mark.parametrize("seed", SEEDS)
def test_a_bridge_joins_the_keys_that_held_and_leaves_an_optional_hop_empty(seed: int) -> None:
    every, vault = arrived(seed)
    vault.define("loans", f"vault_versions({EFFECTIVITY})")
    vault.define("member_all", f"vault_versions({SATELLITE})")
    hops = (
        "{'relation': 'loans', 'keys': ['loan_hk', 'book_hk']},"
        "{'relation': 'link_loan', 'on': ['loan_hk'], 'keys': ['member_hk'], 'timeless': true},"
        "{'relation': 'member_all', 'on': ['member_hk'], 'keys': ['name'], 'optional': true}"
    )
    found = vault.query(render(f"vault_bridge(hops=[{hops}], dates='hours')"))

    wanted = set()
    for history in every:
        for number in range(HOURS):
            named = versions_at(versions(history), hour(number), None)
            for key, row in relations_at(*relations(history), hour(number), None).items():
                name = named[row.says].says[0] if row.says in named else None
                wanted.add((hour(number), row.key, key, row.says, name))
    assert len(found) == len(set(found))
    assert set(found) == wanted


@pytest.mark.parametrize("seed", SEEDS)
def test_appending_batches_leaves_the_rows_of_a_build_at_once(seed: int) -> None:
    every, appended = arrived(seed)
    whole = LibraryVault(row for history in every for row in history.rows).load(at_once=True)

    for table in ("hub_member", "link_loan", "sat_member", "eff_loan", "trk_member"):
        said = f"SELECT DISTINCT * EXCLUDE (loaded_at, record_source) FROM {table} ORDER BY ALL"
        assert appended.query(said) == whole.query(said)
    for table, key in {
        "sat_member": "member_hk, applied_at, hash_diff",
        "eff_loan": "loan_hk, applied_at, hash_diff",
        "trk_member": "member_hk, tenant, applied_at",
    }.items():
        first = f"SELECT {key}, min(loaded_at) FROM {table} GROUP BY ALL ORDER BY ALL"
        assert appended.query(first) == whole.query(first)
        assert whole.query(f"SELECT {key} FROM {table} GROUP BY ALL HAVING count(*) > 1") == []


def test_rows_loaded_in_the_order_of_their_times_are_held_once() -> None:
    following = histories(20, seed=1)[10:]  # those whose load times follow arrival
    vault = LibraryVault(row for history in following for row in history.rows).load()

    assert vault.query("SELECT count(*) FROM sat_member") == vault.query(
        "SELECT count(DISTINCT (member_hk, applied_at, hash_diff)) FROM sat_member"
    )
    assert vault.query("SELECT count(*) FROM sat_member")[0][0] == sum(
        len({(version.key, version.applied, version.diff) for version in versions(history)}) for history in following
    )
