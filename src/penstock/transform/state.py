"""What a warehouse was built from: kept inside it, compared before the next build."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class InputState:
    """The snapshot of a silver dataset and the names and types its rows had."""

    snapshot_id: int | None
    columns: str


@dataclass(frozen=True)
class NodeState:
    """A model or test as it was built: `code` is a fingerprint of all that can change its rows. `rows` are those it
    has, `seconds` what it took when it was last made from nothing."""

    code: str
    content_hash: str | None = None
    rows: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class WarehouseState:
    """All that decides what a next build must do. `engine` names the versions of the software that built it."""

    engine: str
    inputs: Mapping[str, InputState] = field(default_factory=dict)
    nodes: Mapping[str, NodeState] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> WarehouseState:
        """The state written by `to_json`; ValueError when it is something else."""
        try:
            value = json.loads(text)
            return cls(
                engine=value["engine"],
                inputs={name: InputState(**state) for name, state in value["inputs"].items()},
                nodes={name: NodeState(**state) for name, state in value["nodes"].items()},
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("not a warehouse state") from error
