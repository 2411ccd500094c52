"""One silver row per key: the winner among all versions, whatever the order and the cut in which they arrive.

The window of a key reaches from the lowest `order_by` of all its versions to that plus the horizon. The winner is
the version in the window with the highest `order_by` (null is lowest, and always in the window), ties by the higher
row hash. Silver keeps the lowest `order_by` as `_opened`, so a batch is merged with the stored winner alone, except
when an earlier version draws the window in and leaves the stored winner outside: then an older version may win,
and the key is `reopen`ed from its history.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import duckdb

from penstock.conform.columns import OPENED, ROW_HASH, SYSTEM, has_opened
from penstock.conform.counts import Counts
from penstock.conform.fates import count_fates
from penstock.conform.horizon import beyond
from penstock.spec.contract import Contract
from penstock.sql.names import quote

_NUMBERS = count(1)
_STORED, _ARRIVED, _EARLIER = 0, 1, 2

History = Callable[[str], str]
"""Given a table of keys (`_tenant` and the key columns), the name of a relation with all accepted versions of these
keys that have ever arrived (`Conformed.accepted` over bronze, say), with or without the batch being merged."""


@dataclass(frozen=True)
class Merged:
    """Names of temporary tables and views of the connection.

    insert: silver rows that come (silver's columns). replaced: (`_tenant`, key columns, `_file_id`, `_line`) of
    silver rows that go. reopen: (`_tenant`, key columns) of keys whose winner was found in the history.
    `counts` covers the batch; `replaced_rows` leave silver, and `revived` of the inserted rows are not of the batch
    (older versions that came back, and stored rows whose `_opened` moved).
    """

    insert: str
    replaced: str
    reopen: str
    counts: Counts
    replaced_rows: int
    reopened: int
    revived: int


def merge(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    accepted: str,
    existing: str,
    *,
    history: History | None = None,
) -> Merged:
    """Merge a batch with silver. `existing`: silver rows, at least all with a key of the batch; others are ignored.

    `history` is asked only when keys have to be reopened; it is needed when the contract has a horizon.
    A contract without a key takes every row.
    """
    merging = _Merging(connection, contract, next(_NUMBERS))
    if not contract.identity or merging.without_rivals(accepted, existing):
        return merging.everything(accepted, existing)
    merging.gather(
        merging.candidates(accepted, _ARRIVED),
        merging.candidates(existing, _STORED, f"SEMI JOIN {quote(accepted)} AS k ON {merging.same_key('r', 'k')}"),
    )
    reopened = merging.reopen_keys()
    earlier = None
    if reopened:
        if history is None:
            raise ValueError("a contract with a horizon needs its history")
        earlier = history(merging.reopen)
        merging.add_earlier(earlier)
    return merging.result(accepted, existing, earlier, reopened=reopened)


def recompute(connection: duckdb.DuckDBPyConnection, contract: Contract, versions: str, existing: str) -> Merged:
    """Winners from all versions that remain of some keys, when versions were taken away (a file was replaced).

    `existing`: the silver rows of these keys; a key without a version left only loses its row. The counts stay zero.
    """
    merging = _Merging(connection, contract, next(_NUMBERS))
    stored = f"ANTI JOIN {quote(existing)} AS s ON r._file_id = s._file_id AND r._line = s._line"
    kept = f"SEMI JOIN {quote(existing)} AS s ON r._file_id = s._file_id AND r._line = s._line"
    merging.gather(
        merging.candidates(versions, _EARLIER, stored, anew=True),
        merging.candidates(versions, _STORED, kept, anew=True),
    )
    merging.no_reopen()
    return merging.result(None, existing, versions, reopened=0)


class _Merging:
    """The temporary tables of one merge and the queries between them."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, contract: Contract, number: int) -> None:
        self.connection = connection
        self.contract = contract
        self.insert, self.replaced, self.reopen = (
            f"merge_{part}_{number}" for part in ("insert", "replaced", "reopen")
        )
        self.pool, self.summary, self.winners = (f"merge_{part}_{number}" for part in ("pool", "summary", "winners"))
        self.keys = ("_tenant", *map(quote, contract.identity))
        self.opened = has_opened(contract)
        order = contract.dedupe.order_by
        self.order = "CAST(NULL AS INTEGER)" if order is None else f"r.{quote(order)}"

    def same_key(self, left: str, right: str) -> str:
        return " AND ".join(f"{left}.{key} = {right}.{key}" for key in self.keys)

    def candidates(self, relation: str, origin: int, joined: str = "", *, anew: bool = False) -> str:
        """SELECT of what decides: key, order, hash, identity, where the version is found; `anew`: forget `_opened`."""
        keys = ", ".join(f"r.{key}" for key in self.keys)
        opened = f"r.{OPENED}" if self.opened and not anew else "NULL"
        return (
            f"SELECT {keys}, {self.order} AS __order, r.{ROW_HASH} AS __hash, r._file_id, r._line,"
            f" {origin} AS __origin, {opened} AS __opened FROM {quote(relation)} AS r {joined}"
        )

    def gather(self, *selects: str) -> None:
        self.connection.execute(f"CREATE TEMP TABLE {quote(self.pool)} AS {' UNION ALL '.join(selects)}")
        self.summarise()

    def summarise(self) -> None:
        """Make the table of keys: number of versions, lowest order, and one version (the only one of most keys)."""
        low = "least(min(__order), min(__opened))" if self.opened else "CAST(NULL AS INTEGER)"
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {quote(self.summary)} AS SELECT {', '.join(self.keys)}, count(*) AS __versions,"
            f" {low} AS __low, any_value(_file_id) AS _file_id, any_value(_line) AS _line,"
            f" any_value(__origin) AS __origin FROM {quote(self.pool)} GROUP BY {', '.join(self.keys)}"
        )

    def rivals(self) -> str:
        """The versions of keys that have several, each with whether it is inside its key's window."""
        inside = f"NOT coalesce({beyond(self.contract, 'p.__order', 's.__low')}, FALSE)"
        return (
            f"(SELECT p.*, s.__low, {inside} AS __inside FROM {quote(self.pool)} AS p JOIN {quote(self.summary)} AS s"
            f" ON {self.same_key('p', 's')} WHERE s.__versions > 1)"
        )

    def reopen_keys(self) -> int:
        """Make the table of keys whose stored winner is outside its window now; their number."""
        keys = ", ".join(self.keys)
        where = f"__origin = {_STORED} AND NOT __inside" if self.opened else "FALSE"
        self.connection.execute(
            f"CREATE TEMP TABLE {quote(self.reopen)} AS SELECT DISTINCT {keys} FROM {self.rivals()} WHERE {where}"
        )
        return self.number_of(self.reopen)

    def no_reopen(self) -> None:
        keys = ", ".join(self.keys)
        self.connection.execute(
            f"CREATE TEMP TABLE {quote(self.reopen)} AS SELECT {keys} FROM {quote(self.pool)} WHERE FALSE"
        )

    def add_earlier(self, earlier: str) -> None:
        """Add the versions of reopened keys that neither silver nor the batch holds."""
        joins = (
            f"SEMI JOIN {quote(self.reopen)} AS k ON {self.same_key('r', 'k')}"
            f" ANTI JOIN {quote(self.pool)} AS p ON r._file_id = p._file_id AND r._line = p._line"
        )
        self.connection.execute(f"INSERT INTO {quote(self.pool)} {self.candidates(earlier, _EARLIER, joins)}")
        self.summarise()

    def result(self, arrived: str | None, existing: str, earlier: str | None, *, reopened: int) -> Merged:
        """Choose the winners and make the tables of what comes and what goes."""
        chosen = "_file_id, _line, __origin, __low"
        self.connection.execute(
            f"CREATE TEMP TABLE {quote(self.winners)} AS"
            f" SELECT {chosen} FROM {quote(self.summary)} WHERE __versions = 1 UNION ALL"
            f" SELECT {chosen} FROM {self.rivals()} WHERE __inside QUALIFY row_number() OVER ("
            f"PARTITION BY {', '.join(self.keys)}"
            " ORDER BY __order DESC NULLS LAST, __hash DESC, __origin, _file_id, _line) = 1"
        )
        self.connection.execute(f"CREATE TEMP TABLE {quote(self.insert)} AS {self.coming(arrived, existing, earlier)}")
        going = self.going(existing, in_play=arrived is not None)
        self.connection.execute(f"CREATE TEMP TABLE {quote(self.replaced)} AS {going}")
        counts = Counts()
        if arrived is not None:
            counts = count_fates(
                self.connection, self.contract, arrived, existing, insert=self.insert, replaced=self.replaced
            )
        merged = self.merged(counts, reopened)
        for table in (self.pool, self.summary, self.winners):
            self.connection.execute(f"DROP TABLE {quote(table)}")
        return merged

    def coming(self, arrived: str | None, existing: str, earlier: str | None) -> str:
        """Winners that silver does not hold, and stored ones whose `_opened` moves."""
        origins = [(_ARRIVED, arrived, "TRUE"), (_EARLIER, earlier, "TRUE")]
        if self.opened:
            origins.append((_STORED, existing, f"r.{OPENED} IS DISTINCT FROM w.__low"))
        columns = [f"r.{quote(column.name)}" for column in self.contract.columns]
        columns += [f"r.{name}" for name in (*SYSTEM, ROW_HASH)]
        columns += [f"w.__low AS {OPENED}"] if self.opened else []
        selects = [
            f"SELECT {', '.join(columns)} FROM {quote(relation)} AS r JOIN {quote(self.winners)} AS w"
            f" ON r._file_id = w._file_id AND r._line = w._line WHERE w.__origin = {origin} AND {condition}"
            for origin, relation, condition in origins
            if relation is not None
        ]
        return " UNION ALL ".join(selects)

    def going(self, existing: str, *, in_play: bool) -> str:
        """Stored rows that are not the winner of their key, or are written anew; `in_play`: of keys in the pool."""
        keys = ", ".join(f"r.{key}" for key in self.keys)
        moved = f" OR r.{OPENED} IS DISTINCT FROM w.__low" if self.opened else ""
        pool = f"SEMI JOIN {quote(self.pool)} AS p ON {self.same_key('r', 'p')}" if in_play else ""
        return (
            f"SELECT {keys}, r._file_id, r._line FROM {quote(existing)} AS r LEFT JOIN {quote(self.winners)} AS w"
            f" ON r._file_id = w._file_id AND r._line = w._line {pool} WHERE (w._line IS NULL{moved})"
        )

    def without_rivals(self, accepted: str, existing: str) -> bool:
        """Whether each key of the batch has one version, and silver has none: so most batches are."""
        stored = f"SELECT 1 FROM {quote(existing)} AS r SEMI JOIN {quote(accepted)} AS k ON {self.same_key('r', 'k')}"
        several = f"SELECT 1 FROM {quote(accepted)} GROUP BY {', '.join(self.keys)} HAVING count(*) > 1"
        return not any(self.connection.execute(f"{rows} LIMIT 1").fetchall() for rows in (stored, several))

    def everything(self, accepted: str, existing: str) -> Merged:
        """Without rivals, and without a key, nothing is dropped and nothing replaced: what comes is the batch."""
        self.connection.execute(f"CREATE TEMP VIEW {quote(self.insert)} AS SELECT * FROM {quote(accepted)}")
        empty = f"SELECT {', '.join(self.keys)}, _file_id, _line FROM {quote(existing)} WHERE FALSE"
        self.connection.execute(f"CREATE TEMP TABLE {quote(self.replaced)} AS {empty}")
        self.connection.execute(f"CREATE TEMP TABLE {quote(self.reopen)} AS {empty}")
        rows = self.number_of(self.insert)
        return Merged(self.insert, self.replaced, self.reopen, Counts(rows_in=rows, accepted=rows), 0, 0, 0)

    def merged(self, counts: Counts, reopened: int) -> Merged:
        return Merged(
            insert=self.insert,
            replaced=self.replaced,
            reopen=self.reopen,
            counts=counts,
            replaced_rows=self.number_of(self.replaced),
            reopened=reopened,
            revived=self.number_of(self.insert) - counts.accepted,
        )

    def number_of(self, table: str) -> int:
        return int(self.connection.execute(f"SELECT count(*) FROM {quote(table)}").fetchall()[0][0])
