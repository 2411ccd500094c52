"""Content hashes of files that were touched without a change: what was hashed once is not read again."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from penstock.ingest.file import hash_content


class Hashes:
    """Hashes by path, size and time of change, kept in a file that can be lost at any time."""

    def __init__(self, kept: Path) -> None:
        self._kept = kept
        self._known = _read(kept)
        self._used: dict[str, list[object]] = {}

    def of(self, path: str, absolute: Path, status: os.stat_result) -> str:
        """The hash of the content, from memory where size and time are those it was computed for."""
        facts: list[object] = [status.st_size, status.st_mtime_ns]
        known = self._known.get(path)
        found = str(known[2]) if known is not None and known[:2] == facts else hash_content(absolute)
        self._used[path] = [*facts, found]
        return found

    def save(self) -> None:
        """Keep those that were asked for; where nothing may be written they are computed anew the next time."""
        if self._used == self._known or not self._kept.parent.is_dir():
            return
        with suppress(OSError):
            self._kept.write_text(json.dumps(self._used))


def _read(kept: Path) -> dict[str, list[object]]:
    try:
        known = json.loads(kept.read_text())
        return {path: facts for path, facts in known.items() if isinstance(facts, list) and len(facts) == 3}
    except (OSError, ValueError, AttributeError):
        return {}
