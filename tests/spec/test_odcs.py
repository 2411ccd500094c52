"""The quick answer to whether a contract is one of the standard, and the one that tells what is wrong."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.spec import odcs
from tests.spec.lending_library import Library

CONTRACTS = [
    yaml.safe_load(path.read_text())
    for path in sorted((Path(__file__).parents[2] / "projects").glob("*/contracts/*.y*ml"))
]
WORDS = (
    "",
    "x",
    "string",
    "number",
    "date",
    "required",
    "name",
    "id",
    "logicalType",
    "type",
    "rule",
    "mustBe",
    "v3.1.0",
)
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2**70),
    st.floats(),
    st.sampled_from(WORDS),
    st.text(max_size=5),
    st.just([]),
    st.just({}),
    st.lists(st.sampled_from(WORDS), max_size=3),
    st.dictionaries(st.sampled_from(WORDS), st.sampled_from(WORDS), max_size=3),
)


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    contract = copy.deepcopy(draw(st.sampled_from(CONTRACTS)))
    for _ in range(draw(st.integers(0, 3))):
        places = list(_places(contract))
        if not places:
            break
        holder, at = draw(st.sampled_from(places))
        match draw(st.sampled_from(["value", "drop", "add"])):
            case "value":
                holder[at] = draw(VALUES)
            case "drop":
                del holder[at]
            case _ if isinstance(holder, dict):
                holder[draw(st.sampled_from(WORDS))] = draw(VALUES)
            case _:
                holder.append(draw(VALUES))
    return contract


def _places(value: Any) -> Any:
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


@settings(max_examples=300, deadline=None)
@given(damaged())
def test_both_say_the_same(contract: Any) -> None:
    says_nothing = next(odcs._validator().iter_errors(contract), None) is None
    assert odcs.meets_standard(contract) == says_nothing


def test_what_json_cannot_say_is_left_to_the_one_that_tells() -> None:
    deep: Any = "x"
    for _ in range(10_000):
        deep = [deep]
    assert not odcs.meets_standard(deep)
    assert not odcs.meets_standard({"version": float("nan")})


def test_contracts_that_are_right_need_the_quick_answer_alone(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(odcs, "_validator")
    library.load()
