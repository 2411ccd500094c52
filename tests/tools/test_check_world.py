from pathlib import Path

import pytest

from tools.check_world import findings


def write(root: Path, module: str, content: str) -> None:
    path = root / "src" / "penstock" / module
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


@pytest.mark.parametrize(
    "content",
    [
        "from datetime import datetime\nx = datetime.now()\n",
        "import datetime as dt\nx = dt.datetime.now(dt.UTC)\n",
        "from datetime import date\nx = date.today()\n",
        "import time\nx = time.time()\n",
        "from time import monotonic\n",
        "import uuid\nx = uuid.uuid4()\n",
        "def late():\n    import random\n",
        "import numpy as np\nx = np.random.default_rng()\n",
        "import os\nx = os.urandom(3)\n",
    ],
)
def test_clock_randomness_and_ids_stand_only_in_world(tmp_path: Path, content: str) -> None:
    write(tmp_path, "lake/commit.py", content)
    assert {finding.path for finding in findings(tmp_path)} == {"src/penstock/lake/commit.py"}


def test_the_world_itself_may_read_the_clock(tmp_path: Path) -> None:
    write(tmp_path, "world.py", "from datetime import UTC, datetime\nx = datetime.now(UTC)\n")
    assert list(findings(tmp_path)) == []


def test_a_progress_bar_may_use_a_stopwatch_but_not_the_clock(tmp_path: Path) -> None:
    write(tmp_path, "cli/progress.py", "import time\nx = time.monotonic()\n")
    assert list(findings(tmp_path)) == []

    write(tmp_path, "cli/progress.py", "import time\nx = time.time()\n")
    assert len(list(findings(tmp_path))) == 1


def test_what_the_input_determines_is_allowed(tmp_path: Path) -> None:
    write(tmp_path, "lake/commit.py", "import uuid\nfrom datetime import UTC, datetime\nx = uuid.UUID(int=1)\n")
    write(tmp_path, "load/bronze.py", "def stamp(world):\n    return world.clock.now()\n")
    assert list(findings(tmp_path)) == []


def test_only_runtime_makes_the_real_world(tmp_path: Path) -> None:
    making = "from penstock.world import real_world\n"
    write(tmp_path, "runtime/place.py", making)
    assert list(findings(tmp_path)) == []

    write(tmp_path, "load/bronze.py", making)
    assert len(list(findings(tmp_path))) == 1


def test_a_heavy_library_is_found_through_the_modules_that_start_up_imports(tmp_path: Path) -> None:
    write(tmp_path, "cli/main.py", "from penstock.runtime import apply\n")
    write(tmp_path, "runtime/apply.py", "def run():\n    import duckdb\n")
    assert list(findings(tmp_path)) == []

    write(tmp_path, "runtime/apply.py", "try:\n    import duckdb\nexcept ImportError:\n    duckdb = None\n")
    (finding,) = findings(tmp_path)
    assert (finding.path, finding.line) == ("src/penstock/runtime/apply.py", 2)


def test_imports_for_types_only_cost_no_start_up(tmp_path: Path) -> None:
    write(tmp_path, "spec/contract.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pyarrow\n")
    assert list(findings(tmp_path)) == []
