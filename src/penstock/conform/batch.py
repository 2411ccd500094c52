"""Checking a batch: one relation in, accepted and rejected rows out, each with its count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count

import duckdb

from penstock.conform.columns import pseudonym_domains
from penstock.conform.compile import Pseudonyms, compile_plan, has_value
from penstock.conform.counts import Counts
from penstock.conform.plan import FILTERED, REJECTED, Plan
from penstock.errors import DeclarationError, PenstockError, SourceError, StorageError
from penstock.spec.contract import Contract, Evolution
from penstock.spec.source import Reading
from penstock.sql.names import quote

_NUMBERS = count(1)


@dataclass(frozen=True)
class Conformed:
    """Names of temporary relations of the connection; `drop` them when they have been written.

    accepted: silver's columns (with a key, `_row_hash`; with a horizon, `_opened`). rejected: quarantine's columns.
    discarded: for `discard_value`, the number of values dropped by column.
    """

    accepted: str
    rejected: str
    counts: Counts
    discarded: Mapping[str, int]
    unknown: tuple[str, ...]

    @property
    def every(self) -> str:
        """The table of all rows, refused and filtered ones too, with null for what could not be read."""
        return _typed_name(self.accepted)

    @property
    def filtered(self) -> int:
        return self.counts.filtered

    def drop(self, connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute(f"DROP VIEW IF EXISTS {quote(self.accepted)}")
        connection.execute(f"DROP TABLE IF EXISTS {quote(_typed_name(self.accepted))}")
        connection.execute(f"DROP TABLE IF EXISTS {quote(self.rejected)}")


class Conformer:
    """Holds rows to a contract. Stateless between calls; plans are kept by the columns they were compiled for.

    `domains` names the pseudonymous columns (`columns.pseudonym_domains`); by default the contract's personal keys.
    """

    def __init__(
        self,
        contract: Contract,
        reading: Reading,
        *,
        tenant: str,
        pseudonym_key: bytes,
        domains: Mapping[str, str] | None = None,
    ) -> None:
        self.contract = contract
        self.reading = reading
        self.tenant = tenant
        self._pseudonyms = Pseudonyms(pseudonym_key, pseudonym_domains(contract) if domains is None else domains)
        self._plans: dict[tuple[str, ...], Plan] = {}

    def plan(self, available: tuple[str, ...]) -> Plan:
        """The compiled queries for relations with these columns."""
        if available not in self._plans:
            self._plans[available] = compile_plan(
                self.contract, self.reading, available, tenant=self.tenant, pseudonyms=self._pseudonyms
            )
        return self._plans[available]

    def check(self, connection: duckdb.DuckDBPyConnection, relation: str) -> Conformed:
        """Check every row of a table or view: source columns as text and the system columns, (`_file_id`, `_line`)
        unique. Two passes at most, the second over the rejected rows only.

        SourceError when the contract is frozen and a column it does not name has a value.
        """
        plan = self.plan(_columns(connection, relation))
        number = next(_NUMBERS)
        accepted, rejected = f"conform_accepted_{number}", f"conform_rejected_{number}"
        typed = _typed_name(accepted)
        try:
            discarded = self._drift(connection, relation, plan)
            names = ", ".join(map(quote, plan.columns))
            connection.execute(f"CREATE TEMP TABLE {quote(typed)} AS {plan.typed(relation)}")
            connection.execute(
                f"CREATE TEMP VIEW {quote(accepted)} AS SELECT {names} FROM {quote(typed)}"
                f" WHERE NOT {REJECTED} AND NOT {FILTERED}"
            )
            refusing = connection.execute(f"SELECT count(*) FROM {quote(typed)} WHERE {REJECTED}").fetchall()[0][0]
            refused = plan.rejected(relation, typed) if refusing else plan.none_rejected(typed)
            connection.execute(f"CREATE TEMP TABLE {quote(rejected)} AS {refused}")
            counts = _counts(connection, plan, relation, accepted, rejected)
        except duckdb.Error as error:
            raise _explained(error, self.contract) from None
        return Conformed(accepted, rejected, counts, discarded, plan.resolution.unknown)

    def _drift(self, connection: duckdb.DuckDBPyConnection, relation: str, plan: Plan) -> dict[str, int]:
        """How many values columns unknown to the contract have, where its evolution mode asks."""
        unknown = plan.resolution.unknown
        if self.contract.evolution not in (Evolution.FREEZE, Evolution.DISCARD_VALUE) or not unknown:
            return {}
        sums = ", ".join(f"count(*) FILTER (WHERE {has_value(name, self.reading)})" for name in unknown)
        row = connection.execute(f"SELECT {sums} FROM {quote(relation)}").fetchall()[0]
        values = {name: found for name, found in zip(unknown, row, strict=True) if found}
        if values and self.contract.evolution is Evolution.FREEZE:
            raise SourceError(
                f"Rows for {self.contract.dataset} have columns that its contract does not name",
                where=str(self.contract.path),
                expected="the contract's columns alone, for its evolution is `freeze`",
                found=", ".join(values),
                remedy="Add the columns to the contract, or declare another evolution.",
            )
        return values


def _counts(connection: duckdb.DuckDBPyConnection, plan: Plan, relation: str, accepted: str, rejected: str) -> Counts:
    """Counted from what went in and what came out, not from what was decided."""
    row = connection.execute(
        f"SELECT (SELECT count(*) FROM {quote(relation)}), (SELECT count(*) FROM {quote(accepted)}),"
        f" (SELECT count(*) FROM {quote(rejected)}), ({plan.discarded_rows(relation)})"
    ).fetchall()[0]
    return Counts(rows_in=row[0], accepted=row[1], quarantined=row[2], filtered=row[3])


def _columns(connection: duckdb.DuckDBPyConnection, relation: str) -> tuple[str, ...]:
    return tuple(column[0] for column in connection.execute(f"SELECT * FROM {quote(relation)} LIMIT 0").description)


def _typed_name(accepted: str) -> str:
    return accepted.replace("accepted", "typed")


def _explained(error: duckdb.Error, contract: Contract) -> PenstockError:
    """A failure as an error of ours, without its SQL (which may hold the pseudonym key)."""
    reason = str(error).splitlines()[0]
    if isinstance(error, duckdb.OutOfMemoryException | duckdb.IOException):
        return StorageError(f"Checking {contract.dataset} failed", found=reason)
    return DeclarationError(
        f"The contract of {contract.dataset} cannot be applied",
        where=str(contract.path),
        found=reason,
        remedy="Check its patterns (RE2), formats and rules.",
    )
