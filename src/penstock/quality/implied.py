"""The checks that the contracts imply: references, uniqueness of keys, freshness."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

import duckdb

from penstock.errors import counted
from penstock.quality.growth import KEYS, Growth, came_to, silver
from penstock.quality.query import sample
from penstock.quality.references import reference_rule
from penstock.quality.result import SAMPLE_ROWS, Kind, Status
from penstock.quality.rule import Outcome, Rule, fingerprint_of
from penstock.spec.contract import Contract
from penstock.spec.duration import spoken_duration
from penstock.spec.project import Project, Severity
from penstock.sql.names import quote
from penstock.sql.personal import personal_of_dataset

Conflicting: TypeAlias = "Mapping[str, Sequence[Mapping[str, str]]]"
"""By dataset: files of one version with different content, each two as a row."""


def implied_rules(
    project: Project,
    known: Collection[str],
    *,
    now: datetime,
    growth: Growth | None = None,
    conflicting: Conflicting | None = None,
) -> tuple[Rule, ...]:
    """References, uniqueness and freshness of every contract, by dataset, and of those whose files are `conflicting` that
    they are. `known` are the tables that are there, `now` is aware. Where a rule held for all rows but those that came,
    as `growth` tells, it looks at these alone."""
    contracts = [project.contracts[name] for name in sorted(project.contracts)]
    grown = Growth() if growth is None else growth
    found = {} if conflicting is None else conflicting
    return tuple(
        rule
        for contract in contracts
        for rule in (*_rules(project, contract, known, now, grown), *_versions_rule(contract, found))
    )


def _rules(
    project: Project, contract: Contract, known: Collection[str], now: datetime, growth: Growth
) -> Iterator[Rule]:
    there = frozenset(name for name in project.contracts if f"silver.{name}" in known)
    personal = frozenset(name.lower() for name in personal_of_dataset(project, contract.dataset))
    for reference in contract.references:
        yield reference_rule(project, contract, reference, there, personal, growth)
    if contract.identity:
        yield _uniqueness_rule(contract, there, personal, growth)
    if contract.freshness is not None:
        sources = project.sources_of(contract.dataset)
        must = not sources or any(not source.optional for source in sources)
        yield _freshness_rule(contract, contract.freshness, there, now, must_arrive=must)


def _uniqueness_rule(contract: Contract, there: frozenset[str], personal: frozenset[str], growth: Growth) -> Rule:
    key = ", ".join(contract.identity)
    name, fingerprint = f"uniqueness.{contract.dataset}", fingerprint_of(contract, Kind.UNIQUENESS, key)
    others_hold = growth.holds_for_the_others(name, fingerprint, of={contract.dataset})
    filled = all(contract.column(one).required for one in contract.identity[:2])

    def earlier(connection: duckdb.DuckDBPyConnection) -> str:
        return growth.earlier(connection, contract.dataset, KEYS if filled else None)

    return Rule(
        name=name,
        kind=Kind.UNIQUENESS,
        severity=Severity.ERROR,
        expected="every key names one row",
        fingerprint=fingerprint,
        where=str(contract.path),
        description=f"{key} names one row of {contract.dataset}, over all time",
        run=lambda connection: _doubled(connection, contract, there, personal, earlier if others_hold else None),
    )


def _doubled(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    there: frozenset[str],
    personal: frozenset[str],
    earlier: Callable[[duckdb.DuckDBPyConnection], str] | None,
) -> Outcome:
    """`earlier`: the rows that did not come, where a key that names two of them is out of the question."""
    if contract.dataset not in there:
        return Outcome(Status.PASS, "0", "there are no rows yet")
    key = ", ".join(quote(column) for column in contract.identity)
    twice = f"FROM {silver(contract.dataset)} GROUP BY {key} HAVING count(*) > 1"
    asked = [twice] if earlier is None else _doubled_by_what_came(connection, contract, earlier)
    if not any(connection.execute(f"SELECT 1 {one} LIMIT 1").fetchall() for one in asked):  # to list places is dear
        return Outcome(Status.PASS, "0", "every key names one row")
    places = "list(_file || ':' || _line ORDER BY _file, _line)[1:3]"
    sql = f"SELECT {key}, count(*) AS _rows, {places} AS _places {twice} ORDER BY {key}"
    found = sample(connection, sql, lambda: personal)
    keys = "1 key names" if found.rows == 1 else f"{found.rows:,} keys name"
    return Outcome(Status.FAIL, str(found.rows), f"{keys} more than one row", found.sample)


def _freshness_rule(
    contract: Contract, allowed: timedelta, there: frozenset[str], now: datetime, *, must_arrive: bool
) -> Rule:
    return Rule(
        name=f"freshness.{contract.dataset}",
        kind=Kind.FRESHNESS,
        severity=Severity.WARN,
        expected=f"a row within {spoken_duration(allowed)}",
        fingerprint=fingerprint_of(contract, Kind.FRESHNESS, str(allowed)),
        where=str(contract.path),
        description=f"the newest row of {contract.dataset} arrived within {spoken_duration(allowed)}",
        run=lambda connection: _age(connection, contract, allowed, there, now, must_arrive=must_arrive),
    )


def _age(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    allowed: timedelta,
    there: frozenset[str],
    now: datetime,
    *,
    must_arrive: bool,
) -> Outcome:
    """Counted from arrival, so a backfill of old facts is fresh; a clock that was set back is no reason to warn. Where
    every source is optional, a topic as well, nothing is late before the first row."""
    newest = None
    if contract.dataset in there:
        sql = f"SELECT max(_ingested_at) FROM {silver(contract.dataset)}"
        newest = connection.execute(sql).fetchall()[0][0]
    if newest is None:
        none = "no row has ever arrived"
        return Outcome(Status.FAIL, None, none) if must_arrive else Outcome(Status.PASS, None, f"{none}; none has to")
    age = max(now - newest, timedelta(0))
    status = Status.PASS if age <= allowed else Status.FAIL
    told = spoken_duration(timedelta(seconds=math.ceil(age.total_seconds())))
    return Outcome(status, told, f"the newest row arrived {newest:%Y-%m-%d %H:%M:%S} UTC, {told} ago")


def _versions_rule(contract: Contract, conflicting: Conflicting) -> Iterator[Rule]:
    files = conflicting.get(contract.dataset, ())
    if files:
        message = f"{counted(len(files), 'file')} of a version that another file has with other rows"
        failed = Outcome(Status.FAIL, str(len(files)), message, tuple(files[:SAMPLE_ROWS]))
        yield Rule(
            name=f"versions.{contract.dataset}",
            kind=Kind.VERSIONS,
            severity=Severity.WARN,
            expected="one content for each version of a file",
            fingerprint=fingerprint_of(contract, Kind.VERSIONS, ""),
            where=str(contract.path),
            description="Of two files of one version that with the higher hash of its content holds, whichever came first;"
            " what is corrected needs a version of its own.",
            run=lambda _: failed,
        )


def _doubled_by_what_came(
    connection: duckdb.DuckDBPyConnection, contract: Contract, earlier: Callable[[duckdb.DuckDBPyConnection], str]
) -> Iterator[str]:
    """FROM clauses that have a row where a row that came has the key of another that did, or of one that was there.
    Where nothing is null, an equality bounds what is read."""
    keys, came = ", ".join(map(quote, contract.identity)), came_to(contract.dataset)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {KEYS} AS SELECT DISTINCT {keys} FROM {came}")
    yield f"FROM temp.{KEYS} HAVING count(*) < (SELECT count(*) FROM {came})"
    same = " AND ".join(_same(f"held.{quote(one)}", f"came.{quote(one)}", contract, one) for one in contract.identity)
    yield f"FROM {earlier(connection)} AS held SEMI JOIN temp.{KEYS} AS came ON {same}"


def _same(held: str, came: str, contract: Contract, column: str) -> str:
    return f"{held} = {came}" if contract.column(column).required else f"{held} IS NOT DISTINCT FROM {came}"
