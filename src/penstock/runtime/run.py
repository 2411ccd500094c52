"""One batch pass: the steps of the plan, in order, under one lease, ending in at most one release."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from penstock.errors import PenstockError, StorageError, counted, without_values
from penstock.lake.records import put_record
from penstock.release.record import latest_release
from penstock.runtime.installation import Installation
from penstock.runtime.lanes import Tell, Work, in_lanes
from penstock.runtime.plan import Plan, ReleaseGold, State, make_plan
from penstock.runtime.preparing import Preparation, preparation
from penstock.runtime.report import REFUSED, UNFINISHED, CheckOutcome, DatasetResult, Notice, RunReport
from penstock.runtime.state import gold_reason, read_state
from penstock.runtime.upkeep import is_due, keep_up
from penstock.runtime.watch import Watch

if TYPE_CHECKING:
    from subprocess import Popen

    from penstock.lake.lake import Lake
    from penstock.lake.lease import Lease

LEASE = "run"
SERVING = "The serving store is not at the latest release"
UPKEEP = "The upkeep was not done"


def run(installation: Installation, watch: Watch, compiler: Popen[bytes] | None = None) -> RunReport:
    """Take what is new all the way. Errors of the world are raised after they were recorded; what was
    committed before stays, and the next run goes on from there. `compiler` is the process of the models, where it was
    begun before.

    Raises LeaseHeld when another process runs the same data directory.
    """
    started = installation.world.clock.now()
    installation.place.prepare()
    state = read_state(installation.project, installation.place, installation.world)
    running = _Running(installation, watch, started)
    if not make_plan(installation.project, state).steps and not is_due(installation):
        running.note_files(state)
        running.afterwards({SERVING: running.serve_latest})
        return running.finished("nothing new", release=state.release, previous=state.release)
    with preparation(installation, compiler) as prepared:
        from penstock.lake.lake import Lake

        with (
            Lake.open(installation.place.root, installation.world) as lake,
            lake.lease(LEASE, holder=f"penstock run, process {os.getpid()}") as lease,
        ):
            prepared.begin()
            return running.through(lake, lease, prepared)


@dataclass
class _Running:
    """A run as it goes: what it did so far."""

    installation: Installation
    watch: Watch
    started: datetime
    results: dict[str, DatasetResult] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)
    checks: tuple[CheckOutcome, ...] = ()
    gold: Mapping[str, int] = field(default_factory=dict)
    verdict: str = ""

    def __post_init__(self) -> None:
        self.clock = self.installation.world.clock
        self.began = self.clock.monotonic()
        self.run = f"{self.started:%Y%m%dT%H%M%SZ}-{self.installation.world.ids.new()[:6]}"

    def through(self, lake: Lake, lease: Lease, prepared: Preparation) -> RunReport:
        """Visit the steps; the plan is made again, now that nobody else can change what it rests on."""
        project, place, world = self.installation.project, self.installation.place, self.installation.world
        state = read_state(project, place, world, lake=lake)
        plan = make_plan(project, state)
        self._record("running", state.release)
        try:
            self.note_files(state)
            return self._apply(plan, state, lake, lease, prepared)
        except BaseException as error:
            what = without_values(str(error)) if isinstance(error, PenstockError) else type(error).__name__
            with suppress(StorageError):  # a full disk refuses the record too; what is wrong is told all the same
                release = latest_release(place.root)  # its own, where what follows the release failed
                self._record("failed", None if release is None else release.number, error=what)
            raise

    def _apply(self, plan: Plan, state: State, lake: Lake, lease: Lease, prepared: Preparation) -> RunReport:
        outcome, release = "nothing new", state.release
        if plan.steps:
            outcome, release = self._loaded(plan, state, lake, lease, prepared)
        serving = {} if outcome == "gate failed" else {SERVING: self.serve_latest}
        self.afterwards({**serving, UPKEEP: lambda _: keep_up(self.installation, lake, lease)})
        return self.finished(outcome, release=release, previous=state.release)

    def _loaded(
        self, plan: Plan, state: State, lake: Lake, lease: Lease, prepared: Preparation
    ) -> tuple[str, int | None]:
        outcome, release = "loaded", state.release
        self._load(plan, state, lake, lease)
        for step in plan.steps:
            match step:
                case ReleaseGold() if gold_reason(self.installation.project, self.installation.place) is None:
                    outcome = "nothing new"  # the files that were to change silver were refused
                case ReleaseGold():
                    outcome, release = self._release(lake, lease, release, prepared)
        return outcome, release

    def afterwards(self, works: Mapping[str, Work]) -> None:
        """Do what follows the last commit, by what is told of it when it fails: the commit stands all the same, and
        the next run does it. None depends on another, so they are done side by side."""
        in_lanes(
            [partial(self._try, undone, work) for undone, work in works.items()],
            at_a_time=self.installation.world.at_a_time,
        )

    def _try(self, undone: str, work: Work, tell: Tell) -> None:
        try:
            work(tell)
        except (PenstockError, OSError) as error:
            tell(self._notice, UNFINISHED, "", f"{undone}; the next run tries again: {error}")

    def serve_latest(self, tell: Tell) -> None:
        """Bring the serving store to the latest release; it may lag when a run was killed after its release."""
        from penstock.runtime.served_release import is_behind

        if is_behind(self.installation):
            from penstock.runtime.serving import serve_latest

            tell(self.watch.begin, "refresh the serving store")
            manifest = serve_latest(self.installation)
            rows = 0 if manifest is None else sum(collection.rows for collection in manifest.collections)
            endpoints = counted(len(self.installation.project.endpoints), "endpoint")
            tell(self.watch.end, f"{counted(rows, 'row')} for {endpoints}")

    def note_files(self, state: State) -> None:
        """Tell of files that are not as one would expect."""
        for source, found in state.discoveries.items():
            for path in found.vanished:
                self._notice("vanished", source, f"{source}: {path} was taken before and is not there any more")
            for path in found.unsettled:
                self._notice("unsettled", source, f"{source}: {path} is still changing and waits for a later run")
            for path in (*found.identical, *found.same_content):
                self._notice("identical", source, f"{source}: {path} was delivered again with known content; skipped")

    def _load(self, plan: Plan, state: State, lake: Lake, lease: Lease) -> None:
        from penstock.runtime.loading import Loading

        Loading(self.installation, self.watch, lake, lease, self._add, self._notice).load(plan, state)

    def _release(self, lake: Lake, lease: Lease, previous: int | None, prepared: Preparation) -> tuple[str, int | None]:
        from penstock.runtime.gold import release_gold

        totals = {name: result.rows_in for name, result in self.results.items()}
        counts = {"run": self.run, "rows_in": totals}
        judged = release_gold(self.installation, lake, lease, self.watch, prepared, counts=counts)
        self.checks, self.verdict = judged.checks, judged.verdict.sentence()
        if judged.release is None:
            return "gate failed", previous
        release = judged.release
        self.gold = {name: release.gold[name].rows for name in release.changed}
        return "released", release.number

    def _nothing_new(self, release: int | None) -> str:
        if release is not None:
            return f"Nothing new: release {release} is up to date."
        declared = self.installation.project.sources
        return "Nothing new." if declared else "Nothing is declared yet: add a contract and a source, then run again."

    def finished(self, outcome: str, *, release: int | None, previous: int | None) -> RunReport:
        """Record the run and report it."""
        sentences = {
            "nothing new": self._nothing_new(release),
            "loaded": "Loaded; the project has no models, so there is nothing to release.",
            "released": f"{self.verdict} Release {release} is out.",
            "gate failed": self.verdict,
        }
        report = RunReport(
            run=self.run,
            outcome=outcome,
            release=release,
            previous_release=previous,
            datasets=tuple(self.results.values()),
            notices=tuple(self.notices),
            checks=self.checks,
            gold=self.gold,
            verdict=sentences[outcome],
            seconds=round(self.clock.monotonic() - self.began, 3),
            exit_code=1 if outcome == "gate failed" or self._undone else 0,
        )
        if self.installation.place.exists:
            self._record(outcome, release)
        return report

    def _record(self, outcome: str, release: int | None, *, error: str | None = None) -> None:
        value = {
            "run": self.run,
            "started": self.started.isoformat(timespec="seconds"),
            "seconds": round(self.clock.monotonic() - self.began, 1),
            "outcome": outcome,
            "release": release,
            "process": os.getpid(),
            "rows_in": sum(result.rows_in for result in self.results.values()),
            "quarantined": sum(result.quarantined for result in self.results.values()),
            "verdict": self.verdict,
            "error": error,
        }
        put_record(self.installation.place.root, "run", self.run, value, at=self.clock.now())

    @property
    def _undone(self) -> bool:
        return any(notice.kind in (REFUSED, UNFINISHED) for notice in self.notices)

    def _notice(self, kind: str, source: str, text: str) -> None:
        self.notices.append(Notice(kind, source, text))

    def _add(self, dataset: str, seconds: float, *, files: int = 0, rows: int = 0, **counts: int) -> None:
        held = self.results.get(dataset, DatasetResult(dataset, 0, 0, 0, 0, 0, 0, 0, 0, 0.0))
        grown = {name: getattr(held, name) + number for name, number in counts.items()}
        grown |= {"files": held.files + files, "rows_in": held.rows_in + rows}
        total = round(held.seconds + seconds, 3)
        self.results[dataset] = DatasetResult(**{**held.__dict__, **grown, "seconds": total})
