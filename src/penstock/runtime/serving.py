"""The serving store follows the releases, and the API serves it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import duckdb

from penstock.errors import DeclarationError, UsageError
from penstock.lake.lake import Lake
from penstock.quality.growth import CAME_GOLD, Growth
from penstock.quality.masking import personal_columns
from penstock.quality.result import CheckResult, Kind, Status
from penstock.release.gold import has_changes, open_gold
from penstock.release.record import Release, find_release, latest_release
from penstock.release.shape import Personal
from penstock.runtime.installation import Installation
from penstock.runtime.served_release import Served, is_served, served, serving_store
from penstock.runtime.shutdown import exit_on_stop
from penstock.serve.agreement import GoldColumn, Tables, early_problems, fitted, judge
from penstock.serve.feed import key_faults, slices
from penstock.serve.kind import instant
from penstock.spec.endpoint import Endpoint
from penstock.spec.project import Project, Severity
from penstock.store.collection import Collection, collections, version_of
from penstock.store.live_shape import LiveShape
from penstock.store.manifest import Manifest
from penstock.store.protocol import Slice
from penstock.transform.result import GOLD, ModelResult
from penstock.world import Clock

if TYPE_CHECKING:
    from penstock.serve.live import LiveDoor
    from penstock.transform.graph import Graph, Node


def serve_latest(installation: Installation) -> Manifest | None:
    """Bring the store to the latest release and the endpoints declared now; None before the first release, unless what is
    declared needs none.

    Everything or nothing: whatever fails leaves what was served. Raises DeclarationError when the endpoints do
    not fit the release.
    """
    with serving_store(installation).exclusive():
        release, manifest = latest_release(installation.place.root), served(installation)
        if release is None:
            return None if installation.project.endpoints else manifest or _without_release(installation)
        if manifest is not None and is_served(manifest, release, installation):
            return manifest
        return _refresh(installation, release, manifest)


def serve(installation: Installation, *, host: str, port: int, workers: int, ready: Callable[[Served], None]) -> None:
    """Serve the API until the process is told to end. UsageError when nothing was released, or the port is taken."""
    with exit_on_stop():
        _serve(installation, host=host, port=port, workers=workers, ready=ready)


def _serve(installation: Installation, *, host: str, port: int, workers: int, ready: Callable[[Served], None]) -> None:
    from penstock.runtime import worker  # before the workers are forked, so that they share it
    from penstock.runtime.traffic_state import forget_ended
    from penstock.serve.server import listen, require_free

    if not installation.project.serves:
        raise UsageError(
            "The project declares no endpoint",
            where=str(installation.project.root),
            remedy="Declare one under endpoints/.",
        )
    require_free(host, port)
    manifest = serve_latest(installation)
    if manifest is None:
        raise UsageError("Nothing was released yet", remedy="Run `penstock run` first.")
    forget_ended(installation.place.root)
    name = f"[{host}]" if ":" in host else host
    paths = (*(one.path for one in manifest.endpoints), *(one.path for one in installation.project.live))
    ready(Served(manifest.project, manifest.release, f"http://{name}:{port}", paths))
    listen(
        worker.NAME,
        serving_store(installation).folder,
        installation.place.root,
        host=host,
        port=port,
        workers=workers,
        cors=installation.project.serving.cors,
        live=live_door(installation),
    )


def live_door(installation: Installation) -> LiveDoor:
    """What is served of live tables, and by which topology each is kept."""
    from penstock.serve.live import LiveDoor  # brings FastAPI, which a run has no use for

    project = installation.project
    topologies = {
        output.name: topology.name
        for topology in project.streams.topologies.values()
        for output in topology.outputs
        if output.live
    }
    return LiveDoor(project.live, project.measures, topologies, _shapes(installation))


def _shapes(installation: Installation) -> Mapping[str, LiveShape]:
    """What the live tables hold that are served; nothing where a topology cannot be planned before a release."""
    project = installation.project
    served = {one.table for one in project.live} | {one.table for one in project.measures}
    if not served:
        return {}
    from penstock.runtime.topology import live_shape
    from penstock.runtime.topology_graphs import graphs

    try:
        planned = graphs(installation).values()
    except DeclarationError:
        return {}
    sinks = ((graph, sink) for graph in planned for sink in graph.sinks if sink.output.live)
    return {sink.output.name: live_shape(graph, sink) for graph, sink in sinks if sink.output.name in served}


def judge_endpoints(project: Project, models: Sequence[ModelResult]) -> None:
    """DeclarationError when endpoints do not fit the models as they were built."""
    personal = Personal(personal_columns(project))
    tables = {
        model.name: [
            GoldColumn(column.name, column.duckdb_type, column.description, personal.holds(column))
            for column in model.columns
        ]
        for model in models
    }
    judge(project.endpoints, tables)


def problems_of_endpoints(project: Project, graph: Graph) -> Iterator[DeclarationError]:
    """What is wrong with endpoints as far as declarations tell, before anything is built."""
    names = personal_columns(project)
    tables = {node.name: _personal_of(node, names) for node in graph.models if node.schema == GOLD}
    return early_problems(project.endpoints, tables)


def key_checks(
    endpoints: Sequence[Endpoint],
    connection: duckdb.DuckDBPyConnection,
    *,
    clock: Clock,
    growth: Growth | None = None,
) -> Iterator[CheckResult]:
    """Rules of the gate: the key of every endpoint names one row of its table. Where it did at the last release, as
    `growth` tells, rows that came are looked at alone, and others that have their keys."""
    grown = Growth() if growth is None else growth
    for table, key in sorted({(endpoint.table, endpoint.key) for endpoint in endpoints}):
        began = clock.monotonic()
        name = f"endpoint_key_{table}_{key}"
        held = table in grown.gold and grown.holds_for_the_others(name, "", of=())
        absent, repeated = key_faults(connection, table, key, came=CAME_GOLD if held else None)
        endpoint = next(one for one in endpoints if (one.table, one.key) == (table, key))
        holds = absent == repeated == 0
        yield CheckResult(
            name=name,
            kind=Kind.UNIQUENESS,
            severity=Severity.ERROR,
            status=Status.PASS if holds else Status.FAIL,
            value=str(absent + repeated),
            expected="0",
            message=f"{key} names every row" if holds else f"{absent} rows have no {key}, {repeated} repeat another's",
            sample=(),
            seconds=round(clock.monotonic() - began, 3),
            fingerprint="",
            where=endpoint.places.get("/key", endpoint.path),
            description=f"The key of {endpoint.path} names one row of gold.{table}.",
        )


def _personal_of(node: Node, names: frozenset[str]) -> Callable[[str], bool]:
    def is_personal(column: str) -> bool:
        described = node.columns.get(column)
        if described is not None and described.classification is not None:
            return described.classification == "personal"
        return column.lower() in names

    return is_personal


def _without_release(installation: Installation) -> Manifest:
    """Live tables are served before there is a release, or where there never will be one."""
    project, store = installation.project, serving_store(installation)
    return store.refresh(Manifest(project.name, project.description, 0, None, (), ()), lambda _: iter(()))


def _refresh(installation: Installation, release: Release, former: Manifest | None) -> Manifest:
    project = installation.project
    tables = _released(installation, release)
    judge(project.endpoints, tables)
    wanted = tuple(
        replace(one, version=version_of(one, release.gold[f"{GOLD}.{one.table}"].snapshot))
        for one in fitted(collections(project.endpoints), tables)
    )
    manifest = Manifest(
        project=project.name,
        description=project.description,
        release=release.number,
        committed_at=instant(release.committed_at),
        endpoints=project.endpoints,
        collections=wanted,
    )
    follow = following(installation, release, former)
    with ExitStack() as stack:
        gold: list[duckdb.DuckDBPyConnection] = []

        def read(collection: Collection) -> Iterator[Slice]:
            if not gold:  # a release that changed nothing of what is served is not read
                opened = open_gold(installation.place.root, installation.world, release=release.number)
                gold.append(stack.enter_context(opened))
            by_changes = collection.name in follow and has_changes(gold[0], collection.table)
            return slices(gold[0], collection, by_changes=by_changes)

        return serving_store(installation).refresh(manifest, read)


def following(installation: Installation, release: Release, former: Manifest | None) -> frozenset[str]:
    """The names of the collections that the store has as the release before had them."""
    if former is None or former.release != release.number - 1:
        return frozenset()
    try:
        before = find_release(installation.place.root, former.release)
    except UsageError:
        return frozenset()
    released = {one.name: before.gold.get(f"{GOLD}.{one.table}") for one in former.collections}
    return frozenset(
        one.name
        for one in former.collections
        if (table := released[one.name]) is not None and one.version == version_of(one, table.snapshot)
    )


def _released(installation: Installation, release: Release) -> Tables:
    """The gold tables of a release that endpoints name, with what is known of their columns."""
    wanted = {endpoint.table for endpoint in installation.project.endpoints}
    found: dict[str, Sequence[GoldColumn]] = {name.removeprefix(f"{GOLD}."): () for name in release.gold}
    with Lake.open(installation.place.root, installation.world) as lake:
        for table in wanted & set(found):
            spec = lake.spec(f"{GOLD}.{table}")
            known = {} if spec is None else {column.name: column for column in spec.columns}
            found[table] = [
                GoldColumn(
                    column.name,
                    column.duckdb_type,
                    known[column.name].doc if column.name in known else "",
                    column.name not in known or known[column.name].personal,
                )
                for column in release.gold[f"{GOLD}.{table}"].columns
            ]
    return found
