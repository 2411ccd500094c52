"""Where in the files of a table the rows stand that went from a model since its base."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from penstock.sql.names import quote

_MORE = 2  # columns, where the fewest do not do
_LOOKED_AT = 2_048  # rows that tell which columns have most values


def places_of(
    connection: duckdb.DuckDBPyConnection,
    gone: str,
    stored: str,
    names: Sequence[str],
    place: tuple[str, str],
) -> pa.Table | None:
    """`file_path` and `pos` of one row of `stored` for each row of `gone`: SELECTs with columns `names`, `stored` also with
    these two, under the names `place`. None where a row is not found.

    The fewest columns that tell the rows apart are compared, so that little of the files is read; where they do not tell
    those of the files apart, a few more, and then all, and of equal rows the first ones stand for them.
    """
    wanted = _number(connection, f"SELECT count(*) FROM ({gone})")
    by_values = _by_values(connection, gone, names)
    telling = _telling_apart(connection, gone, by_values, wanted)
    narrow = [] if telling == 0 else [by_values[:telling], by_values[: telling + _MORE]]
    for columns in [*narrow, list(names)]:
        query = _matching(gone, stored, columns, place, whole=len(columns) == len(names))
        places = connection.sql(query).to_arrow_table()
        if places.num_rows == wanted and len(set(places["_row"].to_pylist())) == wanted:
            return places.select(["file_path", "pos"])
    return None


def _by_values(connection: duckdb.DuckDBPyConnection, gone: str, names: Sequence[str]) -> list[str]:
    """The columns, those of most values first, as some of the rows have them."""
    distinct = ", ".join(f"count(DISTINCT {quote(name)})" for name in names)
    (values,) = connection.execute(f"SELECT {distinct} FROM (FROM ({gone}) LIMIT {_LOOKED_AT})").fetchall()
    return [name for _, name in sorted(zip(values, names, strict=True), key=lambda one: -one[0])]


def _telling_apart(connection: duckdb.DuckDBPyConnection, gone: str, names: Sequence[str], wanted: int) -> int:
    """In how many of the columns no two of the rows that went are equal; 0 where there are rows that are."""
    for count in range(1, len(names) + 1):
        listed = ", ".join(map(quote, names[:count]))
        if _number(connection, f"SELECT count(*) FROM (SELECT DISTINCT {listed} FROM ({gone}))") == wanted:
            return count
    return 0


def _matching(gone: str, stored: str, columns: Sequence[str], place: tuple[str, str], *, whole: bool) -> str:
    """SELECT of places and of the row that stands there. Whole rows may be equal: the n-th that went is the n-th stored.
    Columns are numbered, so that none has a name that means something here."""
    numbers = [f"c{number}" for number in range(len(columns))]
    listed = ", ".join(numbers)
    shown = ", ".join(f"{quote(name)} AS {number}" for name, number in zip(columns, numbers, strict=True))
    same = " AND ".join(f"held.{number} IS NOT DISTINCT FROM gone.{number}" for number in numbers)
    gone = f"SELECT {shown}, row_number() OVER () AS _row FROM ({gone})"
    held = f"SELECT {shown}, {quote(place[0])} AS file_path, {quote(place[1])} AS pos FROM ({stored})"
    if whole:
        alike = f"SELECT held.* FROM ({held}) AS held SEMI JOIN ({gone}) AS gone ON {same}"
        gone = f"SELECT *, row_number() OVER (PARTITION BY {listed} ORDER BY _row) AS _nth FROM ({gone})"
        held = f"SELECT *, row_number() OVER (PARTITION BY {listed} ORDER BY file_path, pos) AS _nth FROM ({alike})"
        same += " AND held._nth = gone._nth"
    return f"SELECT file_path, pos, _row FROM ({held}) AS held JOIN ({gone}) AS gone ON {same}"


def _number(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.execute(query).fetchall()[0][0])
