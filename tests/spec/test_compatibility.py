"""What may change in a contract without making silver again: held against rows and a plain reading of the rules."""

from __future__ import annotations

import dataclasses
import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.spec.compatibility import Change, ChangeKind, compare, is_compatible
from penstock.spec.contract import (
    Classification,
    Column,
    Contract,
    Dedupe,
    Evolution,
    Format,
    LogicalType,
    PartitionField,
    Reference,
    RowRule,
)

TITLE = Column(id="title", name="title", type=LogicalType.STRING)
COPIES = Column(id="copies", name="copies", type=LogicalType.INTEGER)
PRICE = Column(id="price", name="price", type=LogicalType.DECIMAL, precision=8, scale=2)
ISBN = Column(id="isbn", name="isbn", type=LogicalType.STRING, required=True)


def contract(*columns: Column, **facts: Any) -> Contract:
    base = Contract(
        dataset="books",
        version="1",
        description="",
        owner="",
        columns=(ISBN, *columns),
        key=("isbn",),
        dedupe=Dedupe(),
        evolution=Evolution.EVOLVE,
        partitions=(),
        rules=(),
        references=(),
        freshness=None,
        path=Path("contracts/books.yml"),
        fingerprint="",
    )
    return dataclasses.replace(base, **facts)


def one_change(old: Contract, new: Contract) -> Change:
    (change,) = compare(old, new)
    return change


@pytest.mark.parametrize(
    ("before", "after", "kind", "is_fine"),
    [
        ({}, {"required": True}, ChangeKind.NARROWED, False),
        ({"required": True}, {}, ChangeKind.WIDENED, True),
        ({}, {"enum": ("1",)}, ChangeKind.NARROWED, False),
        ({"enum": ("1",)}, {"enum": ("1", "2")}, ChangeKind.WIDENED, True),
        ({"enum": ("1", "2")}, {"enum": ("2", "3")}, ChangeKind.NARROWED, False),
        ({"enum": ("1",)}, {}, ChangeKind.WIDENED, True),
        ({"minimum": "2"}, {"minimum": "10"}, ChangeKind.NARROWED, False),  # as numbers, not as text
        ({"minimum": "10"}, {"minimum": "2"}, ChangeKind.WIDENED, True),
        ({"minimum": "2"}, {"minimum": "2", "exclusive_minimum": True}, ChangeKind.NARROWED, False),
        ({"maximum": "2", "exclusive_maximum": True}, {"maximum": "2"}, ChangeKind.WIDENED, True),
        ({"maximum": "2"}, {"maximum": "1"}, ChangeKind.NARROWED, False),
        ({}, {"maximum": "1"}, ChangeKind.NARROWED, False),
        ({"maximum": "1"}, {}, ChangeKind.WIDENED, True),
        ({}, {"min_length": 1}, ChangeKind.NARROWED, False),
        ({"min_length": 2}, {"min_length": 1}, ChangeKind.WIDENED, True),
        ({"max_length": 2}, {"max_length": 1}, ChangeKind.NARROWED, False),
        ({"max_length": 2}, {}, ChangeKind.WIDENED, True),
        ({}, {"pattern": "a"}, ChangeKind.NARROWED, False),
        ({"pattern": "a"}, {"pattern": "b"}, ChangeKind.NARROWED, False),
        ({"pattern": "a"}, {}, ChangeKind.WIDENED, True),
        ({}, {"format": Format.UUID}, ChangeKind.NARROWED, False),
        ({}, {"name": "copies_owned"}, ChangeKind.RENAMED, True),
        ({}, {"id": "other"}, None, False),
        ({}, {"type": LogicalType.NUMBER}, ChangeKind.RETYPED, False),
        ({}, {"classification": Classification.PERSONAL}, ChangeKind.RECLASSIFIED, False),
        ({"classification": Classification.PERSONAL}, {}, ChangeKind.RECLASSIFIED, True),
        ({}, {"description": "How many."}, None, True),
        ({}, {"aliases": ("count",)}, None, True),
    ],
)
def test_a_change_of_a_column(
    before: dict[str, Any], after: dict[str, Any], kind: ChangeKind | None, is_fine: bool
) -> None:
    changes = compare(contract(dataclasses.replace(COPIES, **before)), contract(dataclasses.replace(COPIES, **after)))

    assert is_compatible(changes) is is_fine
    if kind is not None:
        assert [change.kind for change in changes] == [kind]


