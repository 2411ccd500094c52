"""Whether two sets of tables hold the same rows, whatever their order."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import duckdb


def differences(ours: Path, other: Path, left_out: Collection[str] = ()) -> list[str]:
    """One sentence per difference between the Parquet files of two folders, compared as multisets of rows.

    Values are compared, not types: decimal 1.50 equals decimal 1.5. Columns named in `left_out` are not compared.
    """
    names, others = ({path.stem for path in folder.glob("*.parquet")} for folder in (ours, other))
    found = [f"{name} is in one of them only" for name in sorted(names ^ others)]
    if not names:
        found.append("there is no table")
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for name in sorted(names & others):
            left, right = (str(folder / f"{name}.parquet") for folder in (ours, other))
            found += _of_table(connection, name, left, right, left_out)
    return found


def _of_table(
    connection: duckdb.DuckDBPyConnection, name: str, left: str, right: str, left_out: Collection[str]
) -> list[str]:
    columns, others = ({*connection.read_parquet(file).columns} - {*left_out} for file in (left, right))
    if columns != others:
        return [f"{name} has the columns {sorted(columns ^ others)} in one of them only"]
    shown = ", ".join(f'"{column}"' for column in sorted(columns))
    rows = [f"select {shown} from read_parquet($1)", f"select {shown} from read_parquet($2)"]
    counts = [_count(connection, f"{first} except all {second}", left, right) for first, second in (rows, rows[::-1])]
    return (
        [f"{name} differs: {counts[0]} rows are only in the first, {counts[1]} only in the second"]
        if any(counts)
        else []
    )


def _count(connection: duckdb.DuckDBPyConnection, query: str, left: str, right: str) -> int:
    row = connection.execute(f"select count(*) from ({query})", [left, right]).fetchone()
    return 0 if row is None else int(row[0])
