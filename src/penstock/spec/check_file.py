"""`checks/*.yml`: the checks of the gate."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from penstock.spec.document import Node
from penstock.spec.fingerprint import fingerprint
from penstock.spec.problems import Problems
from penstock.spec.project import Check, CheckKind, Severity
from penstock.spec.scalars import NAME, NUMBER, PROSE, WORDS
from penstock.spec.shape import Choice, Fields, Many, Section, default, optional, required

CHECK_NAME = required("name", NAME, "Name of the check, unique in the project.")
KIND = required(
    "kind",
    Choice(tuple((kind.value, kind) for kind in CheckKind)),
    "`threshold`: one number held against bounds. `rows`: a query whose rows are the violations. "
    "`reconcile`: two queries whose results must be equal.",
)
SEVERITY = default(
    "severity",
    Choice(tuple((severity.value, severity) for severity in Severity)),
    "`error` blocks the release, `warn` is reported.",
    Severity.ERROR,
)
SQL = required(
    "sql",
    WORDS,
    "The query. It sees `silver.*`, `quarantine.*`, the candidate `gold.*` and, as they are, live tables as `live.*`: where "
    "one of them is not there yet, the check is skipped.",
)
AGAINST = optional("against", WORDS, "reconcile: the second query.")
MINIMUM = optional("minimum", NUMBER, "threshold: the lowest number that passes.")
MAXIMUM = optional("maximum", NUMBER, "threshold: the highest number that passes.")
CHECK_PROFILE = optional(
    "profile", NAME, "Only where the environment's `PENSTOCK_PROFILE` is this; without it the check always counts."
)
CHECK_DESCRIPTION = default("description", PROSE, "What it means when the check fails.", "")

CHECK = Section(
    "a check", (CHECK_NAME, KIND, SEVERITY, SQL, AGAINST, MINIMUM, MAXIMUM, CHECK_PROFILE, CHECK_DESCRIPTION)
)
CHECKS = required("checks", Many(CHECK), "The checks, run in this order.")
CHECK_FILE = Section("a file of checks", (CHECKS,))


def read_checks(root: Node, path: Path, problems: Problems) -> tuple[tuple[Fields, Check | None], ...]:
    """Each check of the file with its fields; the check is None when something about it is wrong."""
    fields = CHECK_FILE.read(root, "", problems)
    if fields is None:
        return ()
    return tuple((check, _check(check, path, problems)) for check in fields.get(CHECKS) or ())


def _check(fields: Fields, path: Path, problems: Problems) -> Check | None:
    before = len(problems)
    if fields.valid(KIND):
        _refuse_misplaced(fields, problems)
    if not fields.complete or len(problems) > before:
        return None
    meaning = {key.name: fields.get(key) for key in CHECK.keys if key not in (CHECK_DESCRIPTION, CHECK_PROFILE)}
    return Check(
        name=fields[CHECK_NAME],
        kind=fields[KIND],
        severity=fields[SEVERITY],
        sql=fields[SQL],
        against=fields[AGAINST],
        minimum=fields[MINIMUM],
        maximum=fields[MAXIMUM],
        description=fields[CHECK_DESCRIPTION],
        profile=fields[CHECK_PROFILE],
        path=path,
        fingerprint=fingerprint("check", meaning),
        places=tuple(str(fields.place(key)) for key in (SQL, AGAINST) if fields.given(key)),
    )


def _refuse_misplaced(fields: Fields, problems: Problems) -> None:
    kind = fields[KIND]
    for key, belongs in (
        (AGAINST, CheckKind.RECONCILE),
        (MINIMUM, CheckKind.THRESHOLD),
        (MAXIMUM, CheckKind.THRESHOLD),
    ):
        if fields.given(key) and kind is not belongs:
            problems.add(
                fields.key_place(key),
                f"`{key.name}` has no meaning for a check of kind `{kind}`",
                expected=f"kind `{belongs}`",
                remedy="Remove it, or change the kind.",
            )
    if kind is CheckKind.RECONCILE and not fields.given(AGAINST):
        problems.add(
            fields.node.place,
            "A check of kind `reconcile` has one query",
            subject="against",
            expected="`against`",
            remedy="Add the second query under `against`.",
        )
    if kind is CheckKind.THRESHOLD:
        _refuse_bounds(fields, problems)


def _refuse_bounds(fields: Fields, problems: Problems) -> None:
    if not fields.given(MINIMUM) and not fields.given(MAXIMUM):
        problems.add(
            fields.node.place,
            "A check of kind `threshold` has no bound",
            subject="minimum",
            expected="`minimum`, `maximum` or both",
            remedy="Add a bound.",
        )
    lowest, highest = fields.get(MINIMUM), fields.get(MAXIMUM)
    if lowest is not None and highest is not None and Decimal(lowest) > Decimal(highest):
        problems.add(
            fields.place(MAXIMUM),
            "`maximum` lies below `minimum`",
            expected=f"at least {lowest}",
            found=highest,
            remedy="Exchange them.",
        )
