"""MetricFlow in this process: the only module that imports it. No network, no warehouse, no command line.

It gets the semantic manifest as dbt writes it, and gives SQL for DuckDB; nothing is run.
"""

from __future__ import annotations

import json
import logging
import re
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, time
from typing import Any

from jinja2 import Environment

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest
    from metricflow.protocols.sql_client import SqlEngine
    from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer
    from metricflow_semantic_interfaces.references import MetricReference
    from metricflow_semantics.dag.sequential_id import SequentialId, SequentialIdGenerator
    from metricflow_semantics.errors.error_classes import InvalidQueryException
    from metricflow_semantics.model.dbt_manifest_parser import parse_manifest_from_dbt_generated_manifest
    from metricflow_semantics.model.linkable_element_property import GroupByItemProperty
    from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup
    from metricflow_semantics.model.semantics.element_filter import GroupByItemSetFilter
    from metricflow_semantics.model.semantics.linkable_element import LinkableElementType


from penstock.errors import DeclarationError
from penstock.metrics.declaration import fingerprint_of, meaning_of
from penstock.metrics.metric import TIME, Dimension, DimensionKind, Grain, Metric, Metrics
from penstock.metrics.specialise import NotSeparable, check_separable
from penstock.metrics.template import FIRST, LAST, filter_mark, is_sound, parse, template_of

_NOT_OFFERED = frozenset({GroupByItemProperty.METRIC, GroupByItemProperty.METRIC_TIME, GroupByItemProperty.DATE_PART})

logging.getLogger("metricflow").setLevel(logging.ERROR)
logging.getLogger("metricflow_semantics").setLevel(logging.ERROR)


class _NoDatabase:
    """What MetricFlow takes for a database: it knows the dialect and can run nothing."""

    sql_engine_type = SqlEngine.DUCKDB
    sql_plan_renderer = DuckDbSqlPlanRenderer()

    def render_bind_parameter_key(self, bind_parameter_key: str) -> str:
        return f"${bind_parameter_key}"


class Compiler:
    """One semantic manifest, ready to give SQL."""

    def __init__(self, manifest: str) -> None:
        self._manifest: Mapping[str, Any] = json.loads(manifest)
        semantic = parse_manifest_from_dbt_generated_manifest(manifest)
        client: Any = _NoDatabase()
        self._lookup = SemanticManifestLookup(semantic)
        self._engine = MetricFlowEngine(self._lookup, client)

    def sql(
        self,
        metric: str,
        *,
        by: Sequence[str] = (),
        grain: Grain | None = None,
        first: datetime | None = None,
        last: datetime | None = None,
        where: str | None = None,
    ) -> str:
        """MetricFlow's own SQL of one request; `by` are whole names. InvalidQueryException where there is none."""
        group_by = ([] if grain is None else [f"{TIME}__{grain}"]) + list(by)
        request = MetricFlowQueryRequest.create(
            metric_names=[metric],
            group_by_names=group_by or None,
            time_constraint_start=first,
            time_constraint_end=last,
            where_constraints=None if where is None else [where],
        )
        return str(self._engine.explain(request).sql_statement.sql)

    def is_plain(self, metric: str) -> bool:
        """Whether a metric is a measure or the quotient of two: no window, no offset, no formula."""
        one = next(one for one in self._manifest["metrics"] if one["name"] == metric)
        parts = [one["type_params"].get(part) for part in ("numerator", "denominator")]
        if one["type"] == "ratio":
            return all(part and self.is_plain(part["name"]) and not _is_offset(part) for part in parts)
        return bool(one["type"] == "simple")

    def dimensions(self, metric: str) -> tuple[Dimension, ...]:
        """All that a metric can be grouped by, apart from its own time, by whole name."""
        items = self._lookup.metric_lookup.get_common_group_by_items(
            metric_references=(MetricReference(metric),),
            set_filter=GroupByItemSetFilter.create(any_properties_denylist=_NOT_OFFERED),
        )
        kept = _kept_whole(self._manifest)
        found = (self._dimension(item) for item in items.annotated_specs)
        offered = [one for one in found if one is not None and one.name not in kept]
        return tuple(sorted(offered, key=lambda one: one.name))

    def _dimension(self, item: Any) -> Dimension | None:
        """A group-by item as a dimension; None for what is not offered."""
        spec, (model, *_) = item.spec, item.origin_semantic_model_names
        own = GroupByItemProperty.LOCAL in item.property_set
        described = _described(self._manifest, model, spec.element_name)
        if item.element_type is LinkableElementType.ENTITY:
            if described.get("type") in ("primary", "unique") or (own and spec.entity_links):
                return None
            kind, grain = DimensionKind.ENTITY, ""
        elif item.element_type is LinkableElementType.TIME_DIMENSION:
            if own and spec.element_name in _own_times(self._manifest, model):
                return None
            if spec.time_granularity is None or spec.time_granularity.name not in set(Grain):
                return None
            kind, grain = DimensionKind.TIME, f"__{spec.time_granularity.name}"
        else:
            kind, grain = DimensionKind.CATEGORICAL, ""
        description = " ".join((described.get("description") or "").split())
        return Dimension(spec.dunder_name, spec.element_name + grain, kind, own, description)


