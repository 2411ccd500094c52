"""Scans read by field id, and refuse what would be read wrongly."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.manifest import ManifestContent

from penstock.errors import StorageError, UsageError
from penstock.lake.io import ReadOnlyIO
from penstock.lake.manifests import ManifestReader
from tests.lake.lake_shapes import LOANS, RETURNS, append, loans, read, returns, writing


def test_a_scan_of_a_table_without_rows_has_columns_and_no_files(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        lake.ensure(LOANS, lease=lease)
        scan = lake.scan(LOANS.name)
    assert (scan.snapshot_id, scan.files, len(scan.columns)) == (None, (), 4)


def test_a_scan_at_a_snapshot_shows_the_rows_and_the_names_of_that_time(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        first = append(lake, lease, lake.ensure(RETURNS, lease=lease), returns(1), "1")
        append(lake, lease, first, returns(2), "2")
        old = lake.scan(RETURNS.name, snapshot_id=first.snapshot_id)
        assert [row[0] for row in read(old)] == [1]
        with pytest.raises(UsageError, match="snapshot is not there"):
            lake.scan(RETURNS.name, snapshot_id=17)
    with writing(tmp_path) as (lake, _), pytest.raises(UsageError, match="no such table"):
        lake.scan("silver.nothing")


def test_changes_are_the_files_added_between_two_snapshots(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        heads = [lake.ensure(RETURNS, lease=lease)]
        for number in range(1, 31):  # enough for manifests to be merged meanwhile
            heads.append(append(lake, lease, heads[-1], returns(number), str(number)))
        some = lake.changes(RETURNS.name, heads[5].snapshot_id, heads[12].snapshot_id)
        assert sorted(row[0] for row in read(some.added)) == list(range(6, 13))
        assert not some.removed
        assert not some.expired
        everything = lake.changes(RETURNS.name, None)
        assert len(everything.added.files) == 30
        assert everything.until == heads[-1].snapshot_id
        assert lake.changes(RETURNS.name, heads[-1].snapshot_id).added.files == ()


def test_changes_say_when_files_were_removed_or_the_beginning_has_expired(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = append(lake, lease, lake.ensure(RETURNS, lease=lease), returns(1), "1")
        with lake.stage(lease=lease, token="x") as commit:
            commit.table(head).remove(lake.scan(RETURNS.name).files)
            commit.table(head).append(returns(2))
            commit.apply()
        assert lake.changes(RETURNS.name, head.snapshot_id).removed
        expired = lake.changes(RETURNS.name, 17)
        assert expired.expired
        assert [row[0] for row in read(expired.added)] == [2]


def test_bounds_tell_which_file_may_hold_a_value(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        append(lake, lease, lake.ensure(LOANS, lease=lease), loans(3, 9, 5), "1")
        (file,) = lake.scan(LOANS.name).files
    noon = int(datetime(2024, 1, 5, 12, tzinfo=UTC).timestamp() * 1_000_000)
    assert file.rows == 3
    assert file.bytes == Path(file.path).stat().st_size
    assert file.bounds["loan"] == (3, 9)
    assert file.bounds["lent_at"] == (noon, noon)
    assert sorted(file.bounds) == ["fee", "lent_at", "loan"]


def stock(root: Path) -> SqlCatalog:
    return SqlCatalog("penstock", uri=f"sqlite:///{root / 'catalog.db'}")


def test_a_file_without_field_ids_is_refused(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.parquet"
    pq.write_table(pa.table({"loan": [1], "note": ["n"]}), foreign)
    with writing(tmp_path) as (lake, lease):
        lake.ensure(RETURNS, lease=lease)
        catalog = stock(tmp_path)
        catalog.load_table(RETURNS.name).add_files([str(foreign)])
        catalog.engine.dispose()
        with pytest.raises(StorageError, match=r"foreign.parquet: A data file of silver.returns has no field ids"):
            lake.scan(RETURNS.name)


def test_a_table_with_row_level_deletes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with writing(tmp_path) as (lake, lease):
        head = append(lake, lease, lake.ensure(RETURNS, lease=lease), returns(1), "1")
        snapshot = lake.metadata(head).current_snapshot()
        assert snapshot is not None
        (manifest,) = lake.manifests.manifests(snapshot)
        monkeypatch.setattr(type(manifest), "content", ManifestContent.DELETES)
        with pytest.raises(StorageError, match="row-level deletes"):
            lake.scan(RETURNS.name)


def test_a_metadata_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = append(lake, lease, lake.ensure(RETURNS, lease=lease), returns(1), "1")
    manifest = next((tmp_path / "lake").rglob("snap-*.avro"))
    manifest.unlink()
    with writing(tmp_path) as (lake, _), pytest.raises(StorageError, match=r"snap-.*gone"):
        lake.scan(RETURNS.name)
    Path(head.metadata_location).write_text("{")
    with writing(tmp_path) as (lake, _), pytest.raises(StorageError, match="cannot be read"):
        lake.scan(RETURNS.name)


@pytest.mark.parametrize("which", ["a list", "a manifest"])
def test_a_metadata_file_that_is_torn_anywhere_is_named(which: str, tmp_path: Path) -> None:
    with writing(tmp_path) as (lake, lease):
        head = append(lake, lease, lake.ensure(RETURNS, lease=lease), returns(1), "1")
        (listed,) = lake.metadata(head).snapshots
        (manifest,) = lake.manifests.manifests(listed)
    path = Path(listed.manifest_list if which == "a list" else manifest.manifest_path)
    content = path.read_bytes()
    for torn in [content[:size] for size in range(0, len(content), 97)] + [content[:-40] + bytes(20) + content[-20:]]:
        path.write_bytes(torn)
        reader = ManifestReader(ReadOnlyIO())
        with pytest.raises(StorageError, match="cannot be read") as error:
            reader.manifests(listed) if which == "a list" else reader.entries(manifest)
        assert error.value.where == str(path)
