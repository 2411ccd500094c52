"""Running topologies: every one that is asked for, turn by turn, until it is stopped or nothing is left to do."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, nullcontext, suppress
from functools import partial

from penstock.checkpoint import stand_back
from penstock.log.protocol import Log
from penstock.runtime.event_log import open_log
from penstock.runtime.freed_memory import keep_freed_memory
from penstock.runtime.full_disk import waiting_for_room
from penstock.runtime.installation import Installation
from penstock.runtime.topology import Running, open_topology
from penstock.runtime.topology_graphs import chosen_graphs
from penstock.runtime.topology_state import TopologyState, tell
from penstock.stream.runner import Limits
from penstock.stream.watermark import BEGINNING

SECONDS_PER_STATE = 1.0
SECONDS_PER_UPKEEP = 60.0
PAUSE = 0.005  # seconds between two looks at logs that had nothing


def stream(
    installation: Installation,
    names: Sequence[str] = (),
    *,
    until_idle: bool = False,
    adopt: bool = False,
    limits: Limits | None = None,
    stopped: Callable[[], bool] = lambda: False,
    note: Callable[[str], None] = lambda _: None,
) -> tuple[TopologyState, ...]:
    """Run the topologies `names` (all of them when none is named) until `stopped`, or until nothing is left to take.

    What a topology writes is read by others in the same turn. While the disk is full nothing is made; it goes on by
    itself when there is room, and `note` is told. Raises UsageError for a name that is not declared,
    LeaseHeld while another process runs one of them, StateMismatch when one was declared otherwise before.
    """
    keep_freed_memory()
    installation.place.prepare()
    chosen = chosen_graphs(installation, names)

    def work() -> tuple[TopologyState, ...]:
        beside = None if until_idle else ThreadPoolExecutor(1, "state", stand_back)
        aside = ThreadPoolExecutor(len(chosen), "commit")
        with open_log(installation) as log, aside, nullcontext() if beside is None else beside:
            opening = partial(open_topology, installation, log, adopt=adopt, limits=limits, beside=beside, aside=aside)
            return _run(installation, log, [partial(opening, graph) for graph in chosen], until_idle, stopped)

    if until_idle:
        return work()
    return waiting_for_room(work, clock=installation.world.clock, stopped=stopped, note=note) or ()


def _run(
    installation: Installation,
    log: Log,
    opening: Sequence[Callable[[], Running]],
    until_idle: bool,
    stopped: Callable[[], bool],
) -> tuple[TopologyState, ...]:
    """Go on from the last commits; what a failed commit had taken is taken again."""
    clock, told = installation.world.clock, -1.0
    kept = clock.monotonic()
    with ExitStack() as opened:
        running = [opened.enter_context(closing(open_())) for open_ in opening]
        if not until_idle:
            _settle(opened)
        while not stopped():
            worked = [one.turn() for one in running]
            if clock.monotonic() - told >= SECONDS_PER_STATE:
                told = clock.monotonic()
                _tell(installation, running)
            if clock.monotonic() - kept >= SECONDS_PER_UPKEEP:
                kept = clock.monotonic()
                log.upkeep()
            if not any(worked):
                if until_idle and all(one.is_through() for one in running):
                    break
                clock.sleep(PAUSE)
        return _tell(installation, running)


def _settle(opened: ExitStack) -> None:
    """What is there now stays until the end: the collector, which stops everything, need not look at it again."""
    gc.collect()
    gc.freeze()
    opened.callback(gc.unfreeze)


def _tell(installation: Installation, running: Sequence[Running]) -> tuple[TopologyState, ...]:
    states = tuple(map(_state, running))
    for state in states:
        with suppress(OSError):  # a full disk may refuse it; nothing depends on it
            tell(installation, state)
    return states


def _state(running: Running) -> TopologyState:
    """What a topology is now."""
    runner, last = running.runner, running.runner.last
    watermark = BEGINNING if last is None else last.progress.watermark
    return TopologyState(
        topology=running.name,
        process=os.getpid(),
        at=runner.now(),
        round=-1 if last is None else last.number,
        watermark=None if watermark == BEGINNING else watermark,
        lag=runner.lag(),
        keys=runner.pipeline.sizes(),
        counts=dict(running.counts),
        tables={} if last is None else dict(last.tables),
        latency=running.latency.as_record(),
        rate=running.rate.of(running.counts["rows_in"], runner.clock.monotonic()),
        committed=None if last is None else last.now,
    )
