"""What declarations say of each other: sources of their contract, contracts of the datasets they refer to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from penstock.spec import source_file as keys
from penstock.spec.contract import Classification
from penstock.spec.contract_column import DeclaredColumn
from penstock.spec.contract_file import DeclaredContract
from penstock.spec.contract_keys import ALIASES_KEY
from penstock.spec.delivery_file import PATTERN, VERSION
from penstock.spec.document import Entries, Place
from penstock.spec.filling import judge_filling
from penstock.spec.problems import Problems, did_you_mean
from penstock.spec.references import DeclaredReference
from penstock.spec.shape import Fields


@dataclass(frozen=True)
class Datasets:
    """The contracts by dataset. `all_known` is false when a contract could not be read far enough to know its
    name: a dataset that is missing then is no mistake of those who speak of it."""

    contracts: Mapping[str, DeclaredContract]
    all_known: bool

    def find(self, name: str, place: Place, problems: Problems) -> DeclaredContract | None:
        contract = self.contracts.get(name)
        if contract is None and self.all_known:
            problems.add(
                place,
                f"No contract declares the dataset `{name}`",
                remedy=did_you_mean(name, self.contracts) or "Add it under contracts/, or name another dataset.",
            )
        return contract


def judge_source(fields: Fields, datasets: Datasets, problems: Problems) -> None:
    """Hold a source against the contract of its dataset."""
    dataset = fields.get(keys.DATASET)
    if dataset is None:
        return
    contract = datasets.find(dataset, fields.place(keys.DATASET), problems)
    if contract is None:
        return
    mapping = _judge_mapping(fields, contract, problems)
    judge_filling(fields, contract, mapping, problems)
    _judge_header(fields, contract, mapping, problems)


def _judge_mapping(fields: Fields, contract: DeclaredContract, problems: Problems) -> dict[str, str]:
    """The declared source column of each contract column, after every mistake in it was named."""
    reading = fields.get(keys.READING_KEY)
    mapping = None if reading is None else reading.get(keys.COLUMNS)
    pairs = {} if mapping is None else dict(mapping)
    node = None if reading is None else reading.node.get(keys.COLUMNS.name)
    places = node.keys if isinstance(node, Entries) else {}
    names = contract.column_names()
    taken: dict[str, str] = {}
    for column, origin in pairs.items():
        place = places.get(column, fields.node.place)
        if column not in names and contract.knows_its_columns():
            _refuse_unknown_column(column, origin, names, place, contract, problems)
        elif origin in taken:
            problems.add(
                place,
                f"The source column `{origin}` is mapped twice",
                found=f"`{taken[origin]}` and `{column}`",
                remedy="Map it to one column of the contract.",
            )
        taken.setdefault(origin, column)
    return pairs


def _refuse_unknown_column(
    column: str, origin: str, names: tuple[str, ...], place: Place, contract: DeclaredContract, problems: Problems
) -> None:
    turned = origin in names
    problems.add(
        place,
        f"The contract of `{contract.name}` has no column `{column}`",
        expected="`column of the contract: column of the source`",
        found=f"`{column}: {origin}`",
        remedy=f"Turn it round: `{origin}: {column}`."
        if turned
        else did_you_mean(column, names) or "Name a column of the contract.",
    )


def _judge_header(fields: Fields, contract: DeclaredContract, mapping: dict[str, str], problems: Problems) -> None:
    """Where the columns of the files are declared, every required one must be among them."""
    csv = fields.get(keys.CSV_KEY)
    columns = None if csv is None else csv.get(keys.CSV_COLUMNS)
    if csv is None or columns is None:
        return
    filled = _filled_otherwise(fields)
    for column in contract.columns:
        made = column.column
        if made is None or not made.required or made.name in filled:
            continue
        origins = (mapping.get(made.name, made.name), *_aliases(column))
        if not {_folded(name) for name in origins} & {_folded(name) for name in columns}:
            problems.add(
                csv.place(keys.CSV_COLUMNS),
                f"No column of the files fills the required column `{made.name}`",
                subject=made.name,
                expected=f"`{origins[0]}` among them",
                remedy=f"Add it to `columns`, or map `{made.name}` under `reading`.",
            )


def _filled_otherwise(fields: Fields) -> set[str]:
    """Columns of the contract that need none in the files."""
    reading, delivery = fields.get(keys.READING_KEY), fields.get(keys.DELIVERY_KEY)
    pairs = () if reading is None else (*(reading.get(keys.CONSTANTS) or ()), *(reading.get(keys.SAME_AS) or ()))
    named = delivery is not None and delivery.given(PATTERN)
    version = delivery.get(VERSION) if delivery is not None and named else None
    return {column for column, _ in pairs} | ({version} if version is not None else set())


def _folded(name: str) -> str:
    """A header as it is compared with the name of a column: without case, blanks and signs."""
    return re.sub(r"[\W_]+", "", name).casefold()


def _aliases(column: DeclaredColumn) -> tuple[str, ...]:
    aliases = None if column.extensions is None else column.extensions.get(ALIASES_KEY)
    return () if aliases is None else aliases


def judge_reference(
    contract: DeclaredContract, declared: DeclaredReference, datasets: Datasets, problems: Problems
) -> None:
    """Hold a relationship against the dataset it names."""
    reference = declared.reference
    target = datasets.find(reference.dataset, declared.place, problems)
    if target is None:
        return
    for own, other in zip(reference.columns, reference.to, strict=True):
        sides = [(contract, own, contract.column(own)), (target, other, target.column(other))]
        for side, name, column in sides:
            if column is None and side.knows_its_columns():
                problems.add(
                    declared.place,
                    f"The contract of `{side.name}` has no column `{name}`",
                    subject=name,
                    remedy=did_you_mean(name, side.column_names()) or "Name a column of the contract.",
                )
        _judge_pair(contract, sides[0][2], target, sides[1][2], declared.place, problems)


def _judge_pair(
    contract: DeclaredContract,
    own: DeclaredColumn | None,
    target: DeclaredContract,
    other: DeclaredColumn | None,
    place: Place,
    problems: Problems,
) -> None:
    first = None if own is None else own.column
    second = None if other is None else other.column
    if first is None or second is None:
        return
    if first.type is not second.type:
        problems.add(
            place,
            "The two sides of the relationship are of different types",
            subject=first.name,
            expected=f"`{second.name}` of type {first.type}",
            found=str(second.type),
            remedy="Give both the same type.",
        )
    other_hidden = second.classification is Classification.PERSONAL and second.name in target.key
    own_personal = first.classification is Classification.PERSONAL
    if other_hidden and not own_personal:
        problems.add(
            place,
            f"`{second.name}` of `{target.name}` is a personal key, so silver holds its pseudonym",
            subject=f"{first.name}.personal",
            expected=f"`{first.name}` of classification `personal` too",
            found=f"`{first.classification}`",
            remedy="Declare it personal, and both get the same pseudonym.",
        )
    if own_personal and first.name in contract.key and not other_hidden:
        problems.add(
            place,
            f"`{first.name}` is a personal key, so silver holds its pseudonym",
            subject=f"{first.name}.personal",
            expected=f"`{second.name}` of `{target.name}` to be a personal key too",
            remedy="Declare it so, or refer by another column.",
        )
