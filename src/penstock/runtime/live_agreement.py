"""Whether what is served of live tables is there: each table kept by a topology, each column in it and not personal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from penstock.errors import DeclarationError, PenstockError
from penstock.lake.records import read_heads, read_table_summary
from penstock.quality.masking import personal_columns
from penstock.release.record import latest_release
from penstock.runtime.installation import Installation
from penstock.runtime.topology_graphs import graphs
from penstock.spec.live_endpoint import LiveEndpoint, LiveMeasure
from penstock.spec.problems import did_you_mean
from penstock.spec.project import Project
from penstock.spec.stream import LIVE_PREFIX
from penstock.sql.personal import personal_of_dataset, personal_outputs
from penstock.stream.schema import DELETED


def problems_of_live(installation: Installation) -> Iterator[PenstockError]:
    """What is wrong with live endpoints and measures; columns are held to the tables whose topologies can be planned."""
    project = installation.project
    served: list[LiveEndpoint | LiveMeasure] = [*project.live, *project.measures]
    if not served:
        return
    known = _columns(installation)
    personal = personal_outputs(project, is_personal=partial(_is_personal, installation))
    for one in served:
        if one.table not in known:
            yield DeclarationError(
                f"No topology keeps the live table `{one.table}`",
                where=one.place,
                expected="the name of a `live` output in streams/",
                found=one.table,
                remedy=did_you_mean(one.table, known) or "Declare the output, or name another one.",
            )
            continue
        hidden = personal[f"{LIVE_PREFIX}{one.table}"]
        for name in one.used:
            if known[one.table] and name not in known[one.table]:
                yield DeclarationError(
                    f"The live table `{one.table}` has no column `{name}`",
                    where=one.place,
                    found=name,
                    remedy=did_you_mean(name, known[one.table]) or "Name another one.",
                )
            elif name in hidden:
                yield DeclarationError(
                    f"The column `{name}` is personal and cannot be served",
                    where=one.place,
                    expected="columns that are made of no personal value",
                    found=f"made of {hidden[name]}",
                    remedy="Leave it out.",
                )


def _is_personal(installation: Installation, table: str, column: str) -> bool:
    """Whether a column of a table that is looked up is personal: as its contract says, or as it was released; one that
    was not yet goes by its name."""
    project, (layer, _, name) = installation.project, table.partition(".")
    if layer == "silver" and name in project.contracts:
        return column in personal_of_dataset(project, name)
    release = latest_release(installation.place.root)
    if release is not None and table in release.gold:
        number = next((one.field_id for one in release.gold[table].columns if one.name == column), None)
        return number in read_table_summary(read_heads(installation.place.root)[table]).personal_ids
    return column.lower() in personal_columns(project)


def _columns(installation: Installation) -> Mapping[str, tuple[str, ...]]:
    """The columns of every live table; none of a table whose topology cannot be planned before there is a release."""
    project = installation.project
    try:
        planned = graphs(installation)
    except DeclarationError:
        return _declared(project)
    return {
        sink.output.name: tuple(name for name in sink.schema.names if name != DELETED)
        for graph in planned.values()
        for sink in graph.sinks
        if sink.output.live
    }


def _declared(project: Project) -> Mapping[str, tuple[str, ...]]:
    outputs = [output for topology in project.streams.topologies.values() for output in topology.outputs]
    return {output.name: output.columns for output in outputs if output.live}
