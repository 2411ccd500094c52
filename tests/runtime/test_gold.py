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
