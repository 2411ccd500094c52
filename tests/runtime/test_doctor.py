"""Doctor says what is well and what is not, and changes nothing unasked."""

from __future__ import annotations

import pytest

from penstock.runtime import doctor
from tests.flows.library import Library


def findings(library: Library, expected: int) -> dict[str, str]:
    document = library.call("doctor", "--json").expect(expected).document
    assert document["ok"] is (expected == 0)
    return {one["subject"]: one["text"] for one in document["findings"] if expected == 0 or not one["ok"]}


def test_a_healthy_installation_is_told_to_be_well(library: Library) -> None:
    found = findings(library, 0)
    assert set(found) == {"software", "disk", "source loans", "source members", "data", "serving store"}
    assert "dbt-core" in found["software"]
    assert found["source loans"] == "1 file can be read"
    assert found["data"].endswith("11 data files")


@pytest.mark.parametrize("damage", ["removed", "cut"])
def test_a_damaged_data_file_is_named(library: Library, damage: str) -> None:
    victim = next((library.data / "lake" / "gold" / "dim_member" / "data").rglob("*.parquet"))
    if damage == "removed":
        victim.unlink()
    else:
        victim.write_bytes(victim.read_bytes()[:100])
    assert str(victim) in findings(library, 1)["table gold.dim_member"]


@pytest.mark.parametrize("damage", ["removed", "cut"])
def test_a_query_over_a_damaged_data_file_sends_to_doctor(library: Library, damage: str) -> None:
    victim = next((library.data / "lake" / "gold" / "dim_member" / "data").rglob("*.parquet"))
    if damage == "removed":
        victim.unlink()
    else:
        victim.write_bytes(victim.read_bytes()[:100])
    assert "penstock doctor" in library.call("query", "SELECT * FROM gold.dim_member").expect(1).err


def test_a_damaged_metadata_file_is_named(library: Library) -> None:
    for metadata in (library.data / "lake" / "silver" / "loans" / "metadata").glob("*.metadata.json"):
        metadata.write_text("{")
    assert "silver/loans" in findings(library, 1)["data"]
    assert "silver/loans" in library.call("status").expect(1).err


def test_little_room_on_the_disk_is_told(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "ROOM_FOR_WORK", 1 << 62)
    assert "make room" in findings(library, 1)["disk"]


def test_looking_changes_nothing(library: Library) -> None:
    before = {path: path.read_bytes() for path in (library.data / "lake").rglob("*") if path.is_file()}
    findings(library, 0)
    assert {path: path.read_bytes() for path in (library.data / "lake").rglob("*") if path.is_file()} == before
