"""Fingerprints: what a declaration means, not how its file is written.

A fingerprint is the SHA-256 (hex) of canonical JSON: keys sorted, no blanks, UTF-8, durations as
ISO 8601, absence as null. Golden values in the tests: changing this module rebuilds everybody's data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import Enum
from pathlib import Path

from penstock.spec.duration import format_duration

_SKIPPED_FOLDERS = {"target", "logs", "__pycache__"}


def fingerprint(kind: str, meaning: Mapping[str, object], parents: Sequence[str] = ()) -> str:
    """The fingerprint of one declaration: its kind, what it means, and the fingerprints of what it stands on."""
    document = {"kind": kind, "meaning": _canonical(meaning), "parents": list(parents)}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _canonical(value: object) -> object:
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): _canonical(child) for key, child in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(child) for child in value]
    return value


def folder_fingerprint(folder: Path) -> str:
    """The fingerprint of every file below a folder by relative path and content; what tools leave behind
    (target, logs, hidden files) is not counted. An unreadable file is an OSError."""
    digest = hashlib.sha256(b"folder\0")
    for path in sorted(_files(folder), key=lambda path: path.relative_to(folder).as_posix()):
        name = path.relative_to(folder).as_posix().encode("utf-8", "surrogateescape")
        content = path.read_bytes()
        digest.update(b"%d:%s%d:" % (len(name), name, len(content)))
        digest.update(content)
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if path.name not in _SKIPPED_FOLDERS:
                found.extend(_files(path))
        elif path.is_file():
            found.append(path)
    return found
