"""Where in the files of a table the rows stand that went from a model since its base."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from penstock.sql.names import quote


def places_of(connection: duckdb.DuckDBPyConnection, gone: str, stored: str, names: Sequence[str]) -> pa.Table | None:
    """`file_path` and `pos` of one row of `stored` for each row of `gone`: SELECTs with columns `names`, `stored` also with
    these two. None where a row is not found.

    The fewest columns that tell the rows apart are compared, so that little of the files is read; where they do not tell
    those of the files apart, all are, and of equal rows the first ones stand for them.
    """
    wanted = _number(connection, f"SELECT count(*) FROM ({gone})")
    telling = _telling_apart(connection, gone, names, wanted)
    for columns in ([telling] if telling else []) + [list(names)]:
        places = connection.sql(_matching(gone, stored, columns, whole=columns == list(names))).to_arrow_table()
        if places.num_rows == wanted and len(set(places["_row"].to_pylist())) == wanted:
            return places.select(["file_path", "pos"])
    return None


def _telling_apart(
    connection: duckdb.DuckDBPyConnection, gone: str, names: Sequence[str], wanted: int
) -> list[str] | None:
    """Columns in which no two of the rows that went are equal, those of most values first; None where there are none."""
    distinct = ", ".join(f"count(DISTINCT {quote(name)})" for name in names)
    (values,) = connection.execute(f"SELECT {distinct} FROM ({gone})").fetchall()
    by_values = sorted(zip(values, names, strict=True), key=lambda one: -one[0])
    chosen: list[str] = []
    for _, name in by_values:
        chosen.append(name)
        listed = ", ".join(map(quote, chosen))
        if _number(connection, f"SELECT count(*) FROM (SELECT DISTINCT {listed} FROM ({gone}))") == wanted:
            return chosen
    return None


def _matching(gone: str, stored: str, columns: Sequence[str], *, whole: bool) -> str:
    """SELECT of places and of the row that stands there. Whole rows may be equal: the n-th that went is the n-th stored."""
    listed = ", ".join(map(quote, columns))
    same = " AND ".join(f"held.{quote(name)} IS NOT DISTINCT FROM gone.{quote(name)}" for name in columns)
    numbered = f"SELECT {listed}, row_number() OVER () AS _row FROM ({gone})"
    held = f"SELECT {listed}, file_path, pos FROM ({stored})"
    if whole:
        numbered = f"SELECT *, row_number() OVER (PARTITION BY {listed} ORDER BY _row) AS _nth FROM ({numbered})"
        alike = f"SELECT held.* FROM ({held}) AS held SEMI JOIN ({gone}) AS gone ON {same}"
        held = f"SELECT *, row_number() OVER (PARTITION BY {listed} ORDER BY file_path, pos) AS _nth FROM ({alike})"
        same += " AND held._nth = gone._nth"
    return f"SELECT file_path, pos, _row FROM ({held}) AS held JOIN ({numbered}) AS gone ON {same}"


def _number(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.execute(query).fetchall()[0][0])
