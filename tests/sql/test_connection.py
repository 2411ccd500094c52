"""Results do not depend on the machine's zone, on its network or on Python's variables."""

from __future__ import annotations

import os
import subprocess
import sys

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


def test_a_cursor_is_in_utc_wherever_the_machine_stands() -> None:
    asked = (
        "from penstock.sql.connection import connect\n"
        "print(connect().cursor().execute(\"SELECT TIMESTAMPTZ '2024-01-02 10:00:00Z'::VARCHAR\").fetchall())"
    )
    environment = {**os.environ, "TZ": "America/Sao_Paulo"}

    done = subprocess.run([sys.executable, "-c", asked], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout == "[('2024-01-02 10:00:00+00',)]\n"
