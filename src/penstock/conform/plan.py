"""The queries that check a batch: frozen SQL over any relation with the columns it was compiled for."""

from __future__ import annotations

from dataclasses import dataclass, field

from penstock.conform.codes import Code
from penstock.conform.columns import SYSTEM, Resolution
from penstock.sql.names import literal, quote

REJECTED = "_rejected"
FILTERED = "_filtered"


@dataclass(frozen=True)
class Violation:
    """One rule as it stands in a rejected row; `condition` is true where it is violated, `found` is SQL or NULL."""

    code: Code
    column: str
    expected: str
    condition: str
    found: str

    @property
    def reason(self) -> str:
        facts = f"'code': {literal(self.code.value)}, 'column': {literal(self.column)}"
        return f"{{{facts}, 'expected': {literal(self.expected)}, 'found': {self.found}}}"


@dataclass(frozen=True)
class Plan:
    """The two queries of a batch, made of layers that compute each expression once.

    `columns` are silver's: the contract's, the system's, then the row hash and `_opened` where the contract has them.
    """

    columns: tuple[str, ...]
    resolution: Resolution
    texts: tuple[str, ...]
    layers: tuple[tuple[str, ...], ...] = field(repr=False)  # may hold the pseudonym key
    silver: tuple[str, ...]
    violated: str
    discarded: str
    violations: tuple[Violation, ...]
    row: str
    fingerprint: str

    def typed(self, relation: str) -> str:
        """SELECT of every row of `relation`: silver's columns, then whether it is rejected and whether filtered."""
        return self.typed_rows(quote(relation))

    def typed_rows(self, rows: str) -> str:
        """The same for `rows`, which is SQL after FROM."""
        flags = f"({self.violated}) AND NOT __discarded AS {REJECTED}, __discarded AS {FILTERED}"
        return f"SELECT {', '.join(self.silver)}, {flags} FROM {self._layered(rows)}"

    def rejected(self, relation: str, typed: str) -> str:
        """SELECT of quarantine's columns for the rows of `relation` that are rejected in `typed`."""
        bad = f"(SELECT _file_id, _line FROM {quote(typed)} WHERE {REJECTED})"
        return self.refused(f"(SELECT r.* FROM {quote(relation)} AS r SEMI JOIN {bad} AS b USING (_file_id, _line))")

    def none_rejected(self, typed: str) -> str:
        """SELECT of the same columns without a row: of most batches, where spelling out every reason takes longer than
        the check."""
        return (
            f"SELECT {', '.join(SYSTEM)}, '' AS stage, CAST([] AS VARCHAR[]) AS codes, '' AS reasons,"
            f" CAST(NULL AS BLOB) AS raw, '' AS row, '' AS status, '' AS contract FROM {quote(typed)} WHERE FALSE"
        )

    def refused(self, rows: str) -> str:
        """SELECT of quarantine's columns for all of `rows`, which is SQL after FROM."""
        reasons = ", ".join(
            f"CASE WHEN {violation.condition} THEN {violation.reason} END" for violation in self.violations
        )
        listed = f"list_filter([{reasons}], lambda __r: __r IS NOT NULL)" if reasons else "[]"
        return (
            f"SELECT {', '.join(SYSTEM)}, 'conform' AS stage,"
            f" list_transform(__reasons, lambda __r: __r.code) AS codes,"
            f" CAST(to_json(__reasons) AS VARCHAR) AS reasons, CAST(NULL AS BLOB) AS raw, __row AS row,"
            f" 'open' AS status, {literal(self.fingerprint)} AS contract"
            f" FROM (SELECT *, {listed} AS __reasons FROM {self._layered(rows, self.row + ' AS __row')})"
        )

    def discarded_rows(self, relation: str) -> str:
        """SELECT of the number of rows of `relation` that drift filters, from the relation alone."""
        return f"SELECT count(*) FROM {quote(relation)} WHERE {self.discarded}"

    def _layered(self, rows: str, *more: str) -> str:
        """The text of every column, then layer by layer what is made of it."""
        first = ", ".join((*SYSTEM, f"{self.discarded} AS __discarded", *self.texts, *more))
        rows = f"(SELECT {first} FROM {rows})"
        for layer in self.layers:
            rows = f"(SELECT *, {', '.join(layer)} FROM {rows})"
        return rows
