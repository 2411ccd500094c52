"""Endpoints held against the gold tables they serve: every column there, of a kind that serves, and not personal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from penstock.errors import DeclarationError
from penstock.serve.kind import Kind, kind_of
from penstock.spec.endpoint import Endpoint
from penstock.spec.problems import did_you_mean
from penstock.store.collection import Collection, Field


@dataclass(frozen=True)
class GoldColumn:
    """A column of a gold table, as it is built or as it was released."""

    name: str
    duckdb_type: str
    description: str = ""
    personal: bool = False

    @property
    def kind(self) -> Kind:
        return kind_of(self.duckdb_type)


Tables = Mapping[str, Sequence[GoldColumn]]  # by name, without the schema


def judge(endpoints: Sequence[Endpoint], tables: Tables) -> None:
    """DeclarationError with every disagreement, each where it is declared."""
    found = tuple(problems(endpoints, tables))
    if found:
        raise DeclarationError("The endpoints cannot be served as they are declared", problems=found)


def problems(endpoints: Sequence[Endpoint], tables: Tables) -> Iterator[DeclarationError]:
    """Every disagreement between endpoints and tables."""
    by_path = {endpoint.path: endpoint for endpoint in endpoints}
    for endpoint in endpoints:
        columns = {column.name: column for column in tables.get(endpoint.table, ())}
        if not columns:
            yield _no_table(endpoint, tables)
            continue
        unknown = [name for name in endpoint.used if name not in columns]
        yield from (_no_column(endpoint, name, columns) for name in unknown)
        for name in endpoint.used:
            if name in columns and columns[name].personal:
                yield _personal(endpoint, name)
        yield from _kinds(endpoint, columns)
        above = None if endpoint.parent_path is None else by_path.get(endpoint.parent_path)
        if above is not None:
            yield from _parent(endpoint, columns, above, tables)
        yield from _examples(endpoint, columns)


def early_problems(
    endpoints: Iterable[Endpoint], tables: Mapping[str, Callable[[str], bool]]
) -> Iterator[DeclarationError]:
    """What is wrong before any table is built: `tables` says of each which of its columns are personal."""
    for endpoint in endpoints:
        is_personal = tables.get(endpoint.table)
        if is_personal is None:
            yield _no_table(endpoint, tables)
        else:
            yield from (_personal(endpoint, name) for name in endpoint.used if is_personal(name))


def fitted(collections: Iterable[Collection], tables: Tables) -> tuple[Collection, ...]:
    """The collections with kind and meaning of every column they use."""
    return tuple(
        replace(collection, fields=tuple(_fields(collection, tables[collection.table]))) for collection in collections
    )


def _fields(collection: Collection, columns: Sequence[GoldColumn]) -> Iterator[Field]:
    used = {*collection.columns, *collection.indexed, collection.key}
    return (Field(column.name, column.kind.name, column.description) for column in columns if column.name in used)


def _no_table(endpoint: Endpoint, tables: Iterable[str]) -> DeclarationError:
    return DeclarationError(
        f"There is no gold table `{endpoint.table}`",
        where=_place(endpoint, "/table"),
        remedy=did_you_mean(endpoint.table, tables) or "Add the model, or name another table.",
    )


def _no_column(endpoint: Endpoint, name: str, columns: Mapping[str, GoldColumn]) -> DeclarationError:
    return DeclarationError(
        f"gold.{endpoint.table} has no column `{name}`",
        where=_place(endpoint, name),
        remedy=did_you_mean(name, columns) or f"Its columns are {', '.join(columns)}.",
    )


def _personal(endpoint: Endpoint, name: str) -> DeclarationError:
    return DeclarationError(
        f"`{name}` of gold.{endpoint.table} holds personal values, and {endpoint.path} would show them to everybody",
        where=_place(endpoint, name),
        expected="columns that are not personal",
        remedy="Leave it out; if the model holds pseudonyms under this name, declare `meta: {classification: pseudonym}` "
        "on the model's column.",
    )


def _kinds(endpoint: Endpoint, columns: Mapping[str, GoldColumn]) -> Iterator[DeclarationError]:
    key = columns.get(endpoint.key)
    if key is not None and not key.kind.names_rows:
        yield DeclarationError(
            f"`{endpoint.key}` is of type {key.duckdb_type}, which cannot name a row",
            where=_place(endpoint, "/key"),
            expected="a text, whole number, decimal or date",
            remedy="Choose another key, or cast it in the model.",
        )
    for name in (*endpoint.filters, *endpoint.ranges):
        column = columns.get(name)
        if column is not None and not column.kind.selectable:
            yield DeclarationError(
                f"`{name}` is of type {column.duckdb_type}, by which no rows can be chosen",
                where=_place(endpoint, name),
                remedy="Remove it from `filters` and `ranges`.",
            )


def _parent(
    endpoint: Endpoint, columns: Mapping[str, GoldColumn], above: Endpoint, tables: Tables
) -> Iterator[DeclarationError]:
    """The key above and the column below are compared as values, so they must be of one kind."""
    column = columns.get(endpoint.parent or "")
    key = next((one for one in tables.get(above.table, ()) if one.name == above.key), None)
    if column is not None and key is not None and column.kind.name != key.kind.name:
        yield DeclarationError(
            f"`{column.name}` of gold.{endpoint.table} and the key of {above.path} are of different types",
            where=_place(endpoint, "/parent"),
            expected=key.duckdb_type,
            found=column.duckdb_type,
            remedy="Cast one of them in its model.",
        )


def _examples(endpoint: Endpoint, columns: Mapping[str, GoldColumn]) -> Iterator[DeclarationError]:
    for name, text in endpoint.example:
        column = columns.get(name)
        if column is None or text is None or not column.kind.selectable:
            continue
        if column.kind.parse(text) is None:
            yield DeclarationError(
                f"The example of `{name}` is no value of that column",
                where=_place(endpoint, "/example"),
                expected=column.kind.expected,
                found=f"`{text}`",
                remedy="Write one as the API would show it.",
            )


def _place(endpoint: Endpoint, what: str) -> str:
    return endpoint.places.get(what) or endpoint.places.get("/path") or endpoint.path
