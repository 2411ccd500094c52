"""Topics on their way into the lake: one bronze commit a second or so for each, then silver and quarantine."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from penstock.errors import CommitConflict, LeaseHeld
from penstock.lake.lake import Lake
from penstock.lake.lease import Lease
from penstock.lake.upkeep import Retention, expire
from penstock.load.silver import Settings, settle
from penstock.load.tables import bronze_name
from penstock.load.topic import Landed, land, landed_positions
from penstock.log.protocol import Chunk, Log, Reader, beginning
from penstock.release.pin import pins
from penstock.runtime.event_log import open_log
from penstock.runtime.full_disk import waiting_for_room
from penstock.runtime.installation import Installation
from penstock.runtime.landing_state import LandingState, tell
from penstock.runtime.rate import Rate
from penstock.runtime.run import LEASE as RUN
from penstock.runtime.secret import pseudonym_key
from penstock.runtime.selection import chosen
from penstock.runtime.topology import declared_topic
from penstock.spec.stream import Topic

LEASE = "land"
SECONDS_PER_COMMIT = 1.0
ROWS_PER_COMMIT = 500_000
COMMITS_PER_EXPIRY = 20
SECONDS_PER_STATE = 1.0
_ROWS_PER_POLL = 50_000


@dataclass
class Landing:
    """What the lake got of a topic since it was asked for: of `rows` some are `malformed`, the others are `settled` in
    silver, `quarantined`, or left out as `duplicates` or `superseded`."""

    topic: str
    commits: int = 0
    rows: int = 0
    malformed: int = 0
    settled: int = 0
    quarantined: int = 0
    duplicates: int = 0
    superseded: int = 0


def reader_of(topic: str) -> str:
    """The name under which a topic is read on its way into the lake."""
    return f"lake.{topic}"


@dataclass
class _Way:
    """The way of one topic into bronze."""

    installation: Installation
    lake: Lake
    lease: Lease
    log: Log
    topic: Topic
    landing: Landing
    reader: Reader | None = None
    waiting: list[Chunk] = field(default_factory=list)
    since: float = 0.0
    unsettled: bool = True  # also what was left by the process before
    offsets: dict[int, int] = field(default_factory=dict)  # up to where bronze is
    last: Landed | None = None
    committed: int | None = None  # microseconds since 1970
    rate: Rate = field(default_factory=Rate)

    def turn(self, *, at_once: bool) -> bool:
        """Read what is there; commit when a second has passed, enough rows wait, or `at_once`."""
        clock = self.installation.world.clock
        if self.reader is None:
            self._begin()
            self.since = clock.monotonic()
        chunks = [] if self.reader is None else self.reader.poll(_ROWS_PER_POLL, 0.0)
        self.waiting += chunks
        rows = sum(chunk.records.num_rows for chunk in self.waiting)
        due = clock.monotonic() - self.since >= SECONDS_PER_COMMIT or rows >= ROWS_PER_COMMIT
        if self.waiting and (due or (at_once and not chunks)):
            self._commit()
            return True
        return bool(chunks)

    def _begin(self) -> None:
        """Read on from where bronze is."""
        name = self.topic.name
        known = {(name, part): at for part, at in landed_positions(self.lake, name).items()}
        begin = beginning(self.log, name) | known
        self.offsets = {part: at.offset for (_, part), at in begin.items()}
        self.reader = self.log.reader(begin, bare=True)
        self.waiting = []

    def _commit(self) -> None:
        name, chunks = self.topic.name, self.waiting
        self.waiting, self.since = [], self.installation.world.clock.monotonic()
        try:
            landed = land(
                self.lake,
                self.installation.project,
                self.topic,
                chunks,
                incarnation=self.log.topics()[name].incarnation,
                lease=self.lease,
                world=self.installation.world,
            )
        except CommitConflict:  # another writer moved quarantine: read the position again, then decide
            if self.reader is not None:
                self.reader.close()
            self.reader = None
            return
        self.offsets |= {chunk.partition: chunk.next for chunk in chunks}  # Kafka ends a transaction with an offset
        if landed is None:
            return
        self.unsettled = True
        self.landing.commits += 1
        self.landing.rows += landed.counts.rows_in
        self.landing.malformed += landed.counts.quarantined
        self.last, self.committed = landed, _micros(self.installation)
        positions = {(name, part): at for part, at in landed.positions.items()}
        self.log.save_positions(reader_of(name), positions)
        if self.landing.commits % COMMITS_PER_EXPIRY == 0:
            self._expire()

    def is_through(self) -> bool:
        """Whether bronze has all that was written to the topic, also what was durable before it could be read."""
        return all(self.offsets.get(part, 0) >= end for part, end in self.log.ends(self.topic.name).items())

    def tell(self) -> None:
        """How far the topic is, for others to see."""
        clock, done = self.installation.world.clock, self.landing
        ends = {part: next for part, (_, next) in self.log.bounds(self.topic.name).items()}
        state = LandingState(
            topic=self.topic.name,
            process=os.getpid(),
            at=_micros(self.installation),
            commits=done.commits,
            rows=done.rows,
            malformed=done.malformed,
            accepted=done.settled,
            quarantined=done.quarantined,
            lag=sum(max(0, end - self.offsets.get(part, 0)) for part, end in ends.items()),
            rate=self.rate.of(done.rows, clock.monotonic()),
            committed=self.committed,
            batch=None if self.last is None else self.last.batch,
        )
        tell(self.installation.place.root, state)

    def _expire(self) -> None:
        """Forget the snapshots that commits leave behind: with thousands of them each commit would take longer."""
        kept = Retention(grace=self.installation.project.retention.snapshots_for)
        tables = [bronze_name(self.topic.name)]
        expire(self.lake, kept, lease=self.lease, pinned=pins(self.lake.root), tables=tables)


def land_topics(
    installation: Installation,
    names: Sequence[str] = (),
    *,
    until_idle: bool = False,
    stopped: Callable[[], bool] = lambda: False,
    note: Callable[[str], None] = lambda _: None,
) -> tuple[Landing, ...]:
    """Take topics to bronze and on to silver until `stopped`, or until nothing is left to take.

    While the disk is full nothing is taken; it goes on by itself when there is room, and `note` is told. Raises
    SourceReset when a topic was made anew or ends before what bronze has of it, LeaseHeld while another process lands
    topics.
    """
    installation.place.prepare()
    landings = {topic: Landing(topic.name) for topic in _chosen(installation, names)}

    def work() -> None:
        _land(installation, landings, until_idle=until_idle, stopped=stopped)

    if until_idle:
        work()
    else:
        waiting_for_room(work, clock=installation.world.clock, stopped=stopped, note=note)
    return tuple(landings.values())


def _land(
    installation: Installation, landings: Mapping[Topic, Landing], *, until_idle: bool, stopped: Callable[[], bool]
) -> None:
    """Go on from where bronze is."""
    with ExitStack() as opened:
        log = opened.enter_context(open_log(installation))
        for topic in landings:
            log.ensure(declared_topic(installation.project, topic.name))
        lake = opened.enter_context(Lake.open(installation.place.root, installation.world))
        lease = opened.enter_context(lake.lease(LEASE, holder=f"penstock land, process {os.getpid()}"))
        ways = [_Way(installation, lake, lease, log, topic, landing) for topic, landing in landings.items()]
        clock, told = installation.world.clock, float("-inf")
        while not stopped():
            worked = [way.turn(at_once=until_idle) for way in ways]
            if clock.monotonic() - told >= SECONDS_PER_STATE:
                told = clock.monotonic()
                for way in ways:
                    way.tell()
            if any(worked):
                continue
            settled = _settle(installation, lake, ways)
            if until_idle and not settled and all(way.is_through() for way in ways):
                break
            if not settled:
                installation.world.clock.sleep(SECONDS_PER_COMMIT / 10)
        for way in ways:
            way.tell()
            if way.reader is not None:
                way.reader.close()


def _micros(installation: Installation) -> int:
    return int(installation.world.clock.now().timestamp() * 1_000_000)


def _settle(installation: Installation, lake: Lake, ways: Sequence[_Way]) -> bool:
    """Conform what is new in bronze, unless a run is at it: then it does that too."""
    if not any(way.unsettled for way in ways):
        return False
    project, world = installation.project, installation.world
    settings = Settings(pseudonym_key(installation.place, world), installation.place.cache / "spill")
    worked = False
    try:
        with lake.lease(RUN, holder=f"penstock land, process {os.getpid()}") as lease:
            for dataset in dict.fromkeys(way.topic.dataset for way in ways):
                first = next(way for way in ways if way.topic.dataset == dataset)
                for done in settle(
                    lake, project, project.contracts[dataset], lease=lease, world=world, settings=settings
                ):
                    worked = True
                    first.landing.settled += done.counts.accepted
                    first.landing.quarantined += done.counts.quarantined
                    first.landing.duplicates += done.counts.duplicate
                    first.landing.superseded += done.counts.superseded
    except (LeaseHeld, CommitConflict):
        return False
    for way in ways:
        way.unsettled = False
    return worked


def _chosen(installation: Installation, names: Sequence[str]) -> list[Topic]:
    known = {name: topic for name, topic in installation.project.streams.topics.items() if topic.lake}
    return chosen(known, names, what="topic that goes to the lake")
