"""Shops by chance: whatever changes of them from day to day, the models grow into what a build from nothing makes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from penstock.runtime.place import DataDirectory
from penstock.transform.result import Build
from tests.commerce.chance_shop import ChanceShop, Change
from tests.commerce.contents import differences
from tests.commerce.hand_shop import COMMERCE, begin
from tests.transform.small_shop import Site

MODELS = COMMERCE / "models"


@pytest.fixture
def site(tmp_path: Path, compiled: Path) -> Site:
    begin(tmp_path / "data", compiled)
    return Site(DataDirectory(tmp_path / "data").cache, tmp_path)


def failed(build: Build) -> set[str]:
    return {test.name for test in build.tests if test.failures}


def told(changes: Mapping[str, Change]) -> list[str]:
    came = [f"{name}: came {row}" for name, change in changes.items() for row in change.came.values()]
    return came + [f"{name}: went {key}" for name, change in changes.items() for key in change.went]


@pytest.mark.parametrize(
    ("seed", "days"),
    [(103, 3), (154, 3), *(pytest.param(seed, 6, marks=pytest.mark.faults) for seed in range(40))],
)
def test_what_grows_from_day_to_day_is_what_is_made_from_nothing(
    seed: int, days: int, tmp_path: Path, site: Site
) -> None:
    shop = ChanceShop(tmp_path / "silver", seed)
    whole = site.build(shop.everything(), models=MODELS)
    base = site.release(whole)
    for day in range(1, days + 1):
        changes, inputs = shop.next_day()
        grown, refused = site.build(inputs, base=base, models=MODELS), failed(whole)
        base = site.release(grown)
        whole = site.build(shop.everything(), models=MODELS)
        # A test judges rows that came alone once it passed: what it refused before would not have been released.
        wrong = differences(base, whole.database)
        wrong += [f"{test}: fails in one build only" for test in sorted((failed(grown) ^ failed(whole)) - refused)]
        assert not wrong, "\n".join([f"seed {seed}, day {day}", *wrong, *told(changes)])
