"""What peers are made of is pinned."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.peers.environment import LOCKS


@pytest.mark.parametrize("lock", sorted(LOCKS.glob("*.txt")), ids=lambda path: path.stem)
def test_every_package_of_a_peer_has_hashes_and_no_index_is_named(lock: Path) -> None:
    lines = [line for line in lock.read_text().splitlines() if not line.lstrip().startswith("#")]
    packages = re.split(r"\n(?=\S)", "\n".join(lines))
    assert packages
    assert all(re.match(r"\S+==\S+.*--hash=sha256:", package, re.DOTALL) for package in packages)
    assert not [line for line in lines if line.startswith("-") or "://" in line]
