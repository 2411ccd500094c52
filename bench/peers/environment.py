"""A peer's own virtual environment, made once by package name or from a lock; its versions are recorded with the results."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENTS, LOCKS = HERE.parent / ".venvs", HERE / "locks"


def python_of(name: str, packages: Sequence[str]) -> Path:
    """The peer's interpreter, with exactly these requirements installed."""
    return _made(name, packages, json.dumps(list(packages)))


def locked(name: str) -> Path:
    """The peer's interpreter, with what its lock under bench/peers/locks names, and nothing else."""
    lock = LOCKS / f"{name}.txt"
    return _made(
        name, ["--no-deps", "--require-hashes", "-r", str(lock)], hashlib.sha256(lock.read_bytes()).hexdigest()
    )


def _made(name: str, arguments: Sequence[str], stamp: str) -> Path:
    """Made anew when it was made of something else."""
    folder = ENVIRONMENTS / name
    python, made_of = folder / "bin" / "python", folder / "packages.json"
    if not made_of.is_file() or made_of.read_text(encoding="utf-8") != stamp:
        print(f"setting up the peer {name} (once)", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *arguments], check=True)
        made_of.write_text(stamp, encoding="utf-8")
    return python


def versions_of(python: Path, names: Sequence[str]) -> dict[str, str]:
    """Installed versions of these packages, as the peer's interpreter sees them."""
    code = "import importlib.metadata as m, json, sys; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    done = subprocess.run([str(python), "-c", code, *names], capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found
