"""Rows that leave silver: of which files they are named, and which files are written anew without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from penstock.lake.table import DataFile, FieldColumn
from penstock.sql.scan import named_places, read_scan

LEAVING = "_file_id, _line, _path, _pos"  # columns of such rows: identity, data file, and number in it
SMALL = 10_000  # rows of a file that is written anew as fast as rows of it are named
_NAMED = 4  # no more than one row in so many of a file is named: who reads it passes over these


@dataclass(frozen=True)
class Losing:
    """Data files that lose rows: `thinned` stay, and what leaves them is named; others are written `anew`."""

    thinned: tuple[DataFile, ...] = ()
    anew: tuple[DataFile, ...] = ()


def placed(files: Sequence[DataFile], columns: Sequence[FieldColumn]) -> str:
    """SELECT of rows with their data file and their number in it."""
    return read_scan(files, columns, origin="_path", place="_pos")


def losing(connection: duckdb.DuckDBPyConnection, files: Sequence[DataFile], leaving: str) -> Losing:
    """The files of which rows are in the table `leaving`. Large ones that lose few stay."""
    counted = connection.execute(f"SELECT _path, count(*) FROM {leaving} GROUP BY _path").fetchall()
    loses = dict(counted)
    found = [file for file in files if file.path in loses]
    large = [file for file in found if file.rows >= SMALL]
    named = _named(connection, large)
    stay = {file.path for file in large if (loses[file.path] + named.get(file.path, 0)) * _NAMED <= file.rows}
    return Losing(
        tuple(file for file in found if file.path in stay), tuple(file for file in found if file.path not in stay)
    )


def _named(connection: duckdb.DuckDBPyConnection, files: Sequence[DataFile]) -> Mapping[str, int]:
    """How many rows of files are named already."""
    deletes = {one.path for file in files for one in file.deletes}
    if not deletes:
        return {}
    sql = f"SELECT path, count(*) FROM ({named_places(sorted(deletes))}) GROUP BY path"
    return dict(connection.execute(sql).fetchall())
