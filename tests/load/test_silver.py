"""Silver without a key holds every row; with a key, the best version of each, whatever its order of arrival."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from penstock.load import leaving, silver
from penstock.spec.contract import PartitionField
from tests.load.load_shapes import DAY, OPEN_FOR_A_DAY, Road, contract, parsed, road


def test_without_a_key_nothing_is_dropped(plain: Road) -> None:
    plain.deliver("a.csv", "1,Dune,,", "1,Dune,,", "1,Emma,,")
    plain.deliver("b.csv", "1,Dune,,")
    (settled,) = plain.run()
    assert (settled.counts.accepted, settled.counts.duplicate) == (4, 0)
    assert plain.values("silver.loans", "_file", "_line") == [("a.csv", 2), ("a.csv", 3), ("a.csv", 4), ("b.csv", 2)]


def test_silver_keeps_the_system_columns_of_bronze(plain: Road) -> None:
    plain.deliver("a.csv", "1,Dune,,")
    plain.run()
    system = ("_tenant", "_source", "_file", "_line", "_file_id", "_ingested_at", "_batch")
    assert plain.values("silver.loans", *system) == plain.values("bronze.desk", *system)


def test_a_refused_row_carries_every_rule_it_breaks(keyed: Road) -> None:
    keyed.deliver("a.csv", ",Dune,free,never", "2,Emma,,")
    (settled,) = keyed.run()
    assert settled.counts.quarantined == 1
    (refused,) = keyed.rows("quarantine.loans")
    assert refused["codes"] == ["required", "type", "type"]
    assert parsed(refused["row"]) == {"loan": "", "title": "Dune", "fee": "free", "at": "never"}
    assert refused["contract"] == keyed.project.contracts["loans"].fingerprint


def test_a_better_version_that_comes_later_replaces_the_row(keyed: Road) -> None:
    keyed.deliver("a.csv", "1,Dune,,2024-01-01")
    keyed.run()
    keyed.deliver("b.csv", "1,Emma,,2024-01-02")
    (settled,) = keyed.run()
    assert (settled.counts.accepted, settled.replaced, keyed.titles()) == (1, 1, {"1": "Emma"})


def test_a_worse_version_that_comes_later_is_superseded(keyed: Road) -> None:
    keyed.deliver("a.csv", "1,Emma,,2024-01-02")
    keyed.run()
    keyed.deliver("b.csv", "1,Dune,,2024-01-01")
    (settled,) = keyed.run()
    assert (settled.counts.superseded, settled.replaced, keyed.titles()) == (1, 0, {"1": "Emma"})


def test_an_equal_version_is_a_duplicate(keyed: Road) -> None:
    keyed.deliver("a.csv", "1,Dune,1.50,2024-01-01", "1,Dune,1.5,2024-01-01")
    keyed.run()
    keyed.deliver("b.csv", "1,Dune,1.500,2024-01-01T00:00:00Z")
    (settled,) = keyed.run()
    assert [one["duplicate"] for one in keyed.batches("silver.loans")] == [1, 1]
    assert settled.counts.duplicate == len(keyed.titles()) == 1


def test_ties_are_decided_by_content(tmp_path: Path) -> None:
    lines = ("1,Dune,,2024-01-01", "1,Emma,,2024-01-01")
    found = []
    for number, order in enumerate((lines, lines[::-1])):
        with road(tmp_path / str(number)) as way:
            for name, line in zip("ab", order, strict=True):
                way.deliver(f"{name}.csv", line)
                way.run()
            found.append(way.titles())
    assert found[0] == found[1]


def test_of_a_file_without_a_key_that_comes_only_the_keys_are_read(keyed: Road) -> None:
    keyed.deliver("a.csv", "100,Dune,,2024-01-01", "999,Dune,,2024-01-01")
    keyed.run()
    (file,) = keyed.lake.scan("silver.loans").files
    damage(Path(file.path), "title")
    keyed.deliver("b.csv", *(f"{number},Emma,,2024-01-02" for number in range(200, 300)))
    (settled,) = keyed.run()
    assert settled.counts.accepted == 100
    keyed.deliver("c.csv", "999,Emma,,2024-01-02")
    with pytest.raises(duckdb.Error):
        keyed.run()


def damage(file: Path, column: str) -> None:
    """Make the values of a column of a Parquet file unreadable."""
    footer = pq.read_metadata(file)
    place = footer.schema.names.index(column)
    chunk = footer.row_group(0).column(place)
    content = bytearray(file.read_bytes())
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    content[start : start + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    file.write_bytes(content)


def test_rows_of_other_keys_survive_the_rewriting_of_their_file(keyed: Road) -> None:
    keyed.deliver("a.csv", *(f"{number},Dune,,2024-01-01" for number in range(100)))
    keyed.run()
    keyed.deliver("b.csv", "7,Emma,,2024-01-02")
    keyed.run()
    assert keyed.titles() == {str(number): "Dune" for number in range(100)} | {"7": "Emma"}


@pytest.mark.parametrize("partitions", [(), (PartitionField("at", "day"),)])
def test_of_a_file_that_loses_few_of_many_rows_these_are_named(
    tmp_path: Path, partitions: tuple[PartitionField, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaving, "SMALL", 100)
    with road(tmp_path, contract(key=("loan",), order_by="at", partitions=partitions)) as way:
        way.deliver("a.csv", *(f"{number:03},Dune,,2024-01-01" for number in range(100)))
        way.run()
        (first,) = way.lake.scan("silver.loans").files
        way.deliver("b.csv", *(f"{number:03},Emma,,2024-01-05" for number in range(12)))
        way.run()
        way.deliver("c.csv", *(f"{number:03},Ulysses,,2024-01-06" for number in range(20)))
        way.run()
        scan = way.lake.scan("silver.loans")
        titles = {number: "Ulysses" if int(number) < 20 else "Dune" for number in way.titles()}
        assert (way.titles(), len(titles)) == (titles, 100)
        assert first.path in [file.path for file in scan.files]
        assert (scan.rows, sum(one.rows for one in scan.deletes)) == (100, 20)
        way.deliver("d.csv", *(f"{number:03},Persuasion,,2024-01-07" for number in range(20, 27)))
        way.run()
        assert first.path not in [file.path for file in way.lake.scan("silver.loans").files]
        assert (way.lake.scan("silver.loans").rows, way.lake.scan("silver.loans").deletes) == (100, ())
        way.assert_conserved()


def test_a_version_beyond_the_horizon_is_filtered(tmp_path: Path) -> None:
    with road(tmp_path, OPEN_FOR_A_DAY) as way:
        way.deliver("a.csv", "1,Dune,,2024-01-01")
        way.run()
        way.deliver("b.csv", "1,Emma,,2024-01-02", "1,Ulysses,,2024-01-03")
        (settled,) = way.run()
        assert (settled.counts.accepted, settled.counts.filtered, way.titles()) == (1, 1, {"1": "Emma"})


def test_an_earlier_version_draws_the_window_in_and_reopens_the_key(tmp_path: Path) -> None:
    with road(tmp_path, OPEN_FOR_A_DAY) as way:
        way.deliver("a.csv", "1,Emma,,2024-01-02", "2,Other,,")
        way.run()
        way.deliver("b.csv", "1,Ulysses,,2024-01-03")
        way.run()
        way.deliver("c.csv", "1,Dune,,2024-01-01")
        (settled,) = way.run()
        assert (way.titles()["1"], settled.counts.superseded, settled.revived) == ("Emma", 1, 1)
        opened = way.values("silver.loans", "_opened", where="loan = '1'")
        assert opened == [(datetime(2024, 1, 1, tzinfo=UTC),)]


def test_a_key_that_lost_its_winner_to_the_window_finds_it_again_in_bronze(tmp_path: Path) -> None:
    days = {"a": 3, "b": 4, "c": 2, "d": 1}
    with road(tmp_path, contract(key=("loan",), order_by="at", horizon=2 * DAY)) as way:
        for name, day in days.items():
            way.deliver(f"{name}.csv", f"1,{name},,2024-01-0{day}", "2,x,free,", "3")
            way.run()
        assert way.titles() == {"1": "a"}
        way.assert_conserved()


def test_pending_rows_are_cut_into_commits_by_batch(keyed: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silver, "ROWS_PER_COMMIT", 3)
    for name, count in (("a", 2), ("b", 1), ("c", 5), ("d", 1)):
        keyed.deliver(f"{name}.csv", *(f"{name}{number},Dune,," for number in range(count)))
        keyed.take()
    assert [one.counts.accepted for one in keyed.settle()] == [3, 5, 1]
    assert len(keyed.titles()) == 9


def test_batches_without_rows_are_passed(keyed: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silver, "ROWS_PER_COMMIT", 1)
    for name, lines in (("a", ()), ("b", ("1,Dune,,",)), ("c", ()), ("d", ("2,Emma",))):
        keyed.deliver(f"{name}.csv", *lines)
        keyed.take()
    keyed.settle()
    head = keyed.lake.head("silver.loans")
    assert (head.position("bronze.desk") if head else None) == "4"
    assert keyed.settle() == []


def test_two_sources_meet_in_one_dataset(tmp_path: Path) -> None:
    with road(tmp_path, OPEN_FOR_A_DAY, {"glob": "a*.csv"}, {"glob": "b*.csv", "name": "post"}) as way:
        way.deliver("a.csv", "1,Dune,,2024-01-01", "2,Emma,,2024-01-01")
        way.deliver("b.csv", "1,Ulysses,,2024-01-02")
        (settled,) = way.run()
        assert (settled.counts.rows_in, settled.counts.superseded) == (3, 1)
        assert way.values("silver.loans", "title", "_source") == [("Emma", "desk"), ("Ulysses", "post")]


def test_nothing_new_makes_no_commit(keyed: Road) -> None:
    keyed.deliver("a.csv", "1,Dune,,")
    keyed.run()
    before = keyed.lake.head("silver.loans")
    assert (keyed.run(), keyed.lake.head("silver.loans")) == ([], before)


def test_every_batch_is_recorded_with_its_fates(keyed: Road) -> None:
    keyed.deliver("a.csv", "1,Dune,,2024-01-02", "1,Dune,,2024-01-02", "1,Emma,,2024-01-01", "2,,free,", "3")
    keyed.run()
    (bronze,), (of_silver,) = keyed.batches("bronze.desk"), keyed.batches("silver.loans")
    fates = ("rows_in", "accepted", "quarantined", "duplicate", "superseded", "filtered")
    assert [bronze[fate] for fate in fates] == [5, 4, 1, 0, 0, 0]
    assert [of_silver[fate] for fate in fates] == [4, 1, 1, 1, 1, 0]
