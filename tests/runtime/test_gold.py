"""Gold follows whatever silver has become."""

from __future__ import annotations

import duckdb
import pytest

from penstock.release.record import latest_release
from penstock.transform import warehouse
from tests.flows.library import Library, loan

KEY = "        primaryKey: true\n        primaryKeyPosition: 1\n"
DEDUPE = "      - property: penstock.dedupe\n        value: {order_by: changed_at, horizon: P30D}\n"


def test_a_dataset_may_lose_its_key(library: Library) -> None:
    """Silver keeps the columns that only a key needs, and gold is built from it all the same."""
    library.edit("contracts/loans.yml", KEY, "")
    library.edit("contracts/loans.yml", DEDUPE, "")
    library.loans("more", loan(6))
    assert (library.run()["outcome"], library.count("silver.loans")) == ("released", 4)


def test_a_file_that_is_refused_makes_no_release(library: Library) -> None:
    """It is tried by every run; gold would be built and released each time."""
    library.deliver("loans_torn.csv", "loan_id,mem\0ber_id", "7,m1")
    report = library.run(1)
    assert [notice["kind"] for notice in report["notices"]] == ["refused"]
    assert (report["outcome"], report["release"]) == ("nothing new", 1)
    library.loans("tuesday", loan(6))
    assert library.run(1)["release"] == 2


def test_a_release_has_its_warehouse_though_something_failed_after_it(library: Library) -> None:
    """The next build starts from it, and not from nothing."""
    put_in_order = warehouse.put_in_order

    def fail_after_release(connection: duckdb.DuckDBPyConnection) -> None:
        release = latest_release(library.data)
        if release is not None and release.number == 2:
            raise duckdb.IOException("No space left on device")
        put_in_order(connection)

    library.loans("tuesday", loan(6))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(warehouse, "put_in_order", fail_after_release)
        assert "No space left on device" in library.call("run").expect(1).err

    held = warehouse.read_state(library.data / "cache" / "warehouse-2.duckdb")
    release = latest_release(library.data)
    assert held is not None and release is not None
    assert {f"silver.{name}": one.snapshot_id for name, one in held.inputs.items()} == release.silver
    assert library.run()["outcome"] == "nothing new"
    library.loans("wednesday", loan(7))
    assert (library.run()["release"], library.count("silver.loans")) == (3, 5)
