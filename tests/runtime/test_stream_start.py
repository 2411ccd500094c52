"""A stream is back at once after a restart: what it does not need is not imported."""

from __future__ import annotations

import subprocess
import sys


def test_a_stream_starts_neither_the_catalogue_nor_dbt() -> None:
    code = "import sys, penstock.runtime.stream; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"pyiceberg", "sqlalchemy", "dbt"} & {*done.stdout.split()} == set()