@pytest.mark.parametrize(
    ("size", "kind", "is_fine"),
    [
        ((9, 2), ChangeKind.WIDENED, True),
        ((7, 2), ChangeKind.RETYPED, False),
        ((9, 3), ChangeKind.RETYPED, False),
        ((8, 1), ChangeKind.RETYPED, False),
    ],
)
def test_a_decimal_grows_only_before_the_point(size: tuple[int, int], kind: ChangeKind, is_fine: bool) -> None:
    new = dataclasses.replace(PRICE, precision=size[0], scale=size[1])

    change = one_change(contract(PRICE), contract(new))

    assert (change.kind, change.compatible) == (kind, is_fine)


@pytest.mark.parametrize(
    ("before", "after", "kind", "is_fine"),
    [
        ({}, {"key": ("isbn", "title")}, ChangeKind.KEY, False),
        ({"key": ("isbn", "title")}, {"key": ("title", "isbn")}, ChangeKind.KEY, False),
        ({}, {"dedupe": Dedupe("copies")}, ChangeKind.DEDUPE, False),
        ({}, {"dedupe": Dedupe(None, timedelta(days=1))}, ChangeKind.DEDUPE, False),
        ({}, {"partitions": (PartitionField("title", "identity"),)}, ChangeKind.PARTITIONS, False),
        ({}, {"rules": (RowRule("some", "copies > 0"),)}, ChangeKind.RULES, False),
        ({"rules": (RowRule("some", "copies > 0"),)}, {}, ChangeKind.RULES, True),
        (
            {"rules": (RowRule("some", "copies > 0"),)},
            {"rules": (RowRule("some", "copies > 1"),)},
            ChangeKind.RULES,
            False,
        ),
        (
            {"rules": (RowRule("some", "copies > 0"),)},
            {"rules": (RowRule("any", "copies > 0"),)},
            ChangeKind.RULES,
            True,
        ),
        ({}, {"references": (Reference(("title",), "titles", ("title",)),)}, ChangeKind.REFERENCES, True),
        ({}, {"evolution": Evolution.FREEZE}, ChangeKind.EVOLUTION, True),
        ({}, {"freshness": timedelta(days=1)}, ChangeKind.FRESHNESS, True),
        ({}, {"dataset": "volumes"}, ChangeKind.DATASET, False),
    ],
)
def test_a_change_of_the_dataset(
    before: dict[str, Any], after: dict[str, Any], kind: ChangeKind, is_fine: bool
) -> None:
    change = one_change(contract(TITLE, COPIES, **before), contract(TITLE, COPIES, **after))

    assert (change.kind, change.column, change.compatible) == (kind, None, is_fine)


def test_a_rename_is_no_change_of_key_order_or_partition() -> None:
    facts: dict[str, Any] = {"dedupe": Dedupe("copies"), "partitions": (PartitionField("copies", "identity"),)}
    renamed: dict[str, Any] = {"dedupe": Dedupe("owned"), "partitions": (PartitionField("owned", "identity"),)}
    new_key = dataclasses.replace(ISBN, name="number")

    changes = compare(
        contract(COPIES, **facts),
        contract(
            dataclasses.replace(COPIES, name="owned"),
            **renamed,
            columns=(new_key, dataclasses.replace(COPIES, name="owned")),
            key=("number",),
        ),
    )

    assert [(change.kind, change.column) for change in changes] == [
        (ChangeKind.RENAMED, "number"),
        (ChangeKind.RENAMED, "owned"),
    ]


