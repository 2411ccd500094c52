"""Results do not depend on the machine's zone, on its network or on Python's variables."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from penstock.sql.connection import connect


def test_the_session_is_utc_and_downloads_nothing() -> None:
    sql = """SELECT current_setting('TimeZone'), current_setting('autoinstall_known_extensions'),
                    current_setting('autoload_known_extensions'), current_setting('threads')"""
    assert connect(threads=2).execute(sql).fetchall() == [("UTC", False, False, 2)]


def test_a_python_variable_is_not_a_table() -> None:
    frame = pa.table({"a": [1]})
    assert frame.num_rows == 1
    with pytest.raises(duckdb.CatalogException):
        connect().execute("SELECT * FROM frame")
