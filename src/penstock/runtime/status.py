"""What there is: tables with their sizes, runs and releases. Nothing is opened that plain files can tell."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from penstock.lake.records import read_heads, read_records, read_table_summary
from penstock.release.gate import last_gate
from penstock.release.record import Release, latest_release, releases
from penstock.runtime.installation import Installation
from penstock.runtime.landing_state import LandingState, landings_in
from penstock.runtime.parts import PartState, read_parts
from penstock.runtime.topology_state import TopologyState, read_states

LAYERS = ("bronze", "silver", "quarantine", "gold", "quality", "ledger")


@dataclass(frozen=True)
class TableStatus:
    """One table of the lake as it is now; a gold table may be further than the last release while one is made."""

    name: str
    rows: int
    snapshot: int | None
    files: int
    bytes: int


@dataclass(frozen=True)
class QualityScore:
    """Per cent of a dataset's rows that met the contract, of all datasets together where there is no name; None
    without rows. As the gate found it at the current release."""

    dataset: str | None
    score: str | None
    message: str


@dataclass(frozen=True)
class Commit:
    """What a part committed last, and when (microseconds since 1970)."""

    part: str
    what: str
    at: int


@dataclass(frozen=True)
class Status:
    """Tables by layer and name, the current release, what the user should know; how far topologies and topics on their
    way into the lake are, and the parts that `up` keeps running, as those processes told last; what each part committed
    last; the quality scores, that of all datasets first."""

    project: str
    release: int | None
    tables: tuple[TableStatus, ...]
    notes: tuple[str, ...]
    topologies: tuple[TopologyState, ...] = ()
    landings: tuple[LandingState, ...] = ()
    parts: tuple[PartState, ...] = ()
    commits: tuple[Commit, ...] = ()
    quality: tuple[QualityScore, ...] = ()

    def as_record(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class History:
    """Runs and releases, newest first."""

    runs: tuple[Mapping[str, Any], ...]
    releases: tuple[Mapping[str, Any], ...]

    def as_record(self) -> dict[str, object]:
        return {"runs": list(self.runs), "releases": list(self.releases)}


def read_status(installation: Installation) -> Status:
    """Rows, snapshot, files and bytes of every table, from the catalogue and the tables' metadata."""
    root = installation.place.root
    release, topologies, landings = latest_release(root), read_states(installation), landings_in(root)
    heads = {name: at for name, at in read_heads(root).items() if not _left(name, release)}
    tables = [_table(name, location) for name, location in heads.items()]
    return Status(
        project=installation.project.name,
        release=None if release is None else release.number,
        tables=tuple(sorted(tables, key=lambda table: (_layer(table.name), table.name))),
        notes=_notes(root),
        topologies=topologies,
        landings=landings,
        parts=read_parts(installation),
        commits=tuple(_commits(topologies, landings, release)),
        quality=() if release is None else tuple(_scores(release)),
    )


def _commits(
    topologies: Sequence[TopologyState], landings: Sequence[LandingState], release: Release | None
) -> Iterator[Commit]:
    """By part, as `up` calls them; the server commits nothing."""
    rounds = [Commit("stream", f"round {one.round} of {one.topology}", one.committed or 0) for one in topologies]
    batches = [Commit("land", f"batch {one.batch} of {one.topic}", one.committed or 0) for one in landings]
    for found in (rounds, batches):
        newest = max(found, key=lambda commit: commit.at, default=None)
        if newest is not None and newest.at:
            yield newest
    if release is not None:
        yield Commit("run", f"release {release.number}", int(release.committed_at.timestamp() * 1_000_000))


def _scores(release: Release) -> Iterator[QualityScore]:
    scores = [check for check in release.checks if check["kind"] == "score"]
    for check in sorted(scores, key=lambda check: check["name"]):
        _, _, dataset = check["name"].partition(".")
        yield QualityScore(dataset or None, check["value"], check["message"])


def _left(table: str, release: Release | None) -> bool:
    """Whether it is a table of former releases alone."""
    return table.startswith("gold.") and release is not None and table not in release.gold


def _table(name: str, location: str) -> TableStatus:
    summary = read_table_summary(location)
    return TableStatus(name, summary.rows, summary.snapshot, summary.files, summary.bytes)


def _layer(name: str) -> int:
    namespace = name.split(".", 1)[0]
    return LAYERS.index(namespace) if namespace in LAYERS else len(LAYERS)


def _notes(root: Path) -> tuple[str, ...]:
    notes = []
    gate = last_gate(root)
    if gate is not None and not gate.passed:
        rules = "; ".join(f"{reason['rule']}: {reason['message']}" for reason in gate.blocking)
        notes.append(f"the gate refused release {gate.number} at {gate.at:%Y-%m-%d %H:%M} UTC: {rules}")
    last = _runs(root)[:1]
    if last and last[0]["outcome"] == "interrupted":
        notes.append(f"run {last[0]['run']} was interrupted; the next run finishes the work")
    return tuple(notes)


def read_history(installation: Installation, *, limit: int) -> History:
    """The last runs and releases, newest first, at most `limit` of each."""
    root = installation.place.root
    made = [
        {
            "number": release.number,
            "committed_at": release.committed_at.isoformat(timespec="seconds"),
            "gold": {name: table.rows for name, table in release.gold.items()},
            "changed": list(release.changed),
            "project": release.project,
            "silver": dict(release.silver),
            "checks": [dict(check) for check in release.checks],
            "readable": release.expired_at is None,
        }
        for release in reversed(releases(root))
    ]
    return History(tuple(_runs(root)[:limit]), tuple(made[:limit]))


def _runs(root: Path) -> Sequence[Mapping[str, Any]]:
    """Newest first, as they were begun. A run that says it goes on while nobody holds the lease was interrupted."""
    running = _is_running(root)
    runs = reversed(read_records(root, "run"))
    return [run if running or run["outcome"] != "running" else {**run, "outcome": "interrupted"} for run in runs]


def _is_running(root: Path) -> bool:
    """Whether a process holds the lock of the run's lease now."""
    try:
        with (root / "locks" / "run.lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
