"""The topologies of a project, planned for this installation."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import pyarrow as pa

from penstock.errors import DeclarationError, PenstockError
from penstock.runtime.installation import Installation
from penstock.runtime.scoring import load_model
from penstock.runtime.selection import chosen
from penstock.stream.graph import Graph
from penstock.stream.plan import NotReleased, make_graphs
from penstock.stream.schema import contract_schema


def graphs(installation: Installation, only: Collection[str] = ()) -> Mapping[str, Graph]:
    """Every topology as a graph, or those called `only` and what they read; DeclarationError with every problem."""
    return make_graphs(installation.project, lambda table: describe(installation, table), only=only)


def chosen_graphs(installation: Installation, names: Sequence[str]) -> list[Graph]:
    """The graphs of the topologies `names`, all of them when none is named; UsageError for one that is not there."""
    chosen(installation.project.streams.topologies, names, what="topology")
    return [graph for name, graph in graphs(installation, names).items() if not names or name in names]


def describe(installation: Installation, table: str) -> pa.Schema | None:
    """The columns of a table that may be looked up: silver by its contract, gold by the latest release."""
    from penstock.conform.columns import pseudonym_domains

    layer, _, name = table.partition(".")
    if layer == "silver":
        contracts = installation.project.contracts
        contract = contracts.get(name)
        return None if contract is None else contract_schema(contract, pseudonym_domains(contract, contracts))
    if not installation.place.exists:
        return None
    from penstock.release.reader import open_reader

    with open_reader(installation.place.root, installation.world, only=[table]) as reader:
        if table not in reader.tables:
            return None
        schema: pa.Schema = reader.connection.sql(f"SELECT * FROM {table} LIMIT 0").to_arrow_table().schema
        return schema


def waits_for_release(installation: Installation) -> bool:
    """Whether a table that topologies look up still has to be released."""
    try:
        graphs(installation)
    except DeclarationError as error:
        return any(isinstance(one, NotReleased) for one in error.problems or (error,))
    return False


def problems_of_streams(installation: Installation) -> tuple[PenstockError, ...]:
    """What is wrong with the topologies; a table that is looked up may still have to be released."""
    if not installation.project.streams.topologies:
        return ()
    try:
        for model in installation.project.streams.models.values():
            load_model(model)
        graphs(installation)
    except DeclarationError as error:
        return tuple(one for one in error.problems or (error,) if not isinstance(one, NotReleased))
    return ()
