"""What a run of an installation would do now."""

from __future__ import annotations

from dataclasses import replace

from penstock.errors import DeclarationError
from penstock.runtime.installation import Installation
from penstock.runtime.plan import Plan, make_plan
from penstock.runtime.state import read_state


def plan_run(installation: Installation) -> Plan:
    """The steps that a run would take now, with what changed models cost; DeclarationError where the tables cannot follow
    their contracts."""
    project = installation.project
    state = read_state(project, installation.place, installation.world)
    plan = make_plan(project, state)
    if not plan.steps:
        return plan
    from penstock.runtime.evolution import problems_of_evolution
    from penstock.runtime.migration import migration

    if problems := problems_of_evolution(installation):
        raise DeclarationError("The data that are there cannot follow the contracts", problems=problems)
    return make_plan(project, replace(state, migration=migration(installation)))
