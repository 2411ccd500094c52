"""The part of a run that loads: files are taken, then what waits is conformed, dataset by dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from penstock.errors import counted
from penstock.ingest.discovery import Discovery
from penstock.lake.lake import Lake
from penstock.lake.lease import Lease
from penstock.load.bronze import Ambiguous, Refused, Taken, take
from penstock.load.silver import Settings, settle
from penstock.runtime.installation import Installation
from penstock.runtime.lanes import Tell, in_lanes
from penstock.runtime.ledger_cache import remember
from penstock.runtime.plan import ConformRows, Plan, State, TakeFiles
from penstock.runtime.report import REFUSED
from penstock.runtime.secret import pseudonym_key
from penstock.runtime.watch import Watch

LARGE = 64 * 1024 * 1024  # bytes of files from which on one dataset at a time has all cores and all memory
MANY = 250_000  # rows


@dataclass(frozen=True)
class Loading:
    """Loads under one lease; `add` is told the counts of each commit by dataset, `notice` what is worth a line."""

    installation: Installation
    watch: Watch
    lake: Lake
    lease: Lease
    add: Callable[..., None]
    notice: Callable[[str, str, str], None]

    def load(self, plan: Plan, state: State) -> None:
        """Take the files, then conform what waits; small work two datasets at a time."""
        at_a_time = 1 if _is_large(plan, state) else self.installation.world.at_a_time
        taking = [step for step in plan.steps if isinstance(step, TakeFiles)]
        datasets = dict.fromkeys(step.dataset for step in taking)
        shares = [[step for step in taking if step.dataset == dataset] for dataset in datasets]
        in_lanes([partial(self._take_all, steps, state) for steps in shares], at_a_time=at_a_time)
        conforming = [step for step in plan.steps if isinstance(step, ConformRows)]
        if conforming:
            settings = self._settings()
            in_lanes([partial(self._conform, step, settings) for step in conforming], at_a_time=at_a_time)

    def _settings(self) -> Settings:
        place, world = self.installation.place, self.installation.world
        return Settings(pseudonym_key(place, world), place.cache / "spill")

    def _take_all(self, steps: Sequence[TakeFiles], state: State, tell: Tell) -> None:
        """Take the sources of one dataset one after the other, for they share its quarantine."""
        for step in steps:
            self._take(step, state.discoveries[step.source], tell)

    def _take(self, step: TakeFiles, discovery: Discovery, tell: Tell) -> None:
        project, world = self.installation.project, self.installation.world
        tell(self.watch.begin, f"read {step.source}", total_bytes=step.bytes)
        observe = partial(tell, self.watch.advance)
        rows = 0
        for result in take(
            self.lake,
            project,
            project.sources[step.source],
            discovery,
            lease=self.lease,
            world=world,
            observe=observe,
        ):
            match result:
                case Taken(counts=counts, files=files):
                    rows += counts.rows_in
                    bad = counts.quarantined
                    tell(self.add, step.dataset, result.seconds, files=len(files), rows=bad, quarantined=bad)
                case Refused(path=path, error=error):
                    tell(self.notice, REFUSED, step.source, f"{step.source}: {path} was not taken: {error}")
                case Ambiguous():
                    tell(self.notice, "ambiguous", step.source, f"{step.source}: {result}")
        remember(self.installation.place.cache, self.lake, step.source)
        tell(self.watch.end, f"{counted(rows, 'row')} from {counted(step.files, 'file')}")

    def _conform(self, step: ConformRows, settings: Settings, tell: Tell) -> None:
        project, world = self.installation.project, self.installation.world
        contract = project.contracts[step.dataset]
        tell(self.watch.begin, f"conform {step.dataset}")
        accepted = 0
        held: tuple[str, ...] = ()
        for done in settle(self.lake, project, contract, lease=self.lease, world=world, settings=settings):
            counts = done.counts
            accepted += counts.accepted
            tell(
                self.add,
                step.dataset,
                done.seconds,
                rows=counts.rows_in,
                accepted=counts.accepted,
                quarantined=counts.quarantined,
                duplicates=counts.duplicate,
                superseded=counts.superseded,
                filtered=counts.filtered,
                replaced=done.replaced,
            )
            held = done.held
            for conflict in done.conflicts:
                tell(self.notice, "conflicting", step.dataset, f"{step.dataset}: {conflict}")
            tell(self.watch.advance, counts.rows_in, 0)
        if held:
            text = (
                f"{step.dataset}: a row of the snapshot of {', '.join(held)} could not be read, so it deletes nothing"
            )
            tell(self.notice, "held", step.dataset, text)
        tell(self.watch.end, f"{counted(accepted, 'row')} accepted")


def _is_large(plan: Plan, state: State) -> bool:
    """Whether one dataset alone keeps the cores busy, and two might need more memory than a run may have."""
    taking = sum(step.bytes for step in plan.steps if isinstance(step, TakeFiles))
    waiting = sum(step.rows for step in plan.steps if isinstance(step, ConformRows))
    return taking > LARGE or waiting > MANY or any(pending.rebuild is not None for pending in state.pending.values())
