"""What a person may ask the doctor to do about a table that was rolled back by hand."""

from __future__ import annotations

from hashlib import sha256

from penstock.errors import UsageError
from penstock.lake import doctor
from penstock.lake.change import POSITION
from penstock.lake.lake import Lake
from penstock.lake.lease import Lease
from penstock.lake.table import Head
from penstock.load.rules import RULES
from penstock.spec.project import Project

BESIDE = {"bronze": "ledger", "ledger": "bronze", "silver": "quarantine", "quarantine": "silver"}


def adopt(lake: Lake, project: Project, name: str, *, lease: Lease) -> None:
    """Keep the data of a table as it is now, and take back with it what was committed together with it.

    Files whose rows went are read again by the next run, and silver is made anew from bronze where bronze changed.
    """
    _check(lake, name)
    head = doctor.adopt(lake, name, lease=lease)
    layer, table = name.split(".", 1)
    if layer not in BESIDE:
        return
    beside = lake.head(f"{BESIDE[layer]}.{table}")
    for key, value in head.properties.items():
        source = key.removeprefix(POSITION)
        if key.startswith(POSITION) and beside is not None and lake.position(beside, source) != value:
            beside = doctor.rewind(lake, beside.name, source, value, lease=lease)
    if layer in ("bronze", "ledger") and table in project.sources:
        _make_anew(lake, f"silver.{project.sources[table].dataset}", table, lease)


def restore(lake: Lake, name: str, *, lease: Lease) -> None:
    """Go back to the newest data, as if nobody had touched the table."""
    _check(lake, name)
    doctor.restore(lake, name, lease=lease)


def _check(lake: Lake, name: str) -> Head:
    heads = lake.heads()
    if name not in heads:
        raise UsageError("There is no such table", expected=", ".join(heads) or "none yet", found=name)
    return heads[name]


def _make_anew(lake: Lake, silver: str, source: str, lease: Lease) -> None:
    """Note in silver that its rows no longer come from bronze as it is, so that the next run conforms all of it."""
    head = lake.head(silver)
    if head is None:
        return
    token = sha256(f"adopt {silver} {head.snapshot_id}".encode()).hexdigest()
    with lake.stage(lease=lease, token=token) as commit:
        commit.table(head).property(RULES + source, "bronze was changed by hand")
        commit.apply()
