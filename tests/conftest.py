"""What every suite shares: how hard Hypothesis tries, what coverage leaves out, and the real shop files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.unmeasured import only_ours_is_measured

__all__ = ["online_retail", "only_ours_is_measured"]

# No deadline: another process may hold the core. Without chance where CI is set: a red build must be red again.
settings.register_profile(
    "penstock", deadline=None, derandomize="CI" in os.environ, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("penstock")

# What takes longest begins first, so that no process is left with a long file at the end.
LONG = (
    "commerce",
    "runtime/test_demo.py",
    "flows",
    "stream/test_up_killed.py",
    "stream/test_stream_crash.py",
    "stream/test_up_full.py",
    "docs",
    "metrics",
    "release/test_release_crash.py",
    "lake/test_crash.py",
    "load/test_any_order.py",
    "cli",
    "stream",
    "runtime",
)

REAL_FILES = Path(__file__).parent.parent.parent / "shared" / "data" / "online-retail"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; the order is otherwise as it was."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    path = f"{item.path.relative_to(Path(__file__).parent).as_posix()}/"
    return next((turn for turn, begin in enumerate(LONG) if path.startswith(f"{begin}/")), len(LONG))


@pytest.fixture(scope="session")
def online_retail() -> Path:
    """The folder of the 305 real daily files; without it the test is skipped, and fails where CI is set."""
    folder = Path(os.environ.get("PENSTOCK_ONLINE_RETAIL", REAL_FILES))
    if not any(folder.glob("*.csv")):
        missing = f"NOT TESTED: no real shop files in {folder} (set PENSTOCK_ONLINE_RETAIL)"
        pytest.fail(missing) if "CI" in os.environ else pytest.skip(missing)
    return folder
