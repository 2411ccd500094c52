"""After a new day the serving store is told of the orders and customers that changed, and serves what it would if it were new."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from penstock.release.record import latest_release
from penstock.runtime import serving
from penstock.runtime.installation import Installation
from penstock.runtime.run import run
from penstock.runtime.served_release import serving_store
from penstock.runtime.watch import Unwatched
from penstock.serve import feed
from penstock.store.collection import Collection
from penstock.store.protocol import Slice
from tests.commerce.hand_shop import COMMERCE, ROWS, Shop


def test_a_new_day_is_told_by_its_changes(tmp_path: Path, compiled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, bool] = {}

    def slices(connection: duckdb.DuckDBPyConnection, collection: Collection, *, by_changes: bool) -> Iterator[Slice]:
        told[collection.table] = by_changes
        return feed.slices(connection, collection, sliced_from=1, by_changes=by_changes)

    monkeypatch.setattr(serving, "slices", slices)
    shop = Shop.at(tmp_path, compiled)
    environment = {"COMMERCE_INBOX": str(shop.inbox), "PENSTOCK_PSEUDONYM_KEY": "a key for tests"}
    installation = Installation.at(COMMERCE, tmp_path / "data", environment=environment)
    shop.deliver_all()
    run(installation, Unwatched())
    assert set(told.values()) == {False}

    paid = ROWS["orders"][0].replace("T23:30:00Z,c1", "T23:40:00Z,c1").replace("placed,", "paid,")
    shop.deliver(
        "orders", paid, "berlin,o9,2024-03-20T10:00:00Z,c2,2024-03-20T10:00:00Z,paid,app,EUR,false,AT", name="second"
    )
    shop.deliver("order_items", "berlin,o9,1,v1,p1,1,20.00", name="second")
    run(installation, Unwatched())

    assert (told["vw_order_analytics"], told["vw_customer_360"]) == (True, True)
    grown = _served(installation)
    shutil.rmtree(serving_store(installation).folder)
    run(installation, Unwatched())
    assert told["vw_order_analytics"] is False
    assert grown == _served(installation)
    assert any(b'"o9"' in document for document in grown["vw_order_analytics"])

    release, manifest = latest_release(installation.place.root), serving_store(installation).manifest()
    assert release is not None
    assert manifest is not None
    following, behind = replace(release, number=release.number + 1), replace(release, number=release.number + 2)
    other = replace(manifest, collections=tuple(replace(one, version="another") for one in manifest.collections))
    assert serving.following(installation, following, manifest) == {one.name for one in manifest.collections}
    assert serving.following(installation, behind, manifest) == frozenset()
    assert serving.following(installation, following, other) == frozenset()


def _served(installation: Installation) -> dict[str, Any]:
    view = serving_store(installation).open()
    return {one.table: view.page(one, (), skip=0, limit=1000) for one in view.manifest.collections}
