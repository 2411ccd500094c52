"""One build: the warehouse or its copy, the models that have to run, their tests, and what came out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from functools import partial
from importlib.metadata import version
from pathlib import Path

import duckdb

from penstock.spec.project import Project
from penstock.transform import warehouse
from penstock.transform.changes import CAME, define_source_changes, forget, named
from penstock.transform.failure import check_appending, check_changes, check_models, check_released, check_sources
from penstock.transform.graph import Graph, Node
from penstock.transform.narrowing import Proven, affected_by
from penstock.transform.outcome import Outcome, model_results, test_results
from penstock.transform.program import Program, held_program, keep_program, program_key
from penstock.transform.ran import Ran
from penstock.transform.result import Build, ModelInput, ModelKind, ModelResult, ModelStatus
from penstock.transform.runner import Runner, told
from penstock.transform.selection import Change, Selection, change_of, select, signature, without_keys
from penstock.transform.state import InputState, NodeState, WarehouseState
from penstock.transform.workspace import Limits, Workspace, prepare
from penstock.world import Clock

_LAYOUT = "5"  # raise it when a warehouse made by an older version must not be built upon


def engine() -> str:
    """The versions that make a warehouse; one made by others is not built upon."""
    return f"{_LAYOUT} dbt-core {version('dbt-core')} dbt-duckdb {version('dbt-duckdb')} duckdb {duckdb.__version__}"


Look = Callable[[Build, duckdb.DuckDBPyConnection], None]


def build(
    project: Project,
    *,
    inputs: Mapping[str, ModelInput],
    base: Path | None,
    target: Path,
    clock: Clock,
    log: Path | None,
    limits: Limits | None = None,
    in_place: bool = False,
    look: Look | None = None,
) -> Build:
    """Bring the models of `project` up to `inputs` in `target`, starting from a copy of `base`.

    `inputs` holds every silver dataset; `base` is the warehouse of the release built upon, None for none. A base
    that is missing, damaged or made by other versions is left aside and everything is built from silver. Where `base`
    may be changed `in_place`, nobody else reads it and nothing is made from nothing, there is no copy: what comes out
    is in `base`. `look` is called with what came out, on a connection that reads it; a `target` is put in order
    meanwhile, the base afterwards. When this raises, `base` is what it was; `target` is overwritten, half done, and
    should be discarded. dbt compiles the models when they changed, in the folder `dbt` beside `target`, with its log in `dbt.log` in the
    folder `log`; it runs them only where they are more than SQL (seeds, snapshots, hooks).

    Tests that fail are part of the result. Raises TransformFailed when a model does not build, DeclarationError when
    the models cannot be read.
    """
    started = clock.monotonic()
    limits = Limits() if limits is None else limits
    if project.models is None:
        return _nothing(inputs, target, look)
    workspace = prepare(target.parent / "dbt", models=project.models, database=target, limits=limits)
    program = read_program(workspace, log=log)
    graph = program.graph
    check_sources(graph, inputs, workspace)
    check_appending(graph, workspace)
    check_changes(graph, program.asked, workspace)
    built = _trusted(base)
    changes = {name: change_of(given, built.inputs.get(name) if built else None) for name, given in inputs.items()}
    selection = select(graph, changes, built, program.asked)
    selection = selection if program.sql else without_keys(selection, graph)
    in_place = in_place and bool(program.sql) and not selection.rebuild
    trusted = None if built is None else base
    with warehouse.to_build_in(trusted, target, limits, in_place=in_place) as (database, connection):
        done = partial(
            _done, database, base, inputs, lambda: clock.monotonic() - started, program.semantic_manifest, look
        )
        held, moving = _make_ready(connection, program, selection, inputs, changes)
        outcome = partial(Outcome, graph, workspace, selection, built, held, moving)
        if program.sql:  # one connection all along: what came and went is dropped before it would reach the file
            proven = _proven(program, selection, built, changes, held, moving)
            return done(connection, outcome(_run(connection, program, selection, proven, workspace, clock=clock)))
    ran = _run_by_dbt(program, selection, workspace, log=log)  # which opens the warehouse itself
    with warehouse.opened(target, limits=limits) as connection:
        return done(connection, outcome(ran))


def read_program(
    workspace: Workspace, *, log: Path | None, parsed: Callable[[str | None], object] = lambda _: None
) -> Program:
    """The models of the workspace as dbt compiles them, or as it did when they are what they were.

    The workspace's database is overwritten when dbt has to; `parsed` then gets dbt's JSON of the metrics, before the
    models are compiled. Raises DeclarationError when dbt cannot read the models.
    """
    key = program_key(workspace, engine())
    held = held_program(workspace, key)
    if held is not None:
        return held
    from penstock.transform.compiling import compile_program
    from penstock.transform.dbt_engine import Dbt

    program = compile_program(Dbt(workspace, log=log), workspace, key, parsed=parsed)
    keep_program(workspace, program)
    return program


def _run(
    connection: duckdb.DuckDBPyConnection,
    program: Program,
    selection: Selection,
    proven: Proven,
    workspace: Workspace,
    *,
    clock: Clock,
) -> Mapping[str, Ran]:
    """Build and test what was selected by its SQL alone; what became of each, by id."""
    ran = Runner(connection, program, workspace, clock).run(selection, proven)
    check_models([one for one in ran if one.id in selection.run], program.graph, workspace)
    return {one.id: one for one in ran}


def _run_by_dbt(program: Program, selection: Selection, workspace: Workspace, *, log: Path | None) -> Mapping[str, Ran]:
    """The same where the project needs more than SQL."""
    from penstock.transform.dbt_engine import Dbt

    nodes, dbt = program.graph.nodes, Dbt(workspace, log=log)
    dbt.parse()
    ran = dbt.run([nodes[id].selector for id in selection.run])
    check_models(ran, program.graph, workspace)
    return {one.id: one for one in (*ran, *dbt.test([nodes[id].selector for id in selection.tests]))}


def _done(
    database: Path,
    base: Path | None,
    inputs: Mapping[str, ModelInput],
    seconds: Callable[[], float],
    semantic_manifest: str | None,
    look: Look | None,
    connection: duckdb.DuckDBPyConnection,
    outcome: Outcome,
) -> Build:
    """What came out, as the warehouse remembers it; what only the build needed goes."""
    models = model_results(connection, outcome)
    check_released(models)
    tests = test_results(connection, outcome)
    forget(connection, but=[model.table for model in models if model.hands_changes_to_release])
    warehouse.write_state(connection, _state(outcome.graph, inputs, models, outcome.built))
    done = Build(database, models, tests, seconds(), semantic_manifest)
    if look is not None:
        with nullcontext() if database == base else warehouse.while_put_in_order(connection):
            look(done, connection)
    return done


def _nothing(inputs: Mapping[str, ModelInput], target: Path, look: Look | None) -> Build:
    """The warehouse of a project without models: its state alone."""
    built = Build(database=target, models=(), tests=(), seconds=0.0)
    with warehouse.to_build_in(None, target, Limits()) as (_, connection):
        warehouse.write_state(connection, _state(Graph({}, {}), inputs, ()))
        if look is not None:
            look(built, connection)
    return built


def _trusted(base: Path | None) -> WarehouseState | None:
    """What the base was built from; None where there is none to build upon."""
    built = None if base is None else warehouse.read_state(base)
    return None if built is None or built.engine != engine() else built


def _make_ready(
    connection: duckdb.DuckDBPyConnection,
    program: Program,
    selection: Selection,
    inputs: Mapping[str, ModelInput],
    changes: Mapping[str, Change],
) -> tuple[Mapping[str, int], frozenset[str]]:
    """Point the sources at the pinned files and drop what is to be made from nothing or is declared no more.

    Returns the number of rows of every append model that stays, and the models whose rows will move by key.
    """
    graph = program.graph
    warehouse.define_sources(connection, inputs, changes)
    relations = warehouse.relations(connection)
    declared = {node.table: node for node in graph.models}
    stale = {table for table in relations if table not in declared}
    rebuilt = {table for table, node in declared.items() if node.id in selection.rebuild}
    if warehouse.drop(connection, stale | rebuilt) and rebuilt:
        warehouse.put_in_order(connection)  # of a copy: what is made anew takes the place of what went
    define_source_changes(connection, inputs, changes, program.asked)
    stay = {table: node for table, node in declared.items() if table in relations and table not in rebuilt}
    held = {
        node.id: warehouse.count(connection, table) for table, node in stay.items() if node.kind is ModelKind.APPEND
    }
    return held, frozenset(node.id for node in stay.values() if node.moves_by_key and node.id in selection.run)


def _proven(
    program: Program,
    selection: Selection,
    built: WarehouseState | None,
    changes: Mapping[str, Change],
    held: Mapping[str, int],
    moving: Collection[str],
) -> Proven:
    """What the base's tests say of rows that stand."""
    if built is None:
        return Proven()
    graph = program.graph
    passed = {test.id for test in graph.tests if built.nodes.get(test.id) == NodeState(test.code)}
    retested = {test.tested for test in graph.tests if test.id not in passed}
    came = _came(graph, selection, changes, held, moving)
    return Proven(
        came={id: sql for id, sql in came.items() if id not in retested},
        gone=_gone(program, selection, held, moving),
        by_key=frozenset(
            id for id in passed if id in program.sql and _by_key(graph.nodes[id], program, selection, changes)
        ),
    )


