"""The library project as it ships, from files to silver: keyed loans with a horizon, members in whole lists."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from penstock.spec.loading import load_project
from tests.load.load_shapes import Road, road

LIBRARY = Path(__file__).parents[2] / "projects" / "library"
LOANS = "loan_id,member_id,title,status,fee,changed_at"
MEMBERS = "member_id,email,joined"


def _library(way: Road) -> None:
    way.inbox.mkdir(exist_ok=True)
    way.project = load_project(LIBRARY, environment={"LIBRARY_INBOX": str(way.inbox)})


def test_loans_and_members_take_their_roads(tmp_path: Path) -> None:
    with road(tmp_path) as way:
        _library(way)
        way.deliver("loans_1.csv", "l1,m1,Dune,out,,2024-01-01", "l2,m2,Emma,lost,,2024-01-01", header=LOANS)
        way.deliver("members_north_v1.csv", "m1,ada@example.org,2020-01-01", "m2,nobody,", header=MEMBERS)
        way.run()
        way.deliver("loans_2.csv", "l1,m1,Dune,back,0.50,2024-01-09", "l1,m1,Dune,out,,2024-03-01", header=LOANS)
        way.deliver("members_north_v2.csv", "m2,bob@example.org,", header=MEMBERS)
        way.run()
        assert way.values("silver.loans", "loan_id", "status", "_file") == [("l1", "back", "loans_2.csv")]
        assert way.values("silver.members", "member_id", "email") == [("m2", "bob@example.org")]
        assert [row[:2] for row in way.refused()] == [("loans_1.csv", 3)]
        way.assert_conserved()


def test_another_tenant_has_other_hashes(tmp_path: Path) -> None:
    found = []
    for tenant in ("default", "other"):
        with road(tmp_path / tenant) as way:
            _library(way)
            way.project = replace(way.project, tenant=tenant)
            way.deliver("loans_1.csv", "l1,m1,Dune,out,,2024-01-01", header=LOANS)
            way.run()
            found += way.values("silver.loans", "_row_hash", "_tenant")
    assert found[0][0] != found[1][0]
    assert [tenant for _, tenant in found] == ["default", "other"]
