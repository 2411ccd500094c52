"""The whole road of the stream: log, contract, running z-score, two windows by member, two live tables; and its restart."""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench import payments
from bench.figure import Figure
from bench.payments import PENSTOCK, PROJECT, WINDOWS, Expected, ResultsDiffer
from bench.process import run as run_process
from penstock.runtime.event_log import open_log
from penstock.runtime.topology_state import read_states

CHECKED, LOOPED = 1_000_000, 1_000_000  # rows whose every result is compared; rows that the loops take
RATE_BAR, LOOP_BAR, RESTART_BAR = 500_000, 20, 2.0
RATE = "log to z-score, windows and live tables"
LOOP = "a Python loop that does the same, durably"
BARE = "a bare Python loop in memory"
LOOPS = {LOOP: "loop", BARE: "bare_loop"}  # the module of each, in bench/peers
PATIENCE = 300.0


@dataclass
class Road:
    """Rates by round."""

    rates: list[float] = field(default_factory=list)
    peak_mb: float = 0.0


def command(*words: str | Path, data: Path) -> list[str | Path]:
    return [PENSTOCK, *words, "-p", PROJECT, "--data-dir", data]


def measure(folder: Path, *, rows: int, rounds: int) -> Road:
    """Compare every result of a smaller run first, then time whole commands from an empty job."""
    road = Road()
    checked = min(rows, CHECKED)
    _check(folder, checked)
    log, file = folder / "road-log", folder / "road.parquet"
    payments.fill(log, rows, file)
    expected = Expected.of(file)
    for turn in range(rounds):
        data = folder / f"road-{turn}"
        shutil.copytree(log, data)
        cost = run_process(command("stream", "watch", "--until-idle", data=data))
        for name in WINDOWS:
            expected.check_totals(name, payments.totals(data, name))
        road.rates.append(rows / cost.seconds)
        road.peak_mb = max(road.peak_mb, cost.peak_mb)
        print(
            f"  road  {rows:,} rows  {cost.seconds:6.2f} s  {road.rates[-1]:,.0f}/s  {cost.peak_mb:,.0f} MB", flush=True
        )
        shutil.rmtree(data)
    shutil.rmtree(log)
    return road


def _check(folder: Path, rows: int) -> None:
    data, file = folder / "checked", folder / "checked.parquet"
    payments.fill(data, rows, file)
    run_process(command("stream", "watch", "--until-idle", data=data))
    expected = Expected.of(file)
    odd = expected.check_odd(payments.odd_payments(data))
    found = {name: expected.check_windows(name, payments.windows(data, name)) for name in WINDOWS}
    print(f"  road  outputs are equal: {odd} odd payments, {found}", flush=True)
    shutil.rmtree(data)


def loops(folder: Path, *, rows: int) -> dict[str, float]:
    """Rows a second of each loop, whose results are ours."""
    data, file = folder / "looped", folder / "looped.parquet"
    payments.fill(data, rows, file)
    run_process(command("stream", "watch", "--until-idle", data=data))
    ours = {name: payments.totals(data, name) for name in WINDOWS}
    must = {
        "rows": rows,
        "odd": payments.odd_payments(data).num_rows,
        "cents": ours["member_days"]["cents"],
        **{name: total["rows"] for name, total in ours.items()},
    }
    rates = {name: _loop(data, rows, module, must) for name, module in LOOPS.items()}
    shutil.rmtree(data)
    return rates


def _loop(data: Path, rows: int, module: str, must: Mapping[str, int]) -> float:
    words: list[str | Path] = [sys.executable, "-m", f"bench.peers.{module}", data, str(rows)]
    found = json.loads(run_process(words, cwd=Path(__file__).parent.parent).output)
    if any(found[name] != value for name, value in must.items()):
        raise ResultsDiffer(f"{module} found {found}, ours is {must}")
    rate = rows / float(found["seconds"])
    print(f"  {module}  {rows:,} rows  {found['seconds']:6.2f} s  {rate:,.0f}/s", flush=True)
    return rate


def restart(folder: Path, *, members: int = payments.MEMBERS, rounds: int = 3) -> list[float]:
    """Seconds from the start of `penstock stream` after a kill -9 until a payment appended meanwhile is in the live table."""
    data, taken = folder / "restart", []
    payments.fill(data, 2 * members, everybody=True)
    installation = payments.installed(data)
    traffic, latest = payments.Traffic(members), payments.BEGIN + 2 * members * 1_000_000 // payments.PER_SECOND
    with streaming(data):
        until(lambda: any(state.lag == 0 and state.round >= 0 for state in read_states(installation)))
        time.sleep(1.5)  # the live tables have followed, and one more state was told
    for turn in range(rounds):
        with open_log(installation) as log:
            rows = payments.with_probe(traffic.batch(1000), f"probe-{turn}", at=latest)
            payments.append(log, installation, rows)
        begin = time.perf_counter()
        with streaming(data), closing(payments.opened(data, "member_days")) as table:
            until(partial(payments.has_paid, table, f"probe-{turn}"), every=0.005)
            taken.append(time.perf_counter() - begin)
        print(f"  restart  {members:,} members  {taken[-1]:.2f} s", flush=True)
    shutil.rmtree(data)
    return taken


@contextmanager
def streaming(data: Path, *, topology: str = "watch") -> Iterator[subprocess.Popen[bytes]]:
    """`penstock stream` at work; killed at the end."""
    words = list(map(str, command("stream", topology, data=data)))
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def until(done: Callable[[], object], *, every: float = 0.1) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not done in {PATIENCE:g} seconds")
        time.sleep(every)


def figures(road: Road) -> Iterator[Figure]:
    rate = statistics.median(road.rates)
    yield Figure(RATE, rate, "events/s", RATE_BAR, higher_is_better=True)
    yield Figure("peak memory of the road", road.peak_mb, "MB")
