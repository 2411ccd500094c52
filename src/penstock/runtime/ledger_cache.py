"""What the ledger of a source holds, without opening the lake where the last reading still stands."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.ingest.file import KnownFile

if TYPE_CHECKING:
    from penstock.lake.lake import Lake


def recall(cache: Path, source: str, metadata_location: str) -> tuple[KnownFile, ...] | None:
    """The files as remembered for exactly this state of the ledger, or None."""
    try:
        remembered = json.loads(_path(cache, source).read_text())
        if remembered["metadata"] != metadata_location:
            return None
        return tuple(KnownFile(**file) for file in remembered["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def spare(lake: Lake, source: str, metadata_location: str, remembered: tuple[KnownFile, ...]) -> tuple[KnownFile, ...]:
    """What is remembered, and the lake need not read it either."""
    from penstock.lake.ledger import ledger_spec
    from penstock.load.ledger import files_in

    head = lake.head(ledger_spec(source).name)
    if head is not None and head.metadata_location == metadata_location:
        lake.tell(head, files_in, remembered)
    return remembered


def remember(cache: Path, lake: Lake, source: str) -> tuple[KnownFile, ...]:
    """Read the ledger and keep what it says for the next time."""
    from penstock.lake.ledger import ledger_spec
    from penstock.load.ledger import known_files

    head = lake.head(ledger_spec(source).name)
    files = known_files(lake, source)
    if head is not None and lake.is_writable:
        cache.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"metadata": head.metadata_location, "files": [asdict(file) for file in files]})
        _path(cache, source).write_text(text)
    return files


def _path(cache: Path, source: str) -> Path:
    return cache / f"ledger-{source}.json"
