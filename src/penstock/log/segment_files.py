"""The files of segments in a folder, by number."""

from __future__ import annotations

import os
from pathlib import Path

SUFFIX = ".db"


def numbers(root: Path) -> list[int]:
    """The segments of a folder, oldest first; none when it is not there."""
    try:
        names = os.listdir(root)  # asked in every round: making paths of them would take ten times as long
    except FileNotFoundError:
        return []
    return sorted(int(name.removesuffix(SUFFIX)) for name in names if name.endswith(SUFFIX))


def segment_path(root: Path, number: int) -> Path:
    """Where a segment of a folder is."""
    return root / segment_name(number)


def segment_name(number: int) -> str:
    """Its file, so that names are in the order of numbers."""
    return f"{number:010d}{SUFFIX}"
