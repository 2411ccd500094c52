"""Running topologies: every one that is asked for, turn by turn, until it is stopped or nothing is left to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass

from penstock.errors import UsageError
from penstock.runtime.event_log import open_log
from penstock.runtime.installation import Installation
from penstock.runtime.streams import graphs
from penstock.runtime.topology import Running, open_topology
from penstock.spec.problems import did_you_mean
from penstock.stream.plan import Graph
from penstock.stream.watermark import BEGINNING

PAUSE = 0.005  # seconds between two looks at logs that had nothing


@dataclass(frozen=True)
class Streamed:
    """What a topology did since it was started."""

    topology: str
    rounds: int
    rows_in: int
    accepted: int
    rejected: int
    late: int
    lag: int
    watermark: int | None  # microseconds since 1970; None before the first event


def stream(
    installation: Installation,
    names: Sequence[str] = (),
    *,
    until_idle: bool = False,
    adopt: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[Streamed, ...]:
    """Run the topologies `names` (all of them when none is named) until `stopped`, or until nothing is left to take.

    What a topology writes is read by others in the same turn. Raises UsageError for a name that is not declared,
    LeaseHeld while another process runs one of them, StateMismatch when one was declared otherwise before.
    """
    installation.place.prepare()
    chosen = _chosen(graphs(installation), names)
    with ExitStack() as opened:
        log = opened.enter_context(open_log(installation))
        running = [
            opened.enter_context(closing(open_topology(installation, log, graph, adopt=adopt))) for graph in chosen
        ]
        while not stopped():
            worked = [one.turn() for one in running]
            if not any(worked):
                if until_idle:
                    break
                installation.world.clock.sleep(PAUSE)
        return tuple(_streamed(one) for one in running)


def _chosen(known: Mapping[str, Graph], names: Sequence[str]) -> list[Graph]:
    if not known:
        raise UsageError("The project has no topology", remedy="Declare one under streams/.")
    for name in names:
        if name not in known:
            raise UsageError(
                "There is no such topology",
                expected=", ".join(known),
                found=name,
                remedy=did_you_mean(name, known) or "Name one of them.",
            )
    return [graph for name, graph in known.items() if not names or name in names]


def _streamed(running: Running) -> Streamed:
    counts, last = running.counts, running.runner.last
    watermark = None if last is None or last.progress.watermark == BEGINNING else last.progress.watermark
    return Streamed(
        topology=running.name,
        rounds=running.rounds,
        rows_in=counts["rows_in"],
        accepted=counts["accepted"],
        rejected=counts["quarantined"],
        late=counts["late"],
        lag=running.runner.lag(),
        watermark=watermark,
    )
