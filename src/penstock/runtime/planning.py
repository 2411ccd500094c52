"""What a run of an installation would do now."""

from __future__ import annotations

from dataclasses import replace

from penstock.runtime.installation import Installation
from penstock.runtime.plan import Plan, make_plan
from penstock.runtime.state import read_state


def plan_run(installation: Installation) -> Plan:
    """The steps that a run would take now, with what changed models cost."""
    project = installation.project
    state = read_state(project, installation.place, installation.world)
    plan = make_plan(project, state)
    if not plan.steps:
        return plan
    from penstock.runtime.migration import rebuilds

    return make_plan(project, replace(state, rebuilds=rebuilds(installation)))
