"""What became of every row of a merged batch, counted from the tables before and after."""

from __future__ import annotations

import duckdb

from penstock.conform.columns import OPENED, ROW_HASH, has_opened
from penstock.conform.counts import Counts
from penstock.conform.horizon import beyond
from penstock.spec.contract import Contract
from penstock.sql.names import quote


def count_fates(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    accepted: str,
    existing: str,
    *,
    insert: str,
    replaced: str,
) -> Counts:
    """Each fate has its own positive condition on the outcome, so a row that got lost has none and the sum shows it.

    accepted: its identity is among the inserted. Of the others: filtered, beyond the horizon of its key as silver has
    it now; duplicate, the same content as silver's row before or after or as an earlier row of the batch;
    superseded, the row of its key in silver now is better.
    """
    keys = ["_tenant", *map(quote, contract.identity)]
    listed = ", ".join(keys)
    order = "CAST(NULL AS INTEGER)" if contract.dedupe.order_by is None else quote(contract.dedupe.order_by)
    opened = OPENED if has_opened(contract) else "CAST(NULL AS INTEGER)"
    facts = f"{listed}, {order} AS o, {ROW_HASH} AS h, {opened} AS opened, _file_id, _line"
    row = connection.execute(
        f"""
        WITH others AS MATERIALIZED (
            SELECT {facts}, row_number() OVER (PARTITION BY {listed}, {ROW_HASH} ORDER BY _file_id, _line) AS copy
            FROM {quote(accepted)} ANTI JOIN {quote(insert)} USING (_file_id, _line)
        ), before AS MATERIALIZED (
            SELECT {facts} FROM {quote(existing)} SEMI JOIN others USING ({listed})
        ), now AS (
            SELECT {facts} FROM {quote(insert)} SEMI JOIN others USING ({listed})
            UNION ALL
            SELECT * FROM before ANTI JOIN {quote(replaced)} USING (_file_id, _line)
        ), judged AS (
            SELECT
                coalesce({beyond(contract, "others.o", "now.opened")}, FALSE) AS is_late,
                others.copy > 1 OR others.h = now.h OR coalesce(others.h = before.h, FALSE) AS is_copy,
                (now.o IS NOT NULL AND others.o IS NULL) OR coalesce(now.o > others.o, FALSE)
                OR (now.o IS NOT DISTINCT FROM others.o AND now.h > others.h) AS is_worse
            FROM others JOIN now USING ({listed}) LEFT JOIN before USING ({listed})
        )
        SELECT
            (SELECT count(*) FROM {quote(accepted)}),
            (SELECT count(*) FROM {quote(accepted)} SEMI JOIN {quote(insert)} USING (_file_id, _line)),
            count(*) FILTER (WHERE is_late),
            count(*) FILTER (WHERE NOT is_late AND is_copy),
            count(*) FILTER (WHERE NOT is_late AND NOT is_copy AND is_worse)
        FROM judged
        """
    ).fetchall()[0]
    return Counts(rows_in=row[0], accepted=row[1], filtered=row[2], duplicate=row[3], superseded=row[4])