def test_two_columns_may_exchange_their_names() -> None:
    changes = compare(
        contract(TITLE, COPIES),
        contract(dataclasses.replace(TITLE, name="copies"), dataclasses.replace(COPIES, name="title")),
    )

    assert [change.kind for change in changes] == [ChangeKind.RENAMED, ChangeKind.RENAMED]


def test_a_new_column_must_allow_for_rows_without_it() -> None:
    assert one_change(contract(), contract(TITLE)).compatible
    assert not one_change(contract(), contract(dataclasses.replace(TITLE, required=True))).compatible


def test_a_name_under_a_new_id_loses_its_values() -> None:
    kinds = [change.kind for change in compare(contract(TITLE), contract(dataclasses.replace(TITLE, id="caption")))]

    assert kinds == [ChangeKind.ADDED, ChangeKind.REMOVED]


def test_personal_keys_are_held_in_another_form() -> None:
    personal = dataclasses.replace(ISBN, classification=Classification.PERSONAL)

    assert not one_change(contract(), contract(columns=(personal,))).compatible
    assert not one_change(contract(columns=(personal,)), contract()).compatible


@st.composite
def whole_number_columns(draw: st.DrawFn) -> Column:
    bound = st.none() | st.integers(-2, 6).map(str)
    return dataclasses.replace(
        COPIES,
        required=draw(st.booleans()),
        enum=draw(st.none() | st.sets(st.integers(-2, 6).map(str), min_size=1).map(tuple)),
        minimum=draw(bound),
        maximum=draw(bound),
        exclusive_minimum=draw(st.booleans()),
        exclusive_maximum=draw(st.booleans()),
    )


@st.composite
def text_columns(draw: st.DrawFn) -> Column:
    return dataclasses.replace(
        TITLE,
        required=draw(st.booleans()),
        min_length=draw(st.none() | st.integers(0, 3)),
        max_length=draw(st.none() | st.integers(0, 3)),
        pattern=draw(st.none() | st.sampled_from(["a", "^a", "b$"])),
        enum=draw(st.none() | st.just(("a", "ab"))),
    )


def accepts(column: Column, value: Any) -> bool:
    if value is None:
        return not column.required
    tests = [column.enum is None or str(value) in column.enum]
    if isinstance(value, str):
        tests.append(column.min_length is None or len(value) >= column.min_length)
        tests.append(column.max_length is None or len(value) <= column.max_length)
        tests.append(column.pattern is None or re.search(column.pattern, value) is not None)
        return all(tests)
    if column.minimum is not None:
        low = Decimal(column.minimum)
        tests.append(value > low if column.exclusive_minimum else value >= low)
    if column.maximum is not None:
        high = Decimal(column.maximum)
        tests.append(value < high if column.exclusive_maximum else value <= high)
    return all(tests)


@settings(max_examples=300)
@given(whole_number_columns(), whole_number_columns())
def test_compatible_limits_accept_every_number_that_was_accepted(old: Column, new: Column) -> None:
    if is_compatible(compare(contract(old), contract(new))):
        for value in (None, *range(-4, 9)):
            assert not accepts(old, value) or accepts(new, value)


@settings(max_examples=300)
@given(text_columns(), text_columns())
def test_compatible_limits_accept_every_text_that_was_accepted(old: Column, new: Column) -> None:
    if is_compatible(compare(contract(old), contract(new))):
        for value in (None, "", "a", "b", "ab", "ba", "aaa", "abab"):
            assert not accepts(old, value) or accepts(new, value)


def test_an_open_bound_that_is_not_there_is_no_change() -> None:
    assert compare(contract(COPIES), contract(dataclasses.replace(COPIES, exclusive_minimum=True))) == ()


@given(whole_number_columns())
def test_nothing_changed_is_nothing_to_say(column: Column) -> None:
    assert compare(contract(column), contract(column)) == ()