def _came(
    graph: Graph,
    selection: Selection,
    changes: Mapping[str, Change],
    held: Mapping[str, int],
    moving: Collection[str],
) -> Mapping[str, str]:
    """Of the models to which rows come, a SELECT of these."""
    found = {
        id: f"SELECT * FROM {warehouse.relation(graph.nodes[id].table)} WHERE rowid >= {n}" for id, n in held.items()
    }
    found |= {id: f"SELECT * EXCLUDE ({CAME}) FROM {named(graph.nodes[id].table)} WHERE {CAME}" for id in moving}
    for node in graph.models:
        sources = [graph.sources.get(parent) for parent in node.parents]
        alone = {Change.MIXED} if len(sources) == 1 else set()  # a row that went may have hidden one of another source
        grew = all(name is not None and changes[name] in {Change.NONE, Change.ADDED, *alone} for name in sources)
        if node.hands_on_new and grew and node.id not in selection.rebuild:
            found[node.id] = f"SELECT * FROM {warehouse.relation(node.table)} WHERE _new"
    return {id: sql for id, sql in found.items() if id in selection.run}


def _gone(
    program: Program, selection: Selection, held: Mapping[str, int], moving: Collection[str]
) -> Mapping[str, str]:
    """Of the tables of which it can be told, a SELECT of the rows that go."""
    found = {}
    for node in program.graph.models:
        if node.id in selection.rebuild or node.materialized == "view":
            continue
        if node.id in held or node.id not in selection.run:
            found[node.id] = f"SELECT * FROM {warehouse.relation(node.table)} LIMIT 0"
        elif node.id in moving or node.table in told(program):
            found[node.id] = f"SELECT * FROM {named(node.table)} WHERE NOT {CAME}"
    return found


