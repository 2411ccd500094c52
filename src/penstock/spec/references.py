"""The `relationships` of a contract: columns that name a row of another dataset."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from penstock.spec import contract_keys as keys
from penstock.spec.contract import Reference
from penstock.spec.document import Items, Node, Place, Scalar
from penstock.spec.problems import Problems
from penstock.spec.shape import Fields


@dataclass(frozen=True)
class DeclaredReference:
    reference: Reference
    place: Place


def read_references(dataset: Fields, columns: Iterable[Fields], problems: Problems) -> tuple[DeclaredReference, ...]:
    """References of single columns, then those of the dataset; datasets they name are not looked up yet."""
    name = dataset.get(keys.DATASET)
    found = [
        _reference((column_name,), entry, problems)
        for column in columns
        if (column_name := column.get(keys.COLUMN_NAME)) is not None
        for entry in column.get(keys.COLUMN_RELATIONSHIPS) or ()
    ]
    for entry in dataset.get(keys.RELATIONSHIPS) or ():
        origin = _columns(entry.get(keys.FROM), problems)
        if origin is None:
            continue
        if name is not None and origin[0] != name:
            problems.add(
                entry.place(keys.FROM),
                "The relationship begins at another dataset",
                expected=f"`{name}`",
                found=f"`{origin[0]}`",
                remedy="Declare it in the contract of that dataset.",
            )
        found.append(_reference(origin[1], entry, problems))
    return tuple(reference for reference in found if reference is not None)


def _reference(columns: tuple[str, ...], entry: Fields, problems: Problems) -> DeclaredReference | None:
    target = _columns(entry.get(keys.TO), problems)
    if target is None:
        return None
    dataset, to = target
    if len(to) != len(columns):
        problems.add(
            entry.place(keys.TO),
            "The two sides of the relationship differ in length",
            expected=f"as many as {len(columns)}",
            found=str(len(to)),
            remedy="Name one column for each referring column.",
        )
        return None
    return DeclaredReference(Reference(columns, dataset, to), entry.place(keys.TO))


def _columns(node: Node | None, problems: Problems) -> tuple[str, tuple[str, ...]] | None:
    """The dataset and columns of `dataset.column`, or of a list of it."""
    items = node.items if isinstance(node, Items) else () if node is None else (node,)
    pairs: list[tuple[str, str]] = []
    for item in items:
        parts = item.value.split(".") if isinstance(item, Scalar) and isinstance(item.value, str) else []
        if len(parts) != 2 or "/" in "".join(parts):
            problems.add(
                item.place,
                "The side of a relationship is not a column",
                expected="`dataset.column`",
                found=f"`{item.text}`" if isinstance(item, Scalar) else None,
                remedy="Write the names of dataset and column.",
            )
            return None
        pairs.append((parts[0], parts[1]))
    if not pairs or node is None:
        return None
    if len({dataset for dataset, _ in pairs}) > 1:
        problems.add(
            node.place,
            "One side of the relationship names several datasets",
            expected="columns of one dataset",
            remedy="Make it one relationship for each dataset.",
        )
        return None
    return pairs[0][0], tuple(column for _, column in pairs)
