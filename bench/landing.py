"""From the log to committed Iceberg bronze: how fast, and whether commits stay as quick as the first.

python -m bench.landing DATA COUNT RESULT      lands what is in the log in so many commits, and writes how long each took
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from bench import payments
from bench.figure import Figure
from bench.payments import ResultsDiffer
from bench.process import run as run_process
from bench.road import command
from penstock.lake.lake import Lake
from penstock.lake.upkeep import Retention, expire
from penstock.load.tables import bronze_name
from penstock.load.topic import land
from penstock.log.protocol import beginning
from penstock.release.pin import pins
from penstock.runtime.event_log import open_log
from penstock.runtime.landing import COMMITS_PER_EXPIRY

RATE_BAR, GROWTH_BAR = 300_000, 1.5
HUNDRED = 100
ROWS_PER_COMMIT = 500
PATIENCE = 300.0


def rate(folder: Path, *, rows: int) -> float:
    """Rows a second, from the start of `penstock land` until all of them are committed to bronze."""
    data = folder / "landed"
    payments.fill(data, rows)
    installation = payments.installed(data)
    begin = time.perf_counter()
    words = list(map(str, command("land", payments.TOPIC, data=data)))
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        with open_log(installation) as log:
            while sum(at.offset for at in log.positions(f"lake.{payments.TOPIC}").values()) < rows:
                if time.perf_counter() - begin > PATIENCE or process.poll() is not None:
                    raise TimeoutError("the rows did not come to the lake")
                time.sleep(0.02)
            seconds = time.perf_counter() - begin
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    with Lake.open(installation.place.root, installation.world) as lake:
        head = lake.heads()[bronze_name(payments.TOPIC)]
        snapshot = lake.metadata(head).current_snapshot()
        found = 0 if snapshot is None or snapshot.summary is None else int(snapshot.summary["total-records"] or 0)
    if found != rows:
        raise ResultsDiffer(f"bronze has {found:,} rows, not {rows:,}")
    print(f"  landing  {rows:,} rows  {seconds:6.2f} s  {rows / seconds:,.0f}/s", flush=True)
    shutil.rmtree(data)
    return rows / seconds


def commits(folder: Path, *, count: int) -> list[float]:
    """Milliseconds of each of so many commits."""
    data, result = folder / "commits", folder / "commits.json"
    payments.fill(data, count * ROWS_PER_COMMIT)
    run_process(
        [sys.executable, "-m", "bench.landing", data, str(count), result], cwd=Path(__file__).resolve().parent.parent
    )
    taken: list[float] = json.loads(result.read_text())
    print(f"  landing  {count:,} commits, median {statistics.median(taken):.1f} ms", flush=True)
    shutil.rmtree(data)
    return taken


def land_in_small_commits(data: Path, count: int) -> Iterator[float]:
    """As the landing does it, with fewer rows in each commit."""
    installation = payments.installed(data)
    project, world = installation.project, installation.world
    topic = project.streams.topics[payments.TOPIC]
    with ExitStack() as opened:
        log = opened.enter_context(open_log(installation))
        lake = opened.enter_context(Lake.open(installation.place.root, world))
        lease = opened.enter_context(lake.lease("land", holder="bench"))
        reader = opened.enter_context(closing(log.reader(beginning(log, topic.name))))
        incarnation = log.topics()[topic.name].incarnation
        kept = Retention(grace=project.retention.snapshots_for)
        for number in range(count):
            chunks = reader.poll(ROWS_PER_COMMIT, 0.0)
            begin = time.perf_counter()
            land(lake, project, topic, chunks, incarnation=incarnation, lease=lease, world=world)
            yield 1000 * (time.perf_counter() - begin)
            if (number + 1) % COMMITS_PER_EXPIRY == 0:
                expire(lake, kept, lease=lease, pinned=pins(lake.root), tables=[bronze_name(topic.name)])


def figures(rates: Sequence[float], taken: Sequence[float]) -> Iterator[Figure]:
    yield Figure("log to committed bronze", statistics.median(rates), "rows/s", RATE_BAR, higher_is_better=True)
    first, last = statistics.median(taken[:HUNDRED]), statistics.median(taken[-HUNDRED:])
    name = f"commits {len(taken) - HUNDRED + 1:,}-{len(taken):,} to 1-{HUNDRED} of bronze, median"
    yield Figure(name, last / first, "x", GROWTH_BAR)
    yield Figure("commit of bronze, median of the last hundred", last, "ms")


if __name__ == "__main__":
    Path(sys.argv[3]).write_text(json.dumps(list(land_in_small_commits(Path(sys.argv[1]), int(sys.argv[2])))))