def _by_key(test: Node, program: Program, selection: Selection, changes: Mapping[str, Change]) -> bool:
    """Whether a test that passed holds for all keys but those that this build lists as affected."""
    graph, affected = program.graph, affected_by(program.sql[test.id].whole)
    tables = [graph.nodes[id].table for id in selection.run]
    listed = {*map(warehouse.relation, tables), *map(named, tables)}
    sources = [graph.sources[parent] for parent in test.parents if parent in graph.sources]
    stood = all(changes[name] is not Change.OTHER for name in sources) and not selection.rebuild & {*test.parents}
    return stood and bool(affected) and affected <= listed


def _state(
    graph: Graph,
    inputs: Mapping[str, ModelInput],
    models: tuple[ModelResult, ...],
    before: WarehouseState | None = None,
) -> WarehouseState:
    results = {model.unique_id: model for model in models}
    return WarehouseState(
        engine=engine(),
        inputs={name: InputState(given.scan.snapshot_id, signature(given)) for name, given in inputs.items()},
        nodes={id: _node_state(node, results.get(id), before) for id, node in graph.nodes.items()},
    )


def _node_state(node: Node, model: ModelResult | None, before: WarehouseState | None) -> NodeState:
    if model is None:
        return NodeState(node.code)
    held = None if before is None else before.nodes.get(node.id)
    seconds = model.seconds if model.status is ModelStatus.BUILT else None if held is None else held.seconds
    return NodeState(node.code, model.content_hash, model.rows, seconds)
