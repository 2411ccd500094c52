"""What the gate last said. A refusal is remembered, so that "nothing new" never skips it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.lake.records import put_record, stored_records
from penstock.release.record import latest_release, release_key
from penstock.spec.project import Project
from penstock.world import Clock

if TYPE_CHECKING:  # asking for the last verdict loads no SQL parser
    from penstock.quality.verdict import Verdict

KIND = "gate"


@dataclass(frozen=True)
class Gate:
    """The last verdict. `number` is the release it let through, or the one it would have become.

    `project`, `models` (fingerprints) and `silver` say what was judged; `blocking` holds rule, place and message.
    """

    number: int
    passed: bool
    at: datetime
    project: str
    models: str
    silver: Mapping[str, int | None]
    blocking: tuple[Mapping[str, Any], ...] = ()


def remember_refusal(
    root: Path, project: Project, verdict: Verdict, *, number: int, silver: Mapping[str, int | None], clock: Clock
) -> None:
    """Record that the candidate for release `number` was refused, and why; rows are not quoted."""
    attempt = len(stored_records(root, KIND, since=release_key(number))) + 1
    value = {
        "number": number,
        "project": project.fingerprint,
        "models": project.models_fingerprint,
        "silver": dict(silver),
        "blocking": [reason.as_record() for reason in verdict.blocking],
        "warnings": [reason.as_record() for reason in verdict.warnings],
    }
    put_record(root, KIND, f"{release_key(number)}-{attempt:04d}", value, at=clock.now())


def last_gate(root: Path) -> Gate | None:
    """The latest verdict, None before the first. Decided by release number, not by the clock: a refusal stands
    until the release of its number, or a later one, was made."""
    release = latest_release(root)
    released = 0 if release is None else release.number
    refusals = stored_records(root, KIND, since=release_key(released + 1))
    if refusals:
        last = refusals[-1]
        value = last.value
        return Gate(
            number=value["number"],
            passed=False,
            at=last.committed_at,
            project=value["project"],
            models=value["models"],
            silver=value["silver"],
            blocking=tuple(value["blocking"]),
        )
    if release is None:
        return None
    return Gate(
        number=release.number,
        passed=True,
        at=release.committed_at,
        project=release.project,
        models=release.models,
        silver=release.silver,
    )
