"""Making a release: every changed gold table and the record of the release move in one transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from penstock.errors import GateFailed
from penstock.lake.lake import Lake
from penstock.lake.lease import Lease
from penstock.quality.masking import personal_columns
from penstock.quality.result import CheckResult
from penstock.quality.results import SPEC as RESULTS_SPEC
from penstock.quality.results import result_rows
from penstock.quality.verdict import ModelTest, Verdict
from penstock.release.gate import remember_refusal
from penstock.release.model import Candidate
from penstock.release.record import KIND, Release, latest_release
from penstock.release.shape import Personal
from penstock.release.tables import GoldTables
from penstock.spec.project import Project


@dataclass(frozen=True)
class Judgement:
    """What the gate said of a candidate; `counts` are kept in the record of its release."""

    verdict: Verdict
    checks: Sequence[CheckResult] = ()
    counts: Mapping[str, Any] = field(default_factory=dict)


def publish(
    lake: Lake,
    project: Project,
    candidate: Candidate,
    *,
    judged: Callable[[], Judgement],
    lease: Lease,
    tests: Sequence[ModelTest] = (),
) -> Release:
    """Release the candidate when the verdict lets it; GateFailed otherwise, and the refusal is remembered. What the gate
    found becomes rows of `quality.results` in either case.

    `judged` is asked once, when the tables that keep their shape are staged: the gate may be at work meanwhile. What
    it refuses is removed, and no table gets another shape for it.

    A table is kept when its content is what it was, grows when rows only came to it, is amended when it is known which
    rows came and went, and few did, is patched when it is known where, and is replaced as a whole in every other case.
    Schemas are prepared before the commit (other readers of the catalogue may see an empty new column meanwhile;
    readers of releases do not). Whatever fails before the one transaction leaves the last release as it is. Raises
    CommitConflict when another process released meanwhile.
    """
    heads = lake.heads("gold")  # before the last release is read: a head that moved since makes a conflict
    last = latest_release(lake.root)
    number = 1 if last is None else last.number + 1
    results = lake.ensure(RESULTS_SPEC, lease=lease)
    personal = Personal(personal_columns(project))
    with lake.stage(lease=lease, token=_token(number, project, candidate)) as commit:
        tables = GoldTables(lake, lease, commit, candidate, number, last, heads, personal)
        tables.stage_fitting()
        judgement = judged()
        now = lake.world.clock.now()
        if judgement.verdict.passed:
            tables.stage_others()
            release = Release(
                number=number,
                committed_at=now,
                project=project.fingerprint,
                models=project.models_fingerprint,
                silver=dict(candidate.silver),
                gold=tables.tables(),
                changed=tables.changed,
                checks=tuple(check.remembered() for check in judgement.checks),
                counts=judgement.counts,
            )
            found = result_rows(judgement.checks, tests, release=number, released=True, judged_at=now)
            commit.table(results).append(found)
            commit.record(KIND, release.key, release.as_record())
            commit.apply()
            return release
    verdict = judgement.verdict
    with lake.stage(lease=lease, token=f"{commit.token}:{now.isoformat()}") as commit:
        found = result_rows(judgement.checks, tests, release=number, released=False, judged_at=now)
        commit.table(results).append(found)
        commit.apply()
    silver, clock = candidate.silver, lake.world.clock
    remember_refusal(lake.root, project, verdict, number=number, silver=silver, clock=clock)
    raise GateFailed(verdict.sentence(), where=verdict.blocking[0].where, remedy=_REFUSED)


def _token(number: int, project: Project, candidate: Candidate) -> str:
    content = json.dumps([project.fingerprint, project.models_fingerprint, dict(candidate.silver)], sort_keys=True)
    return f"release:{number}:{sha256(content.encode()).hexdigest()[:32]}"


_REFUSED = "Mend the rows or the rule, then run again; the last release stays readable meanwhile."
