"""How far topics are on their way into the lake, told about once a second by the process that lands them."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from penstock.runtime.parts import lives

FOLDER = "landing"


@dataclass(frozen=True)
class LandingState:
    """A topic as the process that lands it last told of it. Counts are since that process was started: `rows` taken into
    bronze, `malformed` of them, then `accepted` and `quarantined` by the contract. `lag` is what the log has and bronze
    has not, `rate` rows a second over the last ten seconds; `at` and `committed` (the last bronze commit) are
    microseconds since 1970, `batch` its number."""

    topic: str
    process: int
    at: int
    commits: int
    rows: int
    malformed: int
    accepted: int
    quarantined: int
    lag: int
    rate: float | None = None
    committed: int | None = None
    batch: int | None = None

    @property
    def is_running(self) -> bool:
        return lives(self.process)


def tell(root: Path, state: LandingState) -> None:
    """Write it where others look; nothing depends on it, so it is not synced, and a full disk may refuse it."""
    folder = root / FOLDER
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{state.topic}.{state.process}"
        draft.write_text(json.dumps(asdict(state)))
        draft.replace(folder / f"{state.topic}.json")


def landings_in(root: Path) -> tuple[LandingState, ...]:
    """What was told last of every topic of a data directory that was ever landed, by name."""
    found = (_read(path) for path in sorted((root / FOLDER).glob("*.json")))
    return tuple(one for one in found if one is not None)


def _read(path: Path) -> LandingState | None:
    with suppress(OSError, ValueError, TypeError):
        return LandingState(**json.loads(path.read_text()))
    return None
