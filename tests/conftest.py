"""What every suite shares: how hard Hypothesis tries, what coverage leaves out, and the real shop files."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.one_process import compiled, library, nothing_is_compiled_beside, released_once
from tests.unmeasured import only_ours_is_measured, unmeasured

__all__ = [
    "compiled",
    "library",
    "nothing_is_compiled_beside",
    "online_retail",
    "only_ours_is_measured",
    "released_once",
]

# No deadline: another process may hold the core. Without chance where CI is set: a red build must be red again.
settings.register_profile(
    "penstock", deadline=None, derandomize="CI" in os.environ, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("penstock")

# What takes longest begins first, so that no process is left with a long file at the end. What many wait for,
# the models of the shop and the metrics of the library compiled, is begun by one before the others need it.
LONG = (
    "commerce/test_models_grow.py",
    "docs/test_quickstart.py",
    "stream/test_up_killed.py",
    "commerce",
    "metrics/test_declaration.py",
    "runtime/test_demo.py",
    "flows",
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

# What these run is covered by the suites of the rooms; they ask whether it is right, many times over.
UNMEASURED = (
    "commerce",
    "docs",
    "flows",
    "lake/test_crash.py",
    "load/test_any_order.py",
    "load/test_versions_in_any_order.py",
    "release/test_release_crash.py",
    "release/test_release_states.py",
    "stream/test_same_rows.py",
    "transform/test_by_key.py",
    "vault/test_any_arrival.py",
)

REAL_FILES = Path(__file__).parent.parent.parent / "shared" / "data" / "online-retail"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; the order is otherwise as it was."""
    items.sort(key=lambda item: _place(item, LONG))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Nobody looks at the lines that a test runs, or its fixtures, when others cover them."""
    with unmeasured() if _place(item, UNMEASURED) < len(UNMEASURED) else nullcontext():
        return (yield)


def _place(item: pytest.Item, among: Sequence[str]) -> int:
    """The first of these files and folders that a test is in; their number when it is in none."""
    path = f"{item.path.relative_to(Path(__file__).parent).as_posix()}/"
    return next((place for place, begin in enumerate(among) if path.startswith(f"{begin}/")), len(among))


@pytest.fixture(scope="session")
def online_retail() -> Path:
    """The folder of the 305 real daily files; without it the test is skipped, and fails where CI is set."""
    folder = Path(os.environ.get("PENSTOCK_ONLINE_RETAIL", REAL_FILES))
    if not any(folder.glob("*.csv")):
        missing = f"NOT TESTED: no real shop files in {folder} (set PENSTOCK_ONLINE_RETAIL)"
        pytest.fail(missing) if "CI" in os.environ else pytest.skip(missing)
    return folder
