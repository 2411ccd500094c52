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

REAL_FILES = Path(__file__).parent.parent.parent / "shared" / "data" / "online-retail"


@pytest.fixture(scope="session")
def online_retail() -> Path:
    """The folder of the 305 real daily files; without it the test is skipped, and fails where CI is set."""
    folder = Path(os.environ.get("PENSTOCK_ONLINE_RETAIL", REAL_FILES))
    if not any(folder.glob("*.csv")):
        missing = f"NOT TESTED: no real shop files in {folder} (set PENSTOCK_ONLINE_RETAIL)"
        pytest.fail(missing) if "CI" in os.environ else pytest.skip(missing)
    return folder
