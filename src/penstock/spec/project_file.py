"""`penstock.yml`: the project itself."""

from __future__ import annotations

import re

from penstock.spec.document import Node
from penstock.spec.problems import Problems
from penstock.spec.project import Retention, Serving
from penstock.spec.scalars import COUNT, DURATION, NAME, PERCENT, PROSE, TENANT
from penstock.spec.shape import Fields, Many, Parsed, Section, default, optional, required

_KEPT = Retention()
RELEASES_KEEP = default(
    "releases_keep", COUNT, "How many of the last releases stay readable, whatever their age.", _KEPT.releases_keep
)
RELEASES_FOR = default(
    "releases_for",
    DURATION,
    "For how long every release stays readable; longer as long as the log of a stream names it.",
    _KEPT.releases_for,
)
SNAPSHOTS_FOR = default(
    "snapshots_for", DURATION, "For how long a snapshot that no release needs stays readable.", _KEPT.snapshots_for
)
RAW_QUARANTINE_FOR = default(
    "raw_quarantine_for",
    DURATION,
    "For how long the original bytes of lines that could not be read are kept; they may be personal.",
    _KEPT.raw_quarantine_for,
)
RECORDS_FOR = default(
    "records_for",
    DURATION,
    "For how long runs, batches, refusals of the gate and expired releases are remembered.",
    _KEPT.records_for,
)
RETENTION = Section("the retention", (RELEASES_KEEP, RELEASES_FOR, SNAPSHOTS_FOR, RAW_QUARANTINE_FOR, RECORDS_FOR))

TARGET = default("target", PERCENT, "Quality score to aim at, per cent.", 99.9)
ALERT = default("alert", PERCENT, "Quality score below which the gate raises an alert, per cent.", 95.0)
QUALITY = Section("the quality levels", (TARGET, ALERT))

_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|\*")
CORS = default(
    "cors",
    Many(
        Parsed(
            "origin",
            lambda text: text if _ORIGIN.fullmatch(text) else None,
            'Write for example `https://shop.example`, without a path, or `"*"` for every page.',
        )
    ),
    "Origins whose pages may read the API in a browser.",
    Serving.cors,
)
SERVE = Section("the serving", (CORS,))

PROJECT_NAME = required("name", NAME, "Name of the project.")
PROJECT_DESCRIPTION = default("description", PROSE, "What the project is for.", "")
TENANT_KEY = default("tenant", TENANT, "Whose data it is; every key and hash begins with it.", "default")
RETENTION_KEY = optional("retention", RETENTION, "How long releases, snapshots and raw bytes are kept.")
QUALITY_KEY = optional("quality", QUALITY, "Levels of the quality score.")
SERVE_KEY = optional("serve", SERVE, "How the API is served.")
PROJECT_FILE = Section(
    "a project", (PROJECT_NAME, PROJECT_DESCRIPTION, TENANT_KEY, RETENTION_KEY, QUALITY_KEY, SERVE_KEY)
)


def read_project_file(root: Node, problems: Problems) -> Fields | None:
    fields = PROJECT_FILE.read(root, "", problems)
    quality = None if fields is None else fields.get(QUALITY_KEY)
    if quality is not None and quality.valid(TARGET, ALERT) and quality[ALERT] > quality[TARGET]:
        problems.add(
            quality.place(ALERT),
            "`alert` lies above `target`",
            expected=f"at most {quality[TARGET]:g}",
            found=f"{quality[ALERT]:g}",
            remedy="Exchange them.",
        )
    return fields


def retention_of(fields: Fields) -> Retention:
    section = fields[RETENTION_KEY]
    if section is None:
        return _KEPT
    return Retention(
        releases_keep=section[RELEASES_KEEP],
        releases_for=section[RELEASES_FOR],
        snapshots_for=section[SNAPSHOTS_FOR],
        raw_quarantine_for=section[RAW_QUARANTINE_FOR],
        records_for=section[RECORDS_FOR],
    )


def quality_of(fields: Fields) -> tuple[float, float]:
    """Target and alert level, per cent."""
    section = fields[QUALITY_KEY]
    return (TARGET.default, ALERT.default) if section is None else (section[TARGET], section[ALERT])


def serving_of(fields: Fields) -> Serving:
    section = fields[SERVE_KEY]
    return Serving() if section is None else Serving(cors=section[CORS])
