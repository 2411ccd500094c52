"""Gold follows whatever silver has become."""

from __future__ import annotations

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
