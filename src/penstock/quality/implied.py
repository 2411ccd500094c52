"""The checks that the contracts imply: references, uniqueness of keys, freshness."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TypeAlias

import duckdb

from penstock.errors import counted
from penstock.quality.growth import CAME, Growth
from penstock.quality.query import sample
from penstock.quality.result import SAMPLE_ROWS, Kind, Places, Status
from penstock.quality.rule import Outcome, Rule
from penstock.spec.contract import Contract, Reference
from penstock.spec.duration import spoken_duration
from penstock.spec.project import Project, Severity
from penstock.sql.names import literal, quote
from penstock.sql.personal import personal_of_dataset

Conflicting: TypeAlias = "Mapping[str, Sequence[Mapping[str, str]]]"
"""By dataset: files of one version with different content, each two as a row."""
_FOUND = "rows_that_wait"
_REMEMBERED = 500  # rows that wait, at most


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
        yield _reference_rule(contract, reference, there, personal, growth)
    if contract.identity:
        yield _uniqueness_rule(contract, there, personal, growth)
    if contract.freshness is not None:
        sources = project.sources_of(contract.dataset)
        must = not sources or any(not source.optional for source in sources)
        yield _freshness_rule(contract, contract.freshness, there, now, must_arrive=must)


def _reference_rule(
    contract: Contract, reference: Reference, there: frozenset[str], personal: frozenset[str], growth: Growth
) -> Rule:
    columns, target = ", ".join(reference.columns), f"{reference.dataset} ({', '.join(reference.to)})"
    name = f"references.{contract.dataset}.{'_'.join(reference.columns)}"
    fingerprint = _fingerprint(contract, Kind.REFERENCES, columns)
    waited = growth.waited(name, fingerprint, of={contract.dataset}, needs={reference.dataset})
    known = there | {_came(one) for one in growth.came}
    return Rule(
        name=name,
        kind=Kind.REFERENCES,
        severity=Severity.WARN,
        expected="no row waits for its reference",
        fingerprint=fingerprint,
        where=str(contract.path),
        description=f"{columns} of {contract.dataset} names a row of {target}",
        run=lambda connection: _waiting(connection, contract, reference, known, personal, waited),
    )


def _waiting(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    reference: Reference,
    known: frozenset[str],
    personal: frozenset[str],
    waited: Places | None,
) -> Outcome:
    """Rows whose reference has not arrived: pending for as long as it takes, never wrong. A null refers to nothing."""
    if contract.dataset not in known:
        return Outcome(Status.PASS, "0", "there are no rows yet")
    targets = [_silver(reference.dataset)] if reference.dataset in known else []
    if waited is not None and targets and _came(reference.dataset) in known:
        targets.insert(0, _came(reference.dataset))  # most rows refer to others of the same day: then no more is read
    rows = _silver(contract.dataset) if waited is None else _asked_again(contract.dataset, waited)
    shown = [*reference.columns, "_file", "_line", "_ingested_at"]
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {_FOUND} AS {_waiting_sql(reference, targets, rows, shown)}")
    listed = f"SELECT {', '.join(map(quote, shown))} FROM temp.{_FOUND} ORDER BY _ingested_at, _file, _line"
    found = sample(connection, listed, personal)
    if found.rows == 0:
        return Outcome(Status.PASS, "0", "every reference has arrived")
    oldest = found.sample[0]["_ingested_at"]
    message = f"{_rows(found.rows)} for a row of {reference.dataset} that has not arrived; the oldest since {oldest}"
    return Outcome(Status.PENDING, str(found.rows), message, found.sample, _places(connection, found.rows))


def _waiting_sql(reference: Reference, targets: Sequence[str], rows: str, shown: Sequence[str]) -> str:
    """An anti join builds its table of the few rows that came; `NOT EXISTS` would of all rows that are referred to."""
    listed = ", ".join(f"waiting.{quote(name)}" for name in (*shown, "_file_id"))
    given = " AND ".join(f"waiting.{quote(column)} IS NOT NULL" for column in reference.columns)
    pairs = list(zip(reference.columns, reference.to, strict=True))
    others = ""
    for number, target in enumerate(targets):
        same = " AND ".join(f"target_{number}.{quote(to)} = waiting.{quote(column)}" for column, to in pairs)
        others += f" ANTI JOIN {target} AS target_{number} ON {same}"
    return f"SELECT {listed} FROM {rows} AS waiting{others} WHERE {given}"


def _asked_again(dataset: str, waited: Places) -> str:
    """The rows that came, and those that waited. One whose file was written anew is among the rows that came."""
    if not waited:
        return _came(dataset)
    places = ", ".join(f"({literal(file)}, {int(line)})" for file, lines in waited.items() for line in lines)
    on = " AND ".join(f"held.{name} = {{}}.{name}" for name in ("_file_id", "_line"))
    return (
        f"(SELECT held.* FROM {_silver(dataset)} AS held SEMI JOIN (VALUES {places}) AS place(_file_id, _line)"
        f" ON {on.format('place', 'place')} ANTI JOIN {_came(dataset)} AS came ON {on.format('came', 'came')}"
        f" UNION ALL BY NAME FROM {_came(dataset)})"
    )


def _places(connection: duckdb.DuckDBPyConnection, rows: int) -> Places | None:
    """Where the rows stand that were found to wait; None where a release need not remember so many."""
    if rows > _REMEMBERED:
        return None
    sql = f"SELECT _file_id, list(_line ORDER BY _line) FROM temp.{_FOUND} GROUP BY _file_id ORDER BY _file_id"
    return dict(connection.execute(sql).fetchall())


def _uniqueness_rule(contract: Contract, there: frozenset[str], personal: frozenset[str], growth: Growth) -> Rule:
    key = ", ".join(contract.identity)
    name, fingerprint = f"uniqueness.{contract.dataset}", _fingerprint(contract, Kind.UNIQUENESS, key)
    others_hold = growth.holds_for_the_others(name, fingerprint, of={contract.dataset})
    return Rule(
        name=name,
        kind=Kind.UNIQUENESS,
        severity=Severity.ERROR,
        expected="every key names one row",
        fingerprint=fingerprint,
        where=str(contract.path),
        description=f"{key} names one row of {contract.dataset}, over all time",
        run=lambda connection: _doubled(connection, contract, there, personal, others_hold),
    )


def _doubled(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    there: frozenset[str],
    personal: frozenset[str],
    others_hold: bool,
) -> Outcome:
    if contract.dataset not in there:
        return Outcome(Status.PASS, "0", "there are no rows yet")
    key = ", ".join(quote(column) for column in contract.identity)
    twice = f"FROM {_silver(contract.dataset)} GROUP BY {key} HAVING count(*) > 1"
    asked = f"FROM {_of_keys_that_came(contract)} GROUP BY {key} HAVING count(*) > 1" if others_hold else twice
    if not connection.execute(f"SELECT 1 {asked} LIMIT 1").fetchall():  # to list the places of every key is dear
        return Outcome(Status.PASS, "0", "every key names one row")
    places = "list(_file || ':' || _line ORDER BY _file, _line)[1:3]"
    sql = f"SELECT {key}, count(*) AS _rows, {places} AS _places {twice} ORDER BY {key}"
    found = sample(connection, sql, personal)
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
        fingerprint=_fingerprint(contract, Kind.FRESHNESS, str(allowed)),
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
        sql = f"SELECT max(_ingested_at) FROM {_silver(contract.dataset)}"
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
            fingerprint=_fingerprint(contract, Kind.VERSIONS, ""),
            where=str(contract.path),
            description="Of two files of one version that with the higher hash of its content holds, whichever came first;"
            " what is corrected needs a version of its own.",
            run=lambda _: failed,
        )


def _silver(dataset: str) -> str:
    return f"silver.{quote(dataset)}"


def _came(dataset: str) -> str:
    return f"{CAME}.{quote(dataset)}"


def _of_keys_that_came(contract: Contract) -> str:
    """All rows that share the key of one that came. Where nothing is null, an equality bounds what is read."""
    same = " AND ".join(_same(f"held.{quote(one)}", f"came.{quote(one)}", contract, one) for one in contract.identity)
    rows, came = _silver(contract.dataset), _came(contract.dataset)
    return f"(SELECT held.* FROM {rows} AS held SEMI JOIN {came} AS came ON {same})"


def _same(held: str, came: str, contract: Contract, column: str) -> str:
    return f"{held} = {came}" if contract.column(column).required else f"{held} IS NOT DISTINCT FROM {came}"


def _rows(count: int) -> str:
    return "1 row waits" if count == 1 else f"{count:,} rows wait"


def _fingerprint(contract: Contract, kind: Kind, detail: str) -> str:
    return sha256("\x00".join((contract.fingerprint, kind.value, detail)).encode()).hexdigest()
