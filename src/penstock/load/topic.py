"""Topics to bronze: events as they came, with their offsets, in a commit with the position of every partition."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256

import pyarrow as pa

from penstock.conform.counts import Counts
from penstock.lake.lake import Lake
from penstock.lake.lease import Lease
from penstock.lake.table import Head, TableSpec
from penstock.load.conservation import check_conserved
from penstock.load.header import source_columns, spelled
from penstock.load.tables import arrow_schema, bronze_name, bronze_spec, quarantine_spec
from penstock.load.topic_rows import Landing, TopicRows
from penstock.log.protocol import Chunk, Position
from penstock.spec.project import Project
from penstock.spec.stream import Topic
from penstock.world import World


@dataclass(frozen=True)
class Landed:
    """One bronze commit of a topic: `counts.accepted` rows entered bronze, `quarantined` could not be read."""

    topic: str
    batch: int
    counts: Counts
    positions: Mapping[int, Position]
    seconds: float


def landed_positions(lake: Lake, topic: str) -> dict[int, Position]:
    """How far bronze has come in each partition; none before the first commit.

    Raises RolledBack when the table was changed by hand.
    """
    head = lake.head(bronze_name(topic))
    if head is None or lake.position(head, topic) is None:
        return {}
    recorded = json.loads(lake.position(head, _offsets(topic)) or "{}")
    return {int(partition): Position(offset, incarnation) for partition, (offset, incarnation) in recorded.items()}


def land(
    lake: Lake, project: Project, topic: Topic, chunks: Sequence[Chunk], *, incarnation: str, lease: Lease, world: World
) -> Landed | None:
    """Commit chunks of one topic, those of a partition in ascending order, to bronze; None when all is there already."""
    started = world.clock.monotonic()
    rows = TopicRows.of(topic, chunks)
    bronze, quarantine, spec = _tables(lake, project, topic, rows, lease)
    positions = landed_positions(lake, topic.name)
    rows = rows.beyond({partition: position.offset for partition, position in positions.items()})
    if rows.count == 0:
        return None
    moved = positions | {one: Position(offset, incarnation) for one, offset in rows.next_offsets().items()}
    landing = Landing(
        project.tenant, topic, incarnation, world.clock.now(), int(lake.position(bronze, topic.name) or 0) + 1
    )
    with lake.stage(lease=lease, token=_token(topic, landing.batch, moved)) as commit:
        change = commit.table(bronze)
        batches = rows.of_bronze(landing, spec)
        written = change.append(pa.RecordBatchReader.from_batches(arrow_schema(spec), batches))
        for refused in rows.refused(landing):
            commit.table(quarantine).append(refused)
        change.position(topic.name, str(landing.batch))
        change.position(_offsets(topic.name), _recorded(moved))
        counts = Counts(rows.count, accepted=written, quarantined=rows.malformed.num_rows)
        check_conserved(counts, where=bronze.name)
        change.summary("counts", json.dumps(asdict(counts)))
        facts = {"table": bronze.name, "batch": landing.batch, "files": 0, "at": landing.at.isoformat()}
        commit.record("batch", f"{bronze.name}/{world.ids.new()}", facts | asdict(counts))
        commit.apply()
    return Landed(topic.name, landing.batch, counts, moved, world.clock.monotonic() - started)


def _tables(lake: Lake, project: Project, topic: Topic, rows: TopicRows, lease: Lease) -> tuple[Head, Head, TableSpec]:
    """Bronze, grown by columns that came for the first time, and quarantine."""
    contract = project.contracts[topic.dataset]
    before = lake.spec(bronze_name(topic.name))
    spec = bronze_spec(contract, topic.source, spelled(source_columns(before), rows.names), before=before)
    return lake.ensure(spec, lease=lease), lake.ensure(quarantine_spec(contract.dataset), lease=lease), spec


def _offsets(topic: str) -> str:
    return f"{topic}.offsets"


def _recorded(positions: Mapping[int, Position]) -> str:
    return json.dumps({str(one): [at.offset, at.incarnation] for one, at in sorted(positions.items())})


def _token(topic: Topic, batch: int, positions: Mapping[int, Position]) -> str:
    """Made of content positions only, so that the same work has the same token."""
    return sha256(f"{topic.name}\n{batch}\n{_recorded(positions)}".encode()).hexdigest()
