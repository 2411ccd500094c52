"""A table written to a file is the table that a query shows."""

from __future__ import annotations

import csv
import json
from decimal import Decimal

import pyarrow.parquet as pq
import pytest

from tests.flows.library import Library

TABLES = ("gold.loans_by_status", "gold.dim_member", "silver.loans", "bronze.loans", "quarantine.loans")


@pytest.mark.parametrize("table", TABLES)
def test_an_exported_table_equals_the_query_in_every_format(library: Library, table: str) -> None:
    select = f"SELECT * FROM {table}"
    asked = {form: library.call("query", select, "--format", form).expect(0).output for form in ("csv", "json")}
    for form in ("csv", "json", "parquet"):
        target = library.folder / f"out.{form}"
        report = library.call("export", table, "--to", target, "--json").expect(0).document
        assert report == {"dataset": table, "file": str(target), "rows": library.count(table)}
    rows = json.loads(asked["json"], parse_float=Decimal)
    assert json.loads((library.folder / "out.json").read_bytes(), parse_float=Decimal) == rows
    assert (library.folder / "out.csv").read_bytes() == asked["csv"]
    assert len(list(csv.reader(asked["csv"].decode().splitlines()))) == len(rows) + 1
    parquet = pq.read_table(library.folder / "out.parquet")
    assert (parquet.num_rows, parquet.column_names) == (len(rows), list(rows[0]))


def test_an_older_release_is_exported_as_it_was(library: Library) -> None:
    library.members("north", 2, "m1,ada@example.org,2020-01-01")
    library.run()
    target = library.folder / "members.csv"
    library.call("export", "dim_member", "--to", target, "--release", "1").expect(0)
    assert len(target.read_text().splitlines()) == 3


def test_an_existing_file_is_replaced_only_on_demand(library: Library) -> None:
    target = library.folder / "members.csv"
    target.write_text("mine")
    assert "The file exists" in library.call("export", "dim_member", "--to", target).expect(2).err
    assert target.read_text() == "mine"
    library.call("export", "dim_member", "--to", target, "--overwrite").expect(0)
    assert target.read_text().startswith("member_id,joined\n")
