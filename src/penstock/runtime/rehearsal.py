"""A rehearsal: the models built and the checks asked over tables without rows, so that wrong SQL is found before a run."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb

from penstock.errors import DeclarationError, PenstockError, TransformFailed
from penstock.lake.table import FieldColumn, Scan, TableSpec
from penstock.lake.types import duckdb_type, iceberg_type
from penstock.load.tables import quarantine_spec, silver_spec, snapshots_spec
from penstock.quality.live import live_named
from penstock.release.candidate import define_candidate
from penstock.release.query import as_usage_error
from penstock.runtime.installation import Installation
from penstock.spec.project import Check, Project
from penstock.sql.guard import check_query
from penstock.transform import warehouse
from penstock.transform.build import build, read_program
from penstock.transform.failure import check_sources
from penstock.transform.graph import Graph
from penstock.transform.program import Program
from penstock.transform.result import Build, ModelInput
from penstock.transform.workspace import Limits, prepare

_LINE = re.compile(r"^line \d+: (?P<text>.*)\n(?P<before> *)\^", re.MULTILINE)  # how DuckDB shows where it stopped
_WRONG_SQL = ("Parser Error", "Binder Error", "Catalog Error")  # no row can mend what these tell


def read_models(project: Project, folder: Path) -> Program:
    """The models compiled; DeclarationError when dbt cannot read them or when they read what the project has not."""
    if project.models is None:
        return Program("", Graph({}, {}), {}, None)
    workspace = prepare(folder / "dbt", models=project.models, database=_database(folder), limits=Limits())
    try:
        program = read_program(workspace, log=None)
    except DeclarationError as error:
        raise error if error.problems else _declared(error, project) from error
    check_sources(program.graph, project.silver_tables, workspace)
    return program


def problems(installation: Installation, program: Program, folder: Path) -> Iterator[PenstockError]:
    """Wrong SQL in models and, where all of them can be built, in checks; models that are more than SQL are not tried."""
    project = installation.project
    silver, quarantine = _silver(project), _quarantine(project)
    inputs = {name.removeprefix("silver."): ModelInput(scan) for name, scan in silver.items()}
    if project.models is not None and not program.sql:
        return
    try:
        built = build(
            project, inputs=inputs, base=None, target=_database(folder), clock=installation.world.clock, log=None
        )
        yield from _checks(project, {**silver, **quarantine}, built)
    except DeclarationError as error:
        yield from error.problems or (error,)
    except TransformFailed as error:
        if str(error.found).startswith(_WRONG_SQL):
            yield _declared(error, project)
    finally:
        warehouse.discard(_database(folder))


def _declared(error: PenstockError, project: Project) -> DeclarationError:
    """What was told of a model, told as of any declaration: where it stands in the project, as far as that is known."""
    file, found = Path(error.where or ""), error.found or ""
    where = file.relative_to(project.root).as_posix() if file.is_relative_to(project.root) else str(file)
    shown = _LINE.search(found)
    line = None if shown is None else _line(file, shown["text"])
    if shown is not None and line is not None:
        head, column = f"line {line}: ", shown.end() - shown.start("before") - (shown.start("text") - shown.start())
        marked = f"{head}{shown['text']}\n{'^':>{len(head) + column}}"
        where, found = f"{where}:{line}:{column}", found[: shown.start()] + marked + found[shown.end() :]
    return DeclarationError(error.what, where=where, found=found or None, remedy="Correct it.")


def _line(file: Path, text: str) -> int | None:
    """The number of the only line of the file that reads so; what dbt made of a line may stand nowhere."""
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else []
    same = [number for number, line in enumerate(lines, 1) if line.rstrip() == text.rstrip()]
    return same[0] if len(same) == 1 else None


def _database(folder: Path) -> Path:
    return folder / f"rehearsal-{os.getpid()}.duckdb"


def _silver(project: Project) -> Mapping[str, Scan]:
    contracts = project.contracts
    specs = [silver_spec(contract, contracts) for contract in contracts.values()]
    specs += [snapshots_spec(contracts[name], contracts) for name in contracts if project.has_snapshots(name)]
    return {spec.name: _empty(spec) for spec in specs}


def _quarantine(project: Project) -> Mapping[str, Scan]:
    return {spec.name: _empty(spec) for spec in map(quarantine_spec, project.contracts)}


def _empty(spec: TableSpec) -> Scan:
    columns = (
        FieldColumn(number, column.name, duckdb_type(iceberg_type(column.type, where=spec.name)))
        for number, column in enumerate(spec.columns, 1)
    )
    return Scan(spec.name, None, (), tuple(columns))


def _checks(project: Project, scans: Mapping[str, Scan], built: Build) -> Iterator[PenstockError]:
    with warehouse.opened(built.database, read_only=True) as connection:
        define_candidate(connection, scans=scans, models=built.gold)
        tables = (*scans, *(f"gold.{model.name}" for model in built.gold))
        lives = {output.name for one in project.streams.topologies.values() for output in one.outputs if output.live}
        for check in project.checks:
            named = live_named(check)
            if named and lives.issuperset(named):
                continue  # what a live table holds is known where the topologies are planned
            for sql, place in _queries(check):
                error = _wrong(connection, sql)
                if error is not None:
                    told = as_usage_error(error, tables)
                    what = f"The SQL of check `{check.name}` is wrong"
                    found = told.what if told.found is None else told.found
                    yield DeclarationError(what, where=place, expected=told.expected, found=found, remedy=told.remedy)


def _queries(check: Check) -> Iterator[tuple[str, str]]:
    places = iter(check.places or (str(check.path),) * 2)
    yield check.sql, next(places)
    if check.against is not None:
        yield check.against, next(places)


def _wrong(connection: duckdb.DuckDBPyConnection, sql: str) -> Exception | None:
    """What the database says of the SQL, other than about values."""
    try:
        connection.execute(check_query(connection, sql)).fetchall()
    except (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException, PenstockError) as error:
        return error
    except duckdb.Error:
        return None
    return None