def _is_offset(part: Mapping[str, Any]) -> bool:
    return bool(part.get("offset_window") or part.get("offset_to_grain"))


def compile_metrics(manifest: str) -> Metrics:
    """Compile every metric of a semantic manifest (JSON) for every grain it can be asked at.

    Raises DeclarationError with every problem: facts that are missing, metrics that MetricFlow cannot compile, models
    that are not released.
    """
    meanings = [meaning_of(one) for one in json.loads(manifest)["metrics"]]
    problems = [problem for meaning in meanings for problem in meaning.problems]
    metrics: dict[str, Metric] = {}
    with _nothing_twice():
        compiler = Compiler(manifest)
        for meaning in meanings if not problems else ():
            try:
                metrics[meaning.name] = meaning.metric(*_compiled(compiler, meaning.name))
            except DeclarationError as error:
                problems.append(error)
    if problems:
        raise DeclarationError("The metrics cannot be compiled", problems=tuple(problems))
    return Metrics(fingerprint_of(manifest), dict(sorted(metrics.items())))


@contextmanager
def _nothing_twice() -> Iterator[None]:
    """Inside, MetricFlow compiles a filter once, not for every place where it stands, and counts with one counter, where it
    copies all that it has for every number: a third of its time."""
    compile_anew, compiled = Environment.compile, dict[Any, Any]()

    def compile_once(environment: Environment, source: Any, *rest: Any, **named: Any) -> Any:
        if rest or named or not isinstance(source, str):
            return compile_anew(environment, source, *rest, **named)
        key = type(environment), environment.lexer, source
        if key not in compiled:
            compiled[key] = compile_anew(environment, source)
        return compiled[key]

    numbers = _Numbers()
    with ExitStack() as stack:
        _replace(stack, Environment, "compile", compile_once)
        _replace(stack, SequentialIdGenerator, "reset", staticmethod(numbers.reset))
        _replace(stack, SequentialIdGenerator, "create_next_id", staticmethod(numbers.create_next_id))
        yield


def _replace(stack: ExitStack, owner: type, name: str, value: Any) -> None:
    """Put something in the place of an attribute until the stack is left."""
    stack.callback(setattr, owner, name, vars(owner)[name])
    setattr(owner, name, value)


class _Numbers:
    """The numbers that MetricFlow gives out, each kind counted from the same start."""

    def __init__(self) -> None:
        self.reset()

    def reset(self, default_start_value: int = 0) -> None:
        self._next: defaultdict[Any, int] = defaultdict(lambda: default_start_value)

    def create_next_id(self, id_prefix: Any) -> SequentialId:
        number = self._next[id_prefix]
        self._next[id_prefix] = number + 1
        return SequentialId(id_prefix=id_prefix, index=number)


