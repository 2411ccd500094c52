"""What topologies remember and how far they are, told about once a second by the process that runs them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from penstock.runtime.installation import Installation
from penstock.runtime.parts import lives

FOLDER = "streams"


@dataclass(frozen=True)
class TopologyState:
    """A topology as its process last told of it. `keys`: how much each step remembers. `watermark` and `at` are
    microseconds since 1970, None before the first event; `counts` since the process was started, and `latency` as its record says. `rate` is rows a second over the last ten
    seconds, `committed` the instant of the last round."""

    topology: str
    process: int
    at: int
    round: int
    watermark: int | None
    lag: int
    keys: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    tables: Mapping[str, int] = field(default_factory=dict)
    latency: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rate: float | None = None
    committed: int | None = None

    @property
    def is_running(self) -> bool:
        return lives(self.process)


def tell(installation: Installation, state: TopologyState) -> None:
    """Write it where others look; nothing depends on it, so it is not synced."""
    folder = installation.place.root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{state.topology}.{state.process}"
    draft.write_text(json.dumps(asdict(state)))
    draft.replace(folder / f"{state.topology}.json")


def read_states(installation: Installation) -> tuple[TopologyState, ...]:
    """What was told last of every topology that ever ran here, by name."""
    return states_in(installation.place.root)


def states_in(root: Path) -> tuple[TopologyState, ...]:
    """The same for a data directory."""
    found = []
    for path in sorted((root / FOLDER).glob("*.json")):
        state = _read(path)
        if state is not None:
            found.append(state)
    return tuple(found)


def _read(path: Path) -> TopologyState | None:
    with suppress(OSError, ValueError, TypeError):
        return TopologyState(**json.loads(path.read_text()))
    return None
