"""What a warehouse remembers of how it was built."""

from __future__ import annotations

import pytest

from penstock.transform.state import InputState, NodeState, WarehouseState


def test_a_state_survives_its_writing() -> None:
    state = WarehouseState("1", {"lines": InputState(7, "a BIGINT")}, {"model.x": NodeState("c", None)})
    assert WarehouseState.from_json(state.to_json()) == state


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"engine": 1, "inputs": [], "nodes": {}}'])
def test_what_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        WarehouseState.from_json(text)
