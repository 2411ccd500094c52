"""Whether there is anything to build, and what a warehouse remembers."""

from __future__ import annotations

import pytest

from penstock.transform.state import InputState, NodeState, WarehouseState, needed


@pytest.mark.parametrize(
    ("models", "inputs", "expected"),
    [
        ("a", {"lines": 1}, False),
        ("b", {"lines": 1}, True),
        ("a", {"lines": 2}, True),
        ("a", {"lines": None}, True),
        ("a", {"lines": 1, "more": None}, True),
        ("a", {}, True),
    ],
)
def test_a_build_is_needed_when_models_or_a_snapshot_differ(
    models: str, inputs: dict[str, int | None], expected: bool
) -> None:
    found = needed(models_fingerprint=models, inputs=inputs, built_models_fingerprint="a", built_inputs={"lines": 1})
    assert found is expected


def test_a_first_build_is_needed_even_without_inputs() -> None:
    assert needed(models_fingerprint="a", inputs={}, built_models_fingerprint=None, built_inputs={})


def test_a_state_survives_its_writing() -> None:
    state = WarehouseState("1", {"lines": InputState(7, "a BIGINT")}, {"model.x": NodeState("c", None)})
    assert WarehouseState.from_json(state.to_json()) == state


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"engine": 1, "inputs": [], "nodes": {}}'])
def test_what_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        WarehouseState.from_json(text)
