"""The plan: a pure function of the project and what is there."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from penstock.ingest.discovery import Discovery
from penstock.ingest.file import FoundFile
from penstock.runtime.plan import ConformRows, Pending, Plan, ReleaseGold, State, TakeFiles, make_plan
from penstock.spec.loading import load_project
from penstock.spec.project import Project
from tests.flows.command import ROOT

NOTHING = Discovery((), (), (), (), (), 0)


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(ROOT / "projects" / "library", environment={})


def file(name: str, size: int) -> FoundFile:
    return FoundFile(name, Path("/inbox") / name, size, 0, "hash", f"id of {name}", name, None)


def state(
    *, loans: int = 0, members: int = 0, waiting: int = 0, rebuild: str | None = None, gold: str | None = None
) -> State:
    """New files of both sources, rows that wait for silver.loans, and why gold does not follow."""
    found = {
        name: replace(NOTHING, new=tuple(file(f"{name}{n}", 10) for n in range(number)))
        for name, number in (("loans", loans), ("members", members))
    }
    pending = {"loans": Pending(waiting, waiting * 7, rebuild), "members": Pending(0, 0)}
    return State(found, pending, gold, release=4)


@pytest.mark.parametrize(
    ("now", "steps"),
    [
        (state(), []),
        (state(gold="the models changed"), ["release: the models changed"]),
        (state(loans=2), ["take 2 loans", "conform loans: new files", "release: silver changes"]),
        (state(members=1), ["take 1 members", "conform members: new files", "release: silver changes"]),
        (
            state(loans=1, members=3),
            [
                "take 1 loans",
                "take 3 members",
                "conform loans: new files",
                "conform members: new files",
                "release: silver changes",
            ],
        ),
        (state(waiting=2), ["conform loans: 14 rows are waiting", "release: silver changes"]),
        (state(rebuild="so"), ["conform loans: all rows again: so", "release: silver changes"]),
        (
            state(loans=1, waiting=1, rebuild="so", gold="silver changed"),
            ["take 1 loans", "conform loans: all rows again: so", "release: silver changes"],
        ),
    ],
)
def test_what_is_there_decides_the_steps_and_their_order(project: Project, now: State, steps: list[str]) -> None:
    assert [short(step) for step in make_plan(project, now).steps] == steps


def short(step: object) -> str:
    match step:
        case TakeFiles():
            return f"take {step.files} {step.source}"
        case ConformRows():
            return f"conform {step.dataset}: {step.reason}"
        case ReleaseGold():
            return f"release: {step.reason}"
    raise AssertionError(step)


STATES = [
    state(loans=loans, members=members, waiting=waiting, rebuild=rebuild, gold=gold)
    for loans, members, waiting, rebuild, gold in product((0, 2), (0, 1), (0, 3), (None, "so"), (None, "because"))
]


@pytest.mark.parametrize("now", STATES)
def test_every_state_has_one_plan_that_follows_the_road(project: Project, now: State) -> None:
    plan = make_plan(project, now)
    assert plan == make_plan(project, now)
    assert plan.release == now.release
    order = [(TakeFiles, ConformRows, ReleaseGold).index(type(step)) for step in plan.steps]
    assert order == sorted(order)
    taken = {step.dataset for step in plan.steps if isinstance(step, TakeFiles)}
    conformed = [step.dataset for step in plan.steps if isinstance(step, ConformRows)]
    assert taken <= set(conformed)
    assert len(conformed) == len(set(conformed))
    changes = bool(conformed) or now.gold_reason is not None
    assert [isinstance(step, ReleaseGold) for step in plan.steps[-1:]] == ([True] if changes else [])


def test_a_project_without_models_releases_nothing(project: Project) -> None:
    bare = replace(project, models=None)
    plan = make_plan(bare, state(loans=1, gold="nothing was released yet"))
    assert [type(step) for step in plan.steps] == [TakeFiles, ConformRows]


def test_a_step_tells_its_size(project: Project) -> None:
    [take, *_] = make_plan(project, state(loans=3)).steps
    assert str(take) == "take 3 files (30 bytes) of loans into bronze.loans"
    assert Plan((take,), 4).as_record() == {
        "release": 4,
        "steps": [
            {"step": "TakeFiles", "source": "loans", "dataset": "loans", "files": 3, "bytes": 30, "does": str(take)}
        ],
    }
