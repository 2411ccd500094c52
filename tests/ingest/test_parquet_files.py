"""Parquet: every value as a canonical string, exact; a broken file is refused by name."""

from __future__ import annotations

import base64
import json
import math
import uuid
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import SourceBusy, SourceError
from penstock.ingest import parquet
from penstock.ingest.arrow_text import text_array
from penstock.ingest.reading import header, read_file
from penstock.spec.source import FileFormat
from tests.ingest.ingest_shapes import found, read, source

PARQUET = source(format=FileFormat.PARQUET)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (pa.int64(), -(2**63), "-9223372036854775808"),
        (pa.uint64(), 2**64 - 1, "18446744073709551615"),
        (pa.float64(), 0.1, "0.1"),
        (pa.float64(), math.inf, "inf"),
        (pa.bool_(), True, "true"),
        (pa.decimal128(38, 10), Decimal("0.0000000001"), "0.0000000001"),
        (pa.decimal128(10, 2), Decimal("-1.50"), "-1.50"),
        (pa.date32(), date(2024, 2, 29), "2024-02-29"),
        (pa.time64("us"), time(1, 2, 3), "01:02:03"),
        (pa.time64("us"), time(1, 2, 3, 40), "01:02:03.000040"),
        (pa.timestamp("us"), datetime(2024, 2, 29, 1, 2, 3), "2024-02-29T01:02:03"),  # noqa: DTZ001
        (pa.timestamp("ns"), 1, "1970-01-01T00:00:00.000000001"),
        (pa.timestamp("us", "Europe/Berlin"), datetime(2024, 7, 1, 12, tzinfo=UTC), "2024-07-01T12:00:00Z"),
        (pa.duration("s"), 90, "90"),
        (pa.binary(), b"\x00\xff", base64.b64encode(b"\x00\xff").decode()),
        (pa.binary(2), b"ab", "YWI="),
        (pa.uuid(), uuid.UUID(int=7).bytes, str(uuid.UUID(int=7))),
        (pa.dictionary(pa.int8(), pa.string()), "x", "x"),
        (pa.large_string(), "", ""),
        (pa.list_(pa.int64()), [1, None], "[1,null]"),
        (
            pa.struct([("b", pa.timestamp("ns")), ("a", pa.float64())]),
            {"b": 1, "a": math.nan},
            '{"a":"nan","b":"1970-01-01T00:00:00.000000001"}',
        ),
        (pa.map_(pa.string(), pa.decimal128(5, 2)), [("y", Decimal("1.10")), ("x", None)], '{"x":null,"y":1.10}'),
        (pa.map_(pa.int32(), pa.string()), [(1, "é")], '[[1,"é"]]'),
    ],
    ids=str,
)
def test_every_type_has_one_text(tmp_path: Path, kind: pa.DataType, value: Any, text: str) -> None:
    path = tmp_path / "a.parquet"
    storage = kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
    array = pa.array([value, None], storage)
    array = pa.ExtensionArray.from_storage(kind, array) if storage is not kind else array
    pq.write_table(pa.table({"v": array}), path)
    assert read(PARQUET, path).rows == [(1, {"v": text}), (2, {"v": None})]


NESTED = pa.list_(pa.struct([("a", pa.list_(pa.int64())), ("b", pa.string())]))
NESTED_VALUES = st.lists(
    st.none()
    | st.lists(
        st.none()
        | st.fixed_dictionaries(
            {
                "a": st.none() | st.lists(st.none() | st.integers(-9, 9), max_size=3),
                "b": st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
            }
        ),
        max_size=3,
    ),
    max_size=6,
)


@given(NESTED_VALUES, st.integers(0, 2))
def test_nested_values_are_canonical_json(values: list[Any], start: int) -> None:
    texts = text_array(pa.array(values, NESTED)[start:]).to_pylist()
    assert texts == [
        None if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        for value in values[start:]
    ]


@given(st.lists(st.floats() | st.none()))
def test_floats_lose_nothing(values: list[float | None]) -> None:
    for value, text in zip(values, text_array(pa.array(values, pa.float64())).to_pylist(), strict=True):
        same = text is None if value is None else float(text).hex() == value.hex()
        assert same


def test_rows_are_numbered_by_position_over_row_groups_and_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "PIECE_ROWS", 3)
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"v": range(10)}), path, row_group_size=4)
    assert read(PARQUET, path, batch_rows=2).rows == [(n + 1, {"v": str(n)}) for n in range(10)]


def test_columns_are_named_as_in_any_file_also_without_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table([pa.array([], pa.int64())] * 3, names=[" A ", "a", ""]), path)
    assert header(PARQUET, found(path)) == ("A", "a_2", "column_3")
    assert read(PARQUET, path).columns == ["A", "a_2", "column_3"]


@pytest.mark.parametrize("damage", ["cut", "footer", "middle", "empty", "other"])
def test_a_corrupt_file_is_refused_by_name(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"v": [str(n) for n in range(1000)]}), path, compression="snappy")
    data = path.read_bytes()
    path.write_bytes(
        {
            "cut": data[:-10],
            "footer": data[:-8] + b"\xff\xff\xff\x7fPAR1",
            "middle": data[:4] + b"\xff" * 200 + data[204:],
            "empty": b"",
            "other": b"id,name\n1,x\n",
        }[damage]
    )
    with pytest.raises(SourceError, match=r"a\.parquet: The Parquet file is corrupt: found .*Nothing of it was taken"):
        read(PARQUET, path)


def test_a_file_that_changes_under_the_reader_is_busy_not_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"v": range(10)}), path)
    file = found(path)
    pq.write_table(pa.table({"v": range(11)}), path)
    with pytest.raises(SourceBusy, match="changed while it was read"):
        list(read_file(PARQUET, file))
    path.write_bytes(b"PAR1")
    with pytest.raises(SourceBusy, match="changed while it was read"):
        list(read_file(PARQUET, file))


def test_parquet_in_a_wrapper_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet.gz"
    path.write_bytes(b"")
    with pytest.raises(SourceError, match="Parquet compresses inside"):
        read(PARQUET, path)
