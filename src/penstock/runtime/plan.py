"""What a run would do now: a pure function from the project and its state to frozen steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from penstock.errors import counted
from penstock.ingest.discovery import Discovery
from penstock.spec.project import Project


@dataclass(frozen=True)
class Pending:
    """Bronze rows that silver has not seen. `rebuild` says why all of them must be conformed again, if so."""

    batches: int
    rows: int
    rebuild: str | None = None


@dataclass(frozen=True)
class Rebuild:
    """A table that is made from nothing, and why; what it held and took when that was last done, None where it never
    was. `rows_read` are those of the tables it reads, `bytes` what it has in the lake."""

    table: str
    reason: str
    rows_read: int
    rows: int | None
    bytes: int | None
    seconds: float | None

    def __str__(self) -> str:
        costs = [f"reads {self.rows_read:,} rows"]
        if self.rows is not None:
            costs.append(f"writes about {self.rows:,}")
        if self.bytes is not None:
            costs.append(f"{self.bytes:,} bytes in the lake")
        if self.seconds is not None:
            costs.append(f"took {self.seconds:.1f} s")
        return f"make {self.table} from nothing: {self.reason} ({', '.join(costs)})"


@dataclass(frozen=True)
class Leaving:
    """A released table that no model makes any more; releases up to now keep it."""

    table: str
    rows: int

    def __str__(self) -> str:
        kept = f"{counted(self.rows, 'row')} {'stays' if self.rows == 1 else 'stay'} in the releases up to now"
        return f"release {self.table} no more: no model makes it ({kept})"


@dataclass(frozen=True)
class Migration:
    """What changed models do to the tables: those made from nothing, and those that are released no more."""

    rebuilds: tuple[Rebuild, ...] = ()
    leaving: tuple[Leaving, ...] = ()


@dataclass(frozen=True)
class State:
    """What is there: new files by source, pending rows by dataset, and whether gold follows silver."""

    discoveries: Mapping[str, Discovery]
    pending: Mapping[str, Pending]
    gold_reason: str | None  # why gold must be built; None: the last release equals silver and the declarations
    release: int | None
    migration: Migration = Migration()


@dataclass(frozen=True)
class TakeFiles:
    """Read new files into bronze."""

    source: str
    dataset: str
    files: int
    bytes: int

    def __str__(self) -> str:
        taken = f"{counted(self.files, 'file')} ({counted(self.bytes, 'byte')})"
        return f"take {taken} of {self.source} into bronze.{self.source}"


@dataclass(frozen=True)
class ConformRows:
    """Check bronze rows against the contract; `rows` counts those known before the run's own files are read."""

    dataset: str
    rows: int
    reason: str

    def __str__(self) -> str:
        return f"conform {self.dataset} into silver.{self.dataset} ({self.reason})"


@dataclass(frozen=True)
class ReleaseGold:
    """Build the models, pass the gate, release every changed gold table at once."""

    reason: str
    rebuilds: tuple[Rebuild, ...] = ()
    leaving: tuple[Leaving, ...] = ()

    def __str__(self) -> str:
        return f"build the models, pass the gate and release gold ({self.reason})"


Step = TakeFiles | ConformRows | ReleaseGold


@dataclass(frozen=True)
class Plan:
    """The steps that `run` takes now, in order. No step: there is nothing to do."""

    steps: tuple[Step, ...]
    release: int | None

    def as_record(self) -> dict[str, object]:
        steps = [{"step": type(step).__name__, **asdict(step), "does": str(step)} for step in self.steps]
        return {"release": self.release, "steps": steps}


def make_plan(project: Project, state: State) -> Plan:
    """Files first, then the datasets they feed or that have rows waiting, then gold."""
    taking = tuple(
        TakeFiles(source.name, source.dataset, len(found.new), sum(file.size for file in found.new))
        for source in project.sources.values()
        if (found := state.discoveries[source.name]).new
    )
    fed = {step.dataset for step in taking}
    conforming = tuple(
        ConformRows(dataset, waiting.rows, reason)
        for dataset, waiting in state.pending.items()
        if (reason := _conform_reason(waiting, fed=dataset in fed)) is not None
    )
    reason = "silver changes" if conforming else state.gold_reason
    moved = state.migration
    releasing = (
        () if reason is None or project.models is None else (ReleaseGold(reason, moved.rebuilds, moved.leaving),)
    )
    return Plan(taking + conforming + releasing, state.release)


def _conform_reason(waiting: Pending, *, fed: bool) -> str | None:
    if waiting.rebuild is not None:
        return f"all rows again: {waiting.rebuild}"
    if waiting.batches:
        return f"{counted(waiting.rows, 'row')} {'is' if waiting.rows == 1 else 'are'} waiting"
    return "new files" if fed else None
