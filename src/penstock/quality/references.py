"""References of rows: most that came refer to others of the same day, and a row whose reference has not arrived waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import duckdb

from penstock.quality.growth import KEYS, Growth, came_to, silver
from penstock.quality.query import sample
from penstock.quality.result import Kind, Places, Status
from penstock.quality.rule import Outcome, Rule, fingerprint_of
from penstock.spec.contract import Contract, Reference
from penstock.spec.project import Project, Severity
from penstock.sql.names import literal, quote

_FOUND = "rows_that_wait"
_REMEMBERED = 500  # rows that wait, at most


def reference_rule(
    project: Project,
    contract: Contract,
    reference: Reference,
    there: frozenset[str],
    personal: frozenset[str],
    growth: Growth,
) -> Rule:
    columns, target = ", ".join(reference.columns), f"{reference.dataset} ({', '.join(reference.to)})"
    name = f"references.{contract.dataset}.{'_'.join(reference.columns)}"
    fingerprint = fingerprint_of(contract, Kind.REFERENCES, columns)
    waited = growth.waited(name, fingerprint, of={contract.dataset}, needs={reference.dataset})
    to = project.contracts.get(reference.dataset)
    by_key = to is not None and {*to.identity[:2]} <= {*reference.to}

    def earlier(connection: duckdb.DuckDBPyConnection) -> str:
        return growth.earlier(connection, reference.dataset, KEYS if by_key else None)

    known = there | {came_to(one) for one in growth.came}
    return Rule(
        name=name,
        kind=Kind.REFERENCES,
        severity=Severity.WARN,
        expected="no row waits for its reference",
        fingerprint=fingerprint,
        where=str(contract.path),
        description=f"{columns} of {contract.dataset} names a row of {target}",
        run=lambda connection: _waiting(connection, contract, reference, known, personal, waited, earlier),
    )


def _waiting(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    reference: Reference,
    known: frozenset[str],
    personal: frozenset[str],
    waited: Places | None,
    earlier: Callable[[duckdb.DuckDBPyConnection], str],
) -> Outcome:
    """Rows whose reference has not arrived: pending for as long as it takes, never wrong. A null refers to nothing."""
    if contract.dataset not in known:
        return Outcome(Status.PASS, "0", "there are no rows yet")
    shown = [*reference.columns, "_file", "_line", "_ingested_at"]
    if not _found_waiting(connection, contract, reference, known, waited, earlier, shown):
        return Outcome(Status.PASS, "0", "every reference has arrived")
    listed = f"SELECT {', '.join(map(quote, shown))} FROM temp.{_FOUND} ORDER BY _ingested_at, _file, _line"
    found = sample(connection, listed, lambda: personal)
    oldest = found.sample[0]["_ingested_at"]
    message = f"{_rows(found.rows)} for a row of {reference.dataset} that has not arrived; the oldest since {oldest}"
    return Outcome(Status.PENDING, str(found.rows), message, found.sample, _places(connection, found.rows))


def _found_waiting(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    reference: Reference,
    known: frozenset[str],
    waited: Places | None,
    earlier: Callable[[duckdb.DuckDBPyConnection], str],
    shown: Sequence[str],
) -> bool:
    """Keep the rows that wait, and tell whether there are any. Most that came refer to others of the same day; for the
    others files are read that may hold what they refer to."""
    to_is_known = reference.dataset in known
    if waited is None:
        everything = [silver(reference.dataset)] if to_is_known else []
        return _find(connection, reference, silver(contract.dataset), everything, shown)
    came = [came_to(reference.dataset)] if came_to(reference.dataset) in known else []
    some = _find(connection, reference, _asked_again(contract.dataset, waited), came, shown)
    if not (some and to_is_known):
        return some
    pairs = zip(reference.columns, reference.to, strict=True)
    keys = ", ".join(f"{quote(column)} AS {quote(to)}" for column, to in pairs)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {KEYS} AS SELECT DISTINCT {keys} FROM temp.{_FOUND}")
    return _find(connection, reference, f"temp.{_FOUND}", [earlier(connection)], shown)


def _find(
    connection: duckdb.DuckDBPyConnection, reference: Reference, rows: str, targets: Sequence[str], shown: Sequence[str]
) -> bool:
    """Keep those of the rows that refer to none in `targets`, and tell whether there are any."""
    sql = _waiting_sql(reference, targets, rows, shown)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {_FOUND} AS {sql}")
    return bool(connection.execute(f"SELECT 1 FROM temp.{_FOUND} LIMIT 1").fetchall())


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
        return came_to(dataset)
    places = ", ".join(f"({literal(file)}, {int(line)})" for file, lines in waited.items() for line in lines)
    on = " AND ".join(f"held.{name} = {{}}.{name}" for name in ("_file_id", "_line"))
    return (
        f"(SELECT held.* FROM {silver(dataset)} AS held SEMI JOIN (VALUES {places}) AS place(_file_id, _line)"
        f" ON {on.format('place', 'place')} ANTI JOIN {came_to(dataset)} AS came ON {on.format('came', 'came')}"
        f" UNION ALL BY NAME FROM {came_to(dataset)})"
    )


def _places(connection: duckdb.DuckDBPyConnection, rows: int) -> Places | None:
    """Where the rows stand that were found to wait; None where a release need not remember so many."""
    if rows > _REMEMBERED:
        return None
    sql = f"SELECT _file_id, list(_line ORDER BY _line) FROM temp.{_FOUND} GROUP BY _file_id ORDER BY _file_id"
    return dict(connection.execute(sql).fetchall())


def _rows(count: int) -> str:
    return "1 row waits" if count == 1 else f"{count:,} rows wait"
