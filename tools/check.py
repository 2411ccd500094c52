"""Run every rule of the house (`tools/check_*.py`), one line each; exit 1 when one is broken."""

from __future__ import annotations

import subprocess
import sys
import time

from tools.finding import ROOT


def main() -> int:
    broken = 0
    for script in sorted((ROOT / "tools").glob("check_*.py")):
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", f"tools.{script.stem}"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        verdict = "ok" if done.returncode == 0 else "BROKEN"
        print(f"{script.stem:<18} {verdict:<7} {time.monotonic() - started:.1f} s", flush=True)
        print(done.stdout + done.stderr, end="")
        broken += done.returncode != 0
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