def _compiled(compiler: Compiler, metric: str) -> tuple[tuple[Dimension, ...], Mapping[str, str]]:
    """The dimensions that are offered, and the templates over them.

    One that the statement itself needs (the key of a metric that is filtered on) can be cut out of nothing: it is
    not offered.
    """
    dimensions = compiler.dimensions(metric)
    while True:
        try:
            return dimensions, dict(_templates(compiler, metric, dimensions))
        except NotSeparable as error:
            fewer = tuple(one for one in dimensions if one.name not in error.names)
            if len(fewer) == len(dimensions):
                raise DeclarationError(
                    f"The metric `{metric}` cannot be kept with a release", found=str(error)
                ) from error
            dimensions = fewer


def _templates(compiler: Compiler, metric: str, dimensions: Sequence[Dimension]) -> Iterator[tuple[str, str]]:
    """The template of every grain that the metric can be asked at, and that without one.

    Where the statements of two grains of a plain metric differ in the name of the period alone, so do those of the
    longer ones, and MetricFlow need not compile them.
    """
    made: dict[Grain | None, str] = {}
    refused = ""
    for grain in (None, *Grain):
        shorter = [one for one in made if one is not None][-2:]
        if grain is not None and len(shorter) == 2 and compiler.is_plain(metric):
            before, last = shorter
            if _renamed(made[before], before, last) == made[last]:
                made[grain] = _renamed(made[last], last, grain)
                continue
        try:
            sql = compiler.sql(
                metric,
                by=[dimension.name for dimension in dimensions],
                grain=grain,
                first=datetime.combine(FIRST, time()),
                last=datetime.combine(LAST, time()),
                where=filter_mark(dimensions),
            )
        except InvalidQueryException as error:
            refused = str(error)
            continue
        statement = parse(sql)
        if not is_sound(statement):
            refused = "its SQL reads a table that it does not join"
            continue
        made[grain] = _numbered(template_of(statement, metric=metric))
        check_separable(statement, [dimension.name for dimension in dimensions])
    if not made:
        raise DeclarationError(f"MetricFlow cannot compile the metric `{metric}`", found=_first_reason(refused))
    yield from (("" if grain is None else str(grain), template) for grain, template in made.items())


def _renamed(template: str, grain: Grain, other: Grain) -> str:
    """The template with another period in place of its own; dimensions of time keep theirs."""
    cut = re.sub(
        rf"DATE_TRUNC\('{grain.upper()}', ([^()]*)\) AS {TIME}__{grain}\b",
        rf"DATE_TRUNC('{other.upper()}', \1) AS {TIME}__{other}",
        template,
    )
    return re.sub(rf"\b{TIME}__{grain}\b", f"{TIME}__{other}", cut)


def _numbered(template: str) -> str:
    """The template with its subqueries counted from 1, as they come; MetricFlow counts on from statement to statement."""
    numbers: dict[str, int] = {}
    return re.sub(r"\bsubq_\d+\b", lambda name: f"subq_{numbers.setdefault(name[0], len(numbers) + 1)}", template)


def _first_reason(message: str) -> str:
    """The message of the first error, of many that say the same for every filter and input."""
    _, _, rest = message.partition("Message:")
    return " ".join((rest or message).partition("Suggestions:")[0].partition("Issue Location:")[0].split())


def _described(manifest: Mapping[str, Any], model: str, name: str) -> Mapping[str, Any]:
    """The dimension or entity of a semantic model as it is declared."""
    found = next(one for one in manifest["semantic_models"] if one["name"] == model)
    declared = (*(found.get("dimensions") or ()), *(found.get("entities") or ()))
    return next((one for one in declared if one["name"] == name), {})


def _own_times(manifest: Mapping[str, Any], model: str) -> frozenset[str | None]:
    """The time dimensions that the rows of a model are counted on: those are asked for by grain."""
    found = next(one for one in manifest["semantic_models"] if one["name"] == model)
    default = (found.get("defaults") or {}).get("agg_time_dimension")
    return frozenset({default, *(measure.get("agg_time_dimension") for measure in found.get("measures") or ())})


def _kept_whole(manifest: Mapping[str, Any]) -> frozenset[str]:
    """Names that a semi-additive measure picks its rows by: its statement groups by them, asked or not."""
    return frozenset(
        name
        for model in manifest["semantic_models"]
        for measure in model.get("measures") or ()
        for name in (measure.get("non_additive_dimension") or {}).get("window_groupings") or ()
    )
