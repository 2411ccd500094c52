"""A peer's own virtual environment, made once by package name; its versions are recorded with the results."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ENVIRONMENTS = Path(__file__).resolve().parent.parent / ".venvs"


def python_of(name: str, packages: Sequence[str]) -> Path:
    """The peer's interpreter, with exactly these requirements installed."""
    folder = ENVIRONMENTS / name
    python, stamp = folder / "bin" / "python", folder / "packages.json"
    wanted = json.dumps(list(packages))
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        print(f"setting up the peer {name} (once): {' '.join(packages)}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *packages], check=True)
        stamp.write_text(wanted, encoding="utf-8")
    return python


def versions_of(python: Path, names: Sequence[str]) -> dict[str, str]:
    """Installed versions of these packages, as the peer's interpreter sees them."""
    code = "import importlib.metadata as m, json, sys; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    done = subprocess.run([str(python), "-c", code, *names], capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found
