"""What a refused row says of itself, by what shops deliver wrong, and what to do about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from penstock.conform.codes import Code
from penstock.ingest.malformed import Fault
from penstock.load.remedies import REMEDIES
from penstock.spec.contract import LogicalType
from penstock.spec.source import Reading
from tests.load.load_shapes import column, contract, parsed, road

PRICED = contract(
    column("loan", required=True),
    column("fee", LogicalType.DECIMAL, precision=18, scale=4, minimum="0"),
    column("at", LogicalType.TIMESTAMP),
    column("due", LogicalType.DATE),
)


def test_every_reason_has_a_remedy() -> None:
    assert set(REMEDIES) == {*Code, *Fault}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1,0.123456789012,,", ("scale", "fee", "at most 4 digits after the point", "0.123456789012")),
        ("1,-1,,", ("minimum", "fee", "at least 0", "-1")),
        ("1,1,2024-03-31 01:30,", ("local_time", "at", "a time that exists in Europe/London", "2024-03-31 01:30")),
        ("1,1,,2024-02-30", ("type", "due", "a date written YYYY-MM-DD", "2024-02-30")),
    ],
)
def test_a_row_is_named_with_what_was_expected_and_found(tmp_path: Path, line: str, reason: tuple[str, ...]) -> None:
    with road(tmp_path, PRICED, {"reading": Reading(timezone="Europe/London")}) as way:
        way.deliver("a.csv", line, header="loan,fee,at,due")
        (settled,) = way.run()
        (row,) = way.rows("quarantine.loans")
        told: list[dict[str, Any]] = parsed(row["reasons"])
        assert [tuple(one[fact] for fact in ("code", "column", "expected", "found")) for one in told] == [reason]
        assert (settled.counts.quarantined, row["_file"], row["_line"]) == (1, "a.csv", 2)
