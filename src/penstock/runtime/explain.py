"""How a source, a dataset, a model, a topology or a metric is made: where from, by which rules and SQL, for whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field

from penstock.errors import UsageError, choices
from penstock.release.query import nearest
from penstock.release.record import latest_release
from penstock.runtime.installation import Installation
from penstock.runtime.metrics import days_until_final, explain_metric, read_metrics
from penstock.runtime.models import read_models
from penstock.runtime.topology_graphs import graphs
from penstock.spec.contract import Column, Contract
from penstock.spec.duration import spoken_duration
from penstock.spec.source import Source
from penstock.spec.stream import Topology
from penstock.stream.picture import picture
from penstock.transform.graph import Graph, Node


@dataclass(frozen=True)
class Explanation:
    """One thing explained. `facts` are short lines by heading; `sql` is the query that makes its rows."""

    name: str
    kind: str  # source | dataset | model | topology | metric
    description: str
    reads: tuple[str, ...]
    read_by: tuple[str, ...]
    facts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sql: str = ""

    def as_record(self) -> dict[str, object]:
        return asdict(self)

    def lines(self) -> Iterator[str]:
        yield f"{self.kind} {self.name}" + (f": {self.description}" if self.description else "")
        yield f"reads:   {', '.join(self.reads) or 'nothing'}"
        yield f"read by: {', '.join(self.read_by) or 'nothing'}"
        for heading, entries in self.facts.items():
            yield f"{heading}:"
            yield from (f"  {entry}" for entry in entries)
        if self.sql:
            yield "sql:"
            yield from (f"  {line}" for line in self.sql.strip().splitlines())


def explain(installation: Installation, name: str) -> Explanation:
    """Explain `name`: a dataset, a source, a model, or one of them with its layer (`silver.x`, `gold.y`), a topology, or
    a metric of the latest release.

    UsageError lists what there is.
    """
    project = installation.project
    if name in project.streams.topologies:
        return _topology(installation, project.streams.topologies[name])
    layer, _, bare = name.rpartition(".")
    if layer in ("", "gold", "main", "staging"):
        graph = read_models(installation)
        node = next((node for node in graph.models if bare in (node.name, node.table)), None)
        if node is not None and (layer or bare not in project.contracts):
            return _model(installation, graph, node)
    if layer in ("", "silver", "quarantine") and bare in project.contracts:
        return _dataset(installation, project.contracts[bare])
    if layer in ("", "bronze") and bare in project.sources:
        return _source(project.sources[bare])
    if (metric := _metric(installation, name)) is not None:
        return metric
    known = [f"silver.{one}" for one in project.contracts] + [f"bronze.{one}" for one in project.sources]
    known += project.streams.topologies
    known += sorted(node.table for node in read_models(installation).models)
    near = nearest(name, [one for one in known if "." in one])
    remedy = f"Did you mean {' or '.join(near)}?" if near else "`penstock status` lists the tables."
    raise UsageError("There is nothing of that name", expected=choices(known, near), found=name, remedy=remedy)


def _metric(installation: Installation, name: str) -> Explanation | None:
    """None where nothing was released, or no metric of that name."""
    from penstock.sql.tables import tables_of

    if latest_release(installation.place.root) is None or name not in read_metrics(installation)[1].metrics:
        return None
    found = explain_metric(installation, name)
    metric = found.metric
    facts = {
        "label": (f"{metric.label} ({metric.unit})",),
        "owner": (metric.owner,),
        "final after": (days_until_final(metric),),
        "grains": (", ".join(metric.grains),),
        "dimensions": tuple(one.name for one in metric.dimensions),
        "release": (str(found.release),),
    }
    return Explanation(
        name, "metric", metric.description, tables_of(found.sql), (f"/metrics/{name}",), facts, found.sql
    )


def _source(source: Source) -> Explanation:
    reading = source.reading
    facts = {
        "files": source.globs,
        "format": (f"{source.format}, compression {source.compression or 'by ending'}",),
        "delivery": (f"{source.delivery.mode}" + (f", {source.delivery.pattern}" if source.delivery.pattern else ""),),
        "names": tuple(f"{theirs} -> {ours}" for ours, theirs in reading.mapping),
        "text": (
            f"null where it reads {', '.join(map(repr, reading.null_values)) or 'nothing'}",
            f"decimal separator {reading.decimal_separator!r}",
            f"times without offset are {reading.timezone}",
        ),
    }
    name = f"bronze.{source.name}"
    return Explanation(name, "source", source.description, source.globs, (f"silver.{source.dataset}",), facts)


def _dataset(installation: Installation, contract: Contract) -> Explanation:
    project = installation.project
    dedupe = contract.dedupe
    graph = read_models(installation)
    facts = {
        "key": (", ".join(contract.key) or "none: a row is its file and line",),
        "every version is kept, by": () if contract.history is None else (contract.history,),
        "version that wins": (_winner(contract),) if contract.key else (),
        "columns": tuple(_column(column) for column in contract.columns),
        "row rules": tuple(f"{rule.name}: {rule.expression}" for rule in contract.rules),
        "references (checked at the gate)": tuple(
            f"{', '.join(one.columns)} -> {one.dataset}.{', '.join(one.to)}" for one in contract.references
        ),
        "new columns": (str(contract.evolution),),
        "partitions": tuple(f"{one.transform}({one.column})" for one in contract.partitions),
        "horizon": (spoken_duration(dedupe.horizon),) if dedupe.horizon is not None else (),
        "contract": (f"{contract.path.name} version {contract.version}, fingerprint {contract.fingerprint[:12]}",),
    }
    return Explanation(
        name=f"silver.{contract.dataset}",
        kind="dataset",
        description=contract.description,
        reads=tuple(f"bronze.{source.name}" for source in project.sources_of(contract.dataset)),
        read_by=_readers(graph, {id for id, dataset in graph.sources.items() if dataset == contract.dataset}),
        facts={heading: entries for heading, entries in facts.items() if entries},
        sql=_conform_sql(installation, contract),
    )


def _winner(contract: Contract) -> str:
    first = f"highest {contract.dedupe.order_by}, then " if contract.dedupe.order_by else ""
    return f"{first}highest content hash; never by arrival"


def _column(column: Column) -> str:
    rules = [
        "required" if column.required else "",
        f"one of {', '.join(column.enum)}" if column.enum else "",
        f"from {column.minimum}" if column.minimum is not None else "",
        f"to {column.maximum}" if column.maximum is not None else "",
        f"matches {column.pattern}" if column.pattern else "",
        str(column.format) if column.format else "",
        str(column.classification),
    ]
    size = f"({column.precision},{column.scale})" if column.precision is not None else ""
    return f"{column.name} {column.type}{size}: {', '.join(rule for rule in rules if rule)}"


def _conform_sql(installation: Installation, contract: Contract) -> str:
    """The query that types and judges a batch, as compiled for the first source; the secret is not in it."""
    from penstock.conform.columns import SYSTEM, pseudonym_domains
    from penstock.conform.compile import Pseudonyms, compile_plan
    from penstock.sql.pretty import pretty

    project = installation.project
    sources = project.sources_of(contract.dataset)
    if not sources:
        return ""
    mapped = dict(sources[0].reading.mapping)
    available = (*(mapped.get(column.name, column.name) for column in contract.columns), *SYSTEM)
    pseudonyms = Pseudonyms(b"(secret)", pseudonym_domains(contract, project.contracts))
    plan = compile_plan(contract, sources[0].reading, available, tenant=project.tenant, pseudonyms=pseudonyms)
    return pretty(plan.typed(f"bronze.{sources[0].name}"))


def _model(installation: Installation, graph: Graph, node: Node) -> Explanation:
    compiled = installation.place.cache / "dbt" / "target" / "compiled"
    found = next((path for path in compiled.glob(f"*/{node.path}") if path.is_file()), None)
    models = installation.project.models
    raw = None if models is None else models / node.path
    sql = found or raw
    tests = tuple(sorted(test.name for test in graph.tests if node.id in test.parents))
    facts = {
        "made": (f"{node.materialized}, released as {node.kind}" if node.schema == "gold" else node.materialized,),
        "columns": tuple(f"{name}: {column.description}" for name, column in node.columns.items()),
        "tests": tests,
        "file": (node.path,),
    }
    return Explanation(
        name=node.table,
        kind="model",
        description=node.description,
        reads=tuple(_name(graph, parent) for parent in node.parents),
        read_by=_readers(graph, {node.id}),
        facts={heading: entries for heading, entries in facts.items() if entries},
        sql=sql.read_text(encoding="utf-8") if sql is not None and sql.is_file() else "",
    )


def _readers(graph: Graph, ids: set[str]) -> tuple[str, ...]:
    return tuple(sorted(node.table for node in graph.models if ids & set(node.parents)))


def _name(graph: Graph, id: str) -> str:
    return f"silver.{graph.sources[id]}" if id in graph.sources else graph.nodes[id].table


def _topology(installation: Installation, topology: Topology) -> Explanation:
    """The graph of a topology in words."""
    graph = graphs(installation, [topology.name])[topology.name]
    time = topology.time
    return Explanation(
        name=topology.name,
        kind="topology",
        description=topology.description,
        reads=tuple(topology.inputs()),
        read_by=tuple(output.topic for output in topology.outputs),
        facts={
            "event time": (
                f"watermark {spoken_duration(time.lateness)} behind the latest event",
                f"at most {spoken_duration(time.skew)} ahead of the clock",
                f"a partition without events for {spoken_duration(time.idle)} holds nobody back",
            ),
            "steps": tuple(picture(graph)),
            "declaration": (f"{topology.path.name}, fingerprint {topology.fingerprint[:12]}",),
        },
    )
