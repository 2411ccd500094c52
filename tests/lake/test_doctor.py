"""A table changed by hand is noticed before anything is built on it, and two ways lead out."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog

from penstock.errors import RolledBack, UsageError
from penstock.lake.doctor import adopt, changed_by_hand, restore, rewind
from penstock.lake.lake import Lake
from penstock.lake.lease import Lease
from penstock.lake.table import Head
from tests.lake.lake_shapes import RETURNS, append, read, returns, writing


def roll_back(root: Path, snapshot_id: int | None) -> None:
    """What a user does with another tool."""
    assert snapshot_id is not None
    with closing(SqlCatalog("penstock", uri=f"sqlite:///{root / 'catalog.db'}").engine.raw_connection()):
        catalog = SqlCatalog("penstock", uri=f"sqlite:///{root / 'catalog.db'}")
        catalog.load_table(RETURNS.name).manage_snapshots().rollback_to_snapshot(snapshot_id).commit()
        catalog.engine.dispose()


def three_batches(lake: Lake, lease: Lease) -> list[Head]:
    heads = [lake.ensure(RETURNS, lease=lease)]
    for number in (1, 2, 3):
        heads.append(append(lake, lease, heads[-1], returns(number), str(number)))
    return heads


def current(lake: Lake) -> Head:
    return lake.heads()[RETURNS.name]


def test_a_rollback_by_hand_stops_readers_of_positions_and_writers(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        heads = three_batches(lake, lease)
        roll_back(tmp_path, heads[1].snapshot_id)
        with pytest.raises(RolledBack, match="expected desk at 3, found desk at 1") as stop:
            lake.position(current(lake), "desk")
        assert "penstock doctor" in str(stop.value)
        with pytest.raises(RolledBack):
            append(lake, lease, current(lake), returns(4), "4")
        assert [finding.where for finding in changed_by_hand(lake)] == [RETURNS.name]


def test_adopting_takes_the_data_as_it_is_and_reads_on_from_there(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        heads = three_batches(lake, lease)
        roll_back(tmp_path, heads[1].snapshot_id)
        head = adopt(lake, RETURNS.name, lease=lease)
        assert lake.position(head, "desk") == "1"
        append(lake, lease, head, returns(2), "2")
        assert sorted(row[0] for row in read(lake.scan(RETURNS.name))) == [1, 2]
        assert changed_by_hand(lake) == ()


def test_restoring_brings_the_newest_data_back(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        heads = three_batches(lake, lease)
        roll_back(tmp_path, heads[1].snapshot_id)
        head = restore(lake, RETURNS.name, lease=lease)
        assert lake.position(head, "desk") == "3"
        assert head.snapshot_id == heads[3].snapshot_id
        append(lake, lease, head, returns(4), "4")
        assert sorted(row[0] for row in read(lake.scan(RETURNS.name))) == [1, 2, 3, 4]


def test_rows_appended_by_another_tool_are_noticed_and_can_be_adopted_or_dropped(tmp_path: Path) -> None:
    def foreign_rows() -> None:
        catalog = SqlCatalog("penstock", uri=f"sqlite:///{tmp_path / 'catalog.db'}")
        catalog.load_table(RETURNS.name).append(pa.table({"loan": [99], "note": ["by hand"]}))
        catalog.engine.dispose()

    with writing(tmp_path) as (lake, lease):
        three_batches(lake, lease)
        foreign_rows()
        with pytest.raises(RolledBack):
            lake.position(current(lake), "desk")
        restore(lake, RETURNS.name, lease=lease)
        assert sorted(row[0] for row in read(lake.scan(RETURNS.name))) == [1, 2, 3]
        foreign_rows()
        assert lake.position(adopt(lake, RETURNS.name, lease=lease), "desk") == "3"
        assert sorted(row[0] for row in read(lake.scan(RETURNS.name))) == [1, 2, 3, 99]


def test_a_source_that_had_not_begun_has_no_position_after_adopting(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        heads = three_batches(lake, lease)
        with lake.stage(lease=lease, token="web:1") as commit:
            commit.table(heads[3]).position("web", "1")
            commit.apply()
        roll_back(tmp_path, heads[2].snapshot_id)
        head = adopt(lake, RETURNS.name, lease=lease)
        assert (lake.position(head, "desk"), lake.position(head, "web")) == ("2", None)


def test_what_has_expired_cannot_be_restored(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        heads = three_batches(lake, lease)
        roll_back(tmp_path, heads[2].snapshot_id)
        catalog = SqlCatalog("penstock", uri=f"sqlite:///{tmp_path / 'catalog.db'}")
        snapshot_id = heads[3].snapshot_id
        assert snapshot_id is not None
        catalog.load_table(RETURNS.name).maintenance.expire_snapshots().by_id(snapshot_id).commit()
        catalog.engine.dispose()
        with pytest.raises(RolledBack, match="only adopting"):
            restore(lake, RETURNS.name, lease=lease)
        with pytest.raises(UsageError, match="no such table"):
            restore(lake, "silver.nothing", lease=lease)


def test_a_table_that_committed_with_an_adopted_one_can_go_back_to_the_same_position(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        three_batches(lake, lease)
        head = rewind(lake, RETURNS.name, "desk", "2", lease=lease)
        assert lake.position(head, "desk") == "2"
        assert sorted(row[0] for row in read(lake.scan(RETURNS.name))) == [1, 2]
