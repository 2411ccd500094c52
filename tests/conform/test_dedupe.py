"""Which version of a key silver holds depends on the versions alone: not on their order, not on the batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.conform.counts import Counts
from penstock.conform.dedupe import Merged, merge, recompute
from penstock.spec.contract import Contract, Dedupe, LogicalType
from penstock.sql.connection import connect
from tests.conform.declared import NOW, column, contract

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Version:
    """One row: key, hours after the start (or null), content, and where it stood."""

    key: int
    order: int | None
    content: str
    line: int = 0

    @property
    def hash(self) -> str:
        return sha256(repr((self.key, self.order, self.content)).encode()).hexdigest()

    @property
    def rank(self) -> tuple[int, str]:
        return (-1 if self.order is None else self.order, self.hash)


def declared(horizon: int | None, order: bool = True) -> Contract:
    dedupe = Dedupe("at" if order else None, None if horizon is None else horizon * HOUR)
    columns = (column("key", LogicalType.INTEGER), column("at", LogicalType.TIMESTAMP), column("content"))
    return contract(*columns, key=["key"], dedupe=dedupe)


def expected(versions: Sequence[Version], horizon: int | None) -> dict[int, tuple[int | None, str, int | None]]:
    """The oracle: per key, order and content of the winner, and the lowest order."""
    silver = {}
    for key in {version.key for version in versions}:
        mine = [version for version in versions if version.key == key]
        low = min((version.order for version in mine if version.order is not None), default=None)
        window = [v for v in mine if v.order is None or low is None or horizon is None or v.order <= low + horizon]
        winner = max(window, key=lambda version: version.rank)
        silver[key] = (winner.order, winner.content, low if horizon is not None else None)
    return silver


class Silver:
    """A silver table and the history behind it, fed batch by batch."""

    def __init__(self, declared: Contract) -> None:
        self.contract = declared
        self.connection = connect(threads=1)
        self.arrived: list[Version] = []
        self.table("silver", [])
        self.merged: list[Merged] = []

    def table(self, name: str, versions: Sequence[Version]) -> str:
        size = len(versions)
        at = [None if v.order is None else START + v.order * HOUR for v in versions]
        arrays = {
            "key": pa.array([v.key for v in versions], pa.int64()),
            "at": pa.array(at, pa.timestamp("us", "UTC")),
            "content": pa.array([v.content for v in versions], pa.string()),
            "_tenant": pa.array(["default"] * size, pa.string()),
            "_source": pa.array(["s"] * size, pa.string()),
            "_file": pa.array(["f"] * size, pa.string()),
            "_line": pa.array([v.line for v in versions], pa.int64()),
            "_file_id": pa.array(["id"] * size, pa.string()),
            "_ingested_at": pa.array([NOW] * size, pa.timestamp("us", "UTC")),
            "_batch": pa.array([1] * size, pa.int64()),
            "_row_hash": pa.array([v.hash for v in versions], pa.string()),
        }
        if self.contract.dedupe.horizon is not None:
            arrays["_opened"] = pa.array(at, pa.timestamp("us", "UTC"))
        self.connection.register("arriving", pa.table(arrays))
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM arriving")
        return name

    def take(self, batch: Sequence[Version]) -> Merged:
        self.table("batch", batch)
        merged = merge(self.connection, self.contract, "batch", "silver", history=self.history)
        self.arrived += batch
        self.apply(merged)
        return merged

    def history(self, keys: str) -> str:
        assert self.connection.execute(f"SELECT count(*) FROM {keys}").fetchall()[0][0] > 0
        return self.table("history", self.arrived)

    def apply(self, merged: Merged) -> None:
        gone = f"DELETE FROM silver USING {merged.replaced} AS r WHERE silver._line = r._line"
        self.connection.execute(gone)
        self.connection.execute(f"INSERT INTO silver BY NAME SELECT * FROM {merged.insert}")

    def content(self) -> dict[int, tuple[int | None, str, int | None]]:
        opened = "_opened" if self.contract.dedupe.horizon is not None else "CAST(NULL AS TIMESTAMPTZ)"
        sql = f"""
            WITH silver AS (SELECT key, "at", content, {opened} AS opened, TIMESTAMPTZ '2024-01-01 00:00:00+00' AS t
                            FROM silver)
            SELECT key, date_diff('hour', t, "at"), content, date_diff('hour', t, opened) FROM silver
        """
        rows = self.connection.execute(sql).fetchall()
        assert len({row[0] for row in rows}) == len(rows), "two rows of one key"
        return {key: (order, content, low) for key, order, content, low in rows}


@pytest.fixture
def silver() -> Silver:
    return Silver(declared(horizon=24))


VERSION = st.builds(Version, st.integers(1, 3), st.none() | st.integers(0, 60), st.sampled_from(["a", "b", "c"]))


@settings(max_examples=50)
@given(data=st.data(), versions=st.lists(VERSION, max_size=14), horizon=st.sampled_from([None, 0, 10, 24, 100]))
def test_silver_is_the_same_however_the_versions_are_ordered_and_cut(
    data: st.DataObject, versions: list[Version], horizon: int | None
) -> None:
    numbered = [Version(v.key, v.order, v.content, line) for line, v in enumerate(versions, 1)]
    shuffled = data.draw(st.permutations(numbered))
    silver = Silver(declared(horizon))
    while shuffled:
        size = data.draw(st.integers(1, len(shuffled)))
        batch, shuffled = shuffled[:size], shuffled[size:]
        merged = silver.take(batch)
        assert merged.counts.balanced, merged.counts
        assert merged.counts.rows_in == len(batch)
    assert silver.content() == expected(versions, horizon)


@settings(max_examples=25)
@given(data=st.data(), versions=st.lists(VERSION, min_size=1, max_size=14), horizon=st.sampled_from([None, 10, 24]))
def test_when_versions_are_taken_away_the_winner_is_the_best_that_remains(
    data: st.DataObject, versions: list[Version], horizon: int | None
) -> None:
    numbered = [Version(v.key, v.order, v.content, line) for line, v in enumerate(versions, 1)]
    silver = Silver(declared(horizon))
    silver.take(numbered)
    remaining = [version for version in numbered if data.draw(st.booleans())]
    silver.apply(recompute(silver.connection, silver.contract, silver.table("remaining", remaining), "silver"))
    assert silver.content() == expected(remaining, horizon)


def test_a_better_version_replaces_the_stored_row_and_a_worse_one_is_counted(silver: Silver) -> None:
    silver.take([Version(1, 0, "first", 1)])
    assert silver.take([Version(1, 5, "better", 2)]).counts == Counts(rows_in=1, accepted=1)
    assert silver.take([Version(1, 3, "between", 3)]).counts == Counts(rows_in=1, superseded=1)
    assert silver.content() == {1: (5, "better", 0)}


def test_the_same_content_again_is_a_duplicate_and_rewrites_nothing(silver: Silver) -> None:
    silver.take([Version(1, 0, "a", 1)])
    merged = silver.take([Version(1, 0, "a", 2), Version(1, 0, "a", 3)])
    assert merged.counts == Counts(rows_in=2, duplicate=2)
    assert (merged.replaced_rows, merged.revived) == (0, 0)


def test_a_version_beyond_the_horizon_is_counted_not_applied(silver: Silver) -> None:
    silver.take([Version(1, 0, "a", 1)])
    assert silver.take([Version(1, 25, "too late", 2)]).counts == Counts(rows_in=1, filtered=1)
    assert silver.take([Version(1, 24, "just in time", 3)]).counts == Counts(rows_in=1, accepted=1)


def test_an_earlier_version_that_shuts_out_the_stored_winner_brings_back_the_one_before(silver: Silver) -> None:
    # window of 24 h:   -----[10...............34]          stored 30 wins over 20
    #            then   [0...............24]                30 is outside now, 20 wins
    silver.take([Version(1, 10, "a", 1), Version(1, 20, "b", 2), Version(1, 30, "c", 3)])
    merged = silver.take([Version(1, 0, "earliest", 4)])
    assert merged.counts == Counts(rows_in=1, superseded=1)
    assert (merged.reopened, merged.replaced_rows, merged.revived) == (1, 1, 1)
    assert silver.content() == {1: (20, "b", 0)}


def test_ties_of_order_go_to_the_higher_hash() -> None:
    rivals = [Version(1, 7, "x", 1), Version(1, 7, "y", 2)]
    best = max(rivals, key=lambda version: version.hash)
    for arrival in (rivals, rivals[::-1]):
        silver = Silver(declared(horizon=None))
        for version in arrival:
            silver.take([version])
        assert silver.content() == {1: (7, best.content, None)}


def test_without_an_order_the_hash_alone_decides() -> None:
    rivals = [Version(1, hour, "x", hour) for hour in (1, 2, 3)]
    silver = Silver(declared(horizon=None, order=False))
    silver.take(rivals)
    assert silver.content() == {1: (max(rivals, key=lambda version: version.hash).order, "x", None)}


def test_without_a_key_every_row_stays() -> None:
    silver = Silver(contract(*declared(None).columns))
    same = [Version(1, 0, "a", 1), Version(1, 0, "a", 2)]
    silver.table("batch", same)
    merged = merge(silver.connection, silver.contract, "batch", "silver")
    assert merged.counts == Counts(rows_in=2, accepted=2)
    assert merged.replaced_rows == 0


def test_stored_rows_of_other_keys_are_left_alone(silver: Silver) -> None:
    silver.take([Version(1, 0, "a", 1), Version(2, 0, "b", 2)])
    assert silver.take([Version(1, 1, "c", 3)]).replaced_rows == 1
    assert silver.content() == {1: (1, "c", 0), 2: (0, "b", 0)}


def test_an_empty_batch_changes_nothing(silver: Silver) -> None:
    silver.take([Version(1, 0, "a", 1)])
    merged = silver.take([])
    assert merged.counts == Counts()
    assert silver.content() == {1: (0, "a", 0)}
