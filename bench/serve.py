"""The API under load: documents and lists at 500 requests a second, what refreshing the store costs, and metrics.

A library of the reference's size (10,000 members, 100,000 loans) is stored as a release would store it and served
by the server of the product with one worker. The load is open (see `load`): answers do not hold back requests.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench import ledger
from bench.figure import Figure, Outcome
from bench.machine import percentile
from bench.server import ended, free_port, until_answered
from penstock.serve.agreement import GoldColumn, fitted
from penstock.serve.feed import column_types, slices
from penstock.serve.live import LiveDoor
from penstock.spec.endpoint import Endpoint, Ordering
from penstock.spec.live_endpoint import LiveEndpoint
from penstock.sql.connection import connect
from penstock.store.collection import collections, version_of
from penstock.store.files import FileStore
from penstock.store.live_shape import LiveShape
from penstock.store.live_table import LiveTable
from penstock.store.manifest import Manifest
from penstock.world import real_world

MEMBERS, LOANS = 10_000, 100_000
RATE, SECONDS, ROUNDS = 500, 8, 3
ENDPOINTS = (
    Endpoint("/members", "members", "member_id", ("member_id", "branch", "joined", "spent"), filters=("branch",)),
    Endpoint(
        "/loans",
        "loans",
        "loan_id",
        ("loan_id", "member_id", "branch", "lent_at", "title", "fee"),
        filters=("branch",),
        ranges=("lent_at",),
        order=(Ordering("lent_at", descending=True),),
    ),
    Endpoint(
        "/members/{id}/loans",
        "loans",
        "loan_id",
        ("loan_id", "member_id", "branch", "lent_at", "title", "fee"),
        order=(Ordering("lent_at", descending=True),),
        parent="member_id",
    ),
)
LIVE_MEMBERS, LIVE_DAYS = 50_000, 20  # a million rows
LIVE = LiveEndpoint(
    "/members/{id}/days",
    "member_days",
    ("branch", "member_id", "day", "loans", "fees"),
    parent="member_id",
    order=(Ordering("day", descending=True),),
)
SERVER = (
    "import json, sys; from pathlib import Path; from penstock.runtime.worker import NAME\n"
    "from penstock.serve.live import LiveDoor; from penstock.serve.server import listen\n"
    "store, root, port, live = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4])\n"
    "listen(NAME, store, root, host='127.0.0.1', port=port, workers=1, live=LiveDoor.of_record(live))"
)


@dataclass
class Asked:
    """Latencies by kind of request, a list for each round."""

    rounds: dict[str, list[list[float]]] = field(default_factory=dict)
    late: list[float] = field(default_factory=list)

    def p(self, kind: str, per_cent: float) -> float:
        """The median over the rounds."""
        return statistics.median(percentile(latencies, per_cent) for latencies in self.rounds[kind])


def run(folder: Path) -> Outcome | None:
    numbers = ledger.ask(folder / "shop")
    refreshed = [refresh(folder / "store", MEMBERS, LOANS, release=number) for number in range(1, ROUNDS + 1)]
    large = refresh(folder / "large", MEMBERS * 10, LOANS * 10, release=1)
    print(f"  store refreshed in {statistics.median(refreshed):.2f} s, ten times the size in {large:.2f} s", flush=True)
    fill_live(folder / "live")
    chance = random.Random(7)
    requests = {
        "document": [f"/loans/L{chance.randrange(LOANS):07}" for _ in range(4000)],
        "list of 100 rows": [f"/loans?skip={chance.randrange(LOANS)}&limit=100" for _ in range(4000)],
        "list of one branch": [
            f"/loans?branch=b{chance.randrange(50)}&skip={chance.randrange(900)}" for _ in range(4000)
        ],
        "list below a row": [f"/members/M{chance.randrange(MEMBERS):06}/loans" for _ in range(4000)],
        "live list below a row": [f"/members/M{chance.randrange(LIVE_MEMBERS):06}/days" for _ in range(4000)],
    }
    asked, most = Asked(), dict[str, float]()
    with served(folder / "store", folder) as address:
        for paths in requests.values():
            generate(address, paths, RATE, 1)  # warm
        for _ in range(ROUNDS):
            for kind, paths in requests.items():
                answer = json.loads(generate(address, paths, RATE, SECONDS))
                asked.rounds.setdefault(kind, []).append(answer["latencies"])
                asked.late += answer["late"]
        for kind, paths in requests.items():
            most[kind] = float(json.loads(generate(address, paths, "closed", 3)))
            print(f"  {kind:<20} p99 {asked.p(kind, 99):.2f} ms, at most {most[kind]:,.0f}/s", flush=True)
    beside = (
        "A latency counts from the moment the request was due; the generator, beside the server on the machine, "
        f"sent one in a hundred more than {percentile(asked.late, 99):.1f} ms late, which counts too."
    )
    ledger_note = (
        f"Metrics: a simulated shop's ledger, repeated to {numbers.rows:,} rows in the warehouse of its release; every "
        "question is new to the server, one at a time, each time to a server that just started."
    )
    return Outcome(
        figures=[*figures(asked, most, refreshed, large), *numbers.figures()],
        runs={
            **{f"{kind}, p99 ms": [percentile(one, 99) for one in rounds] for kind, rounds in asked.rounds.items()},
            "refresh, s": refreshed,
            **numbers.runs(),
        },
        notes=[
            f"{RATE} requests a second, open loop, {SECONDS} s each, median of {ROUNDS} rounds; one worker, 32 connections.",
            beside,
            f"{MEMBERS:,} members and {LOANS:,} loans; random documents, random pages of 100 rows over the whole list.",
            f"Live: {LIVE_MEMBERS * LIVE_DAYS:,} rows; the {LIVE_DAYS} of one member, who is not the first of the key.",
            ledger_note,
        ],
    )


def figures(asked: Asked, most: dict[str, float], refreshed: Sequence[float], large: float) -> Iterator[Figure]:
    yield Figure("document, p99", asked.p("document", 99), "ms", 5)
    yield Figure("list of 100 rows, p99", asked.p("list of 100 rows", 99), "ms", 20)
    for kind in ("list of one branch", "list below a row", "live list below a row"):
        yield Figure(f"{kind}, p99", asked.p(kind, 99), "ms", 20)
    for kind in ("document", "list of 100 rows"):
        yield Figure(f"{kind}, p50", asked.p(kind, 50), "ms")
        yield Figure(f"{kind}, at most", most[kind], "/s", higher_is_better=True)
    yield Figure("refresh of 110,000 rows", statistics.median(refreshed), "s")
    yield Figure("refresh of 1,100,000 rows", large, "s")


def refresh(store: Path, members: int, loans: int, *, release: int) -> float:
    """Store a release of generated rows; seconds, the generation left out."""
    with connect(threads=2) as connection:
        connection.execute("CREATE SCHEMA gold")
        connection.execute(
            "CREATE TABLE gold.members AS SELECT printf('M%06d', n) AS member_id, 'b' || n % 50 AS branch, "
            f"DATE '2020-01-01' + CAST(n % 1000 AS INTEGER) AS joined, CAST(n / 7 AS DECIMAL(18,2)) AS spent "
            f"FROM range({members}) AS numbers (n)"
        )
        connection.execute(
            f"CREATE TABLE gold.loans AS SELECT printf('L%07d', n) AS loan_id, printf('M%06d', n * 7919 % {members}) "
            "AS member_id, 'b' || n * 31 % 50 AS branch, TIMESTAMPTZ '2024-01-01 00:00:00Z' + to_seconds(n * 37 % 86400000) "
            "AS lent_at, 'A book with the title ' || n % 5000 AS title, CAST(n % 977 / 100 AS DECIMAL(18,2)) AS fee "
            f"FROM range({loans}) AS numbers (n)"
        )
        tables = {
            name: [GoldColumn(column, kind) for column, kind in column_types(connection, name).items()]
            for name in ("members", "loans")
        }
        began = time.perf_counter()
        wanted = [replace(one, version=version_of(one, release)) for one in fitted(collections(ENDPOINTS), tables)]
        manifest = Manifest("library", "", release, "2024-01-01T00:00:00Z", ENDPOINTS, tuple(wanted))
        FileStore(store, real_world()).refresh(manifest, lambda collection: slices(connection, collection))
        return time.perf_counter() - began


def fill_live(folder: Path) -> None:
    """The live table: what every member lent on every day."""
    with connect(threads=1) as connection:
        rows = connection.sql(
            "SELECT 'north' AS branch, printf('M%06d', m) AS member_id, DATE '2024-01-01' + CAST(d AS INTEGER) AS day, "
            "m * 7 % 5 AS loans, CAST(m % 977 / 100 AS DECIMAL(18,2)) AS fees "
            f"FROM range({LIVE_MEMBERS}) AS members (m), range({LIVE_DAYS}) AS days (d)"
        ).to_arrow_table()
    key = ["branch", "member_id", "day"]
    with closing(
        LiveTable(folder, LiveShape.of("member_days", rows.schema, key, version="1", indexed=["member_id"]))
    ) as to:
        to.apply(rows, "{}")


@contextmanager
def served(store: Path, root: Path) -> Iterator[str]:
    """The address of a server of its own process."""
    port = free_port()
    live = json.dumps(LiveDoor((LIVE,)).as_record())
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(store), str(root), str(port), live])
    with ended(process):
        yield until_answered(process, port)


def generate(address: str, paths: Sequence[str], rate: object, seconds: float) -> str:
    """The load generator's answer."""
    command = [sys.executable, "-m", "bench.load", address, str(rate), str(seconds)]
    done = subprocess.run(command, input="\n".join(paths), capture_output=True, text=True, check=True)
    return done.stdout
