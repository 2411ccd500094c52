"""What changed between two versions of a contract, and whether rows already in silver still tell the truth.

A change is compatible when every row that the old version accepted is accepted by the new one with the same
values (new columns being null), so that the table evolves in place. After a breaking change silver is made
again from bronze.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from penstock.spec.contract import Classification, Column, Contract, LogicalType, Reference, RowRule
from penstock.spec.typed_text import typed_text


class ChangeKind(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    RENAMED = "renamed"
    RETYPED = "retyped"
    WIDENED = "widened"  # more values are accepted
    NARROWED = "narrowed"  # fewer values are accepted, or others
    RECLASSIFIED = "reclassified"
    KEY = "key"
    DEDUPE = "dedupe"
    PARTITIONS = "partitions"
    RULES = "rules"
    REFERENCES = "references"
    EVOLUTION = "evolution"
    FRESHNESS = "freshness"
    DATASET = "dataset"


@dataclass(frozen=True)
class Change:
    """One difference; `column` is the new name (the old one of a removed column), None when it is the dataset's."""

    kind: ChangeKind
    column: str | None
    compatible: bool
    reason: str


def compare(old: Contract, new: Contract) -> tuple[Change, ...]:
    """Every difference that matters to rows, columns first in the order of the new version. Columns are told
    apart by their stable id."""
    return (*_dataset(old, new), *_columns(old, new), *_identity(old, new), *_conditions(old, new))


def is_compatible(changes: Sequence[Change]) -> bool:
    return all(change.compatible for change in changes)


def _dataset(old: Contract, new: Contract) -> Iterator[Change]:
    if old.dataset != new.dataset:
        yield _breaking(ChangeKind.DATASET, None, f"`{old.dataset}` became `{new.dataset}`: it is another table")


def _columns(old: Contract, new: Contract) -> Iterator[Change]:
    before = {column.id: column for column in old.columns}
    after = {column.id for column in new.columns}
    for column in new.columns:
        known = before.get(column.id)
        if known is None:
            yield _added(column, {other.name for other in old.columns})
        else:
            yield from _column(known, column, column.name in new.key or known.name in old.key)
    for column in old.columns:
        if column.id not in after:
            yield _breaking(ChangeKind.REMOVED, column.name, "its values would be lost to readers")


def _added(column: Column, known_names: set[str]) -> Change:
    if column.name in known_names:
        return _breaking(ChangeKind.ADDED, column.name, "the name stays but the id is new, so its values are not kept")
    if column.required:
        return _breaking(ChangeKind.ADDED, column.name, "it is required, and rows written before have no value for it")
    return _fine(ChangeKind.ADDED, column.name, "rows written before have no value for it")


def _column(old: Column, new: Column, is_key: bool) -> Iterator[Change]:
    if old.name != new.name:
        yield _fine(ChangeKind.RENAMED, new.name, f"`{old.name}` keeps its id and its values under another name")
    yield from _type(old, new)
    yield from _classification(old, new, is_key)
    yield from _presence(old, new)
    if old.type is new.type:
        yield from _limits(old, new)


def _type(old: Column, new: Column) -> Iterator[Change]:
    if old.type is not new.type:
        yield _breaking(ChangeKind.RETYPED, new.name, f"{old.type} became {new.type}: written values stay {old.type}")
    elif new.type is LogicalType.DECIMAL and (old.precision, old.scale) != (new.precision, new.scale):
        sizes = f"decimal({old.precision},{old.scale}) became decimal({new.precision},{new.scale})"
        if old.scale == new.scale and (new.precision or 0) > (old.precision or 0):
            yield _fine(ChangeKind.WIDENED, new.name, f"{sizes}: more digits before the point")
        else:
            yield _breaking(ChangeKind.RETYPED, new.name, f"{sizes}: written values do not follow")


def _classification(old: Column, new: Column, is_key: bool) -> Iterator[Change]:
    if old.classification is new.classification:
        return
    change = f"{old.classification} became {new.classification}"
    if Classification.PERSONAL in (old.classification, new.classification) and is_key:
        yield _breaking(ChangeKind.RECLASSIFIED, new.name, f"{change}: silver holds keys in another form")
    elif new.classification is Classification.PERSONAL:
        yield _breaking(ChangeKind.RECLASSIFIED, new.name, f"{change}: written files hold its lowest and highest value")
    else:
        yield _fine(ChangeKind.RECLASSIFIED, new.name, change)


def _presence(old: Column, new: Column) -> Iterator[Change]:
    if new.required and not old.required:
        yield _breaking(ChangeKind.NARROWED, new.name, "it became required, and rows without it were accepted")
    elif old.required and not new.required:
        yield _fine(ChangeKind.WIDENED, new.name, "it may be absent now")


def _limits(old: Column, new: Column) -> Iterator[Change]:
    yield from _enum(old, new)
    yield from _lower(old, new)
    yield from _upper(old, new)
    yield from _number(new.name, "shortest length", old.min_length, new.min_length, grows=False)
    yield from _number(new.name, "greatest length", old.max_length, new.max_length, grows=True)
    for what, before, after in (("pattern", old.pattern, new.pattern), ("format", old.format, new.format)):
        if before != after:
            removed = after is None
            kind = ChangeKind.WIDENED if removed else ChangeKind.NARROWED
            reason = f"the {what} was removed" if removed else f"the {what} became `{after}`"
            yield Change(kind, new.name, removed, reason)


def _enum(old: Column, new: Column) -> Iterator[Change]:
    if old.enum is None and new.enum is None:
        return
    if new.enum is None:
        yield _fine(ChangeKind.WIDENED, new.name, "any value is permitted now")
        return
    lost = [] if old.enum is None else [value for value in old.enum if value not in new.enum]
    if old.enum is None:
        yield _breaking(ChangeKind.NARROWED, new.name, "only some values are permitted now")
    elif lost:
        yield _breaking(ChangeKind.NARROWED, new.name, f"no longer permitted: {', '.join(lost)}")
    elif set(new.enum) != set(old.enum):
        gained = [value for value in new.enum if value not in old.enum]
        yield _fine(ChangeKind.WIDENED, new.name, f"also permitted: {', '.join(gained)}")


def _lower(old: Column, new: Column) -> Iterator[Change]:
    before = _ranked(old, old.minimum, 1 if old.exclusive_minimum else 0)
    after = _ranked(new, new.minimum, 1 if new.exclusive_minimum else 0)
    if before != after:
        text = f"the lowest value lies {'above' if new.exclusive_minimum else 'at'} {new.minimum}"
        yield _bound(new.name, text, is_gone=after is None, is_looser=_lies_before(after, before))


def _upper(old: Column, new: Column) -> Iterator[Change]:
    before = _ranked(old, old.maximum, -1 if old.exclusive_maximum else 0)
    after = _ranked(new, new.maximum, -1 if new.exclusive_maximum else 0)
    if before != after:
        text = f"the highest value lies {'below' if new.exclusive_maximum else 'at'} {new.maximum}"
        yield _bound(new.name, text, is_gone=after is None, is_looser=_lies_before(before, after))


_Rank = tuple[Any, int]  # a bound, and on which side of it the first permitted value lies


def _ranked(column: Column, text: str | None, side: int) -> _Rank | None:
    value = None if text is None else typed_text(column.type, text, precision=38, scale=column.scale)
    return None if value is None else (value.value, side)


def _lies_before(first: _Rank | None, second: _Rank | None) -> bool:
    return first is not None and second is not None and first < second


def _bound(name: str, text: str, *, is_gone: bool, is_looser: bool) -> Change:
    if is_gone:
        return _fine(ChangeKind.WIDENED, name, "a bound was removed")
    return _fine(ChangeKind.WIDENED, name, text) if is_looser else _breaking(ChangeKind.NARROWED, name, text)


def _number(name: str, what: str, old: int | None, new: int | None, *, grows: bool) -> Iterator[Change]:
    if old == new:
        return
    if new is None:
        yield _fine(ChangeKind.WIDENED, name, f"there is no {what} now")
        return
    looser = old is not None and (new > old if grows else new < old)
    kind = ChangeKind.WIDENED if looser else ChangeKind.NARROWED
    yield Change(kind, name, looser, f"the {what} became {new}")


def _identity(old: Contract, new: Contract) -> Iterator[Change]:
    """Names inside keys and partitions are compared by the ids they stand for, so that a rename is no change."""
    if _ids(old, old.key) != _ids(new, new.key):
        yield _breaking(ChangeKind.KEY, None, f"({', '.join(old.key)}) became ({', '.join(new.key)})")
    before, after = old.dedupe, new.dedupe
    if _ids(old, _given(before.order_by)) != _ids(new, _given(after.order_by)) or before.horizon != after.horizon:
        yield _breaking(ChangeKind.DEDUPE, None, "the versions in silver were chosen by the old rule")
    layouts = [
        [(*_ids(contract, (field.column,)), field.transform) for field in contract.partitions]
        for contract in (old, new)
    ]
    if layouts[0] != layouts[1]:
        yield _breaking(ChangeKind.PARTITIONS, None, "written files lie in the old partitions")


def _given(name: str | None) -> tuple[str, ...]:
    return () if name is None else (name,)


def _ids(contract: Contract, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(contract.column(name).id for name in names)


def _conditions(old: Contract, new: Contract) -> Iterator[Change]:
    yield from _rules({rule.name: rule for rule in old.rules}, {rule.name: rule for rule in new.rules})
    if _references(old) != _references(new):
        yield _fine(ChangeKind.REFERENCES, None, "references are checked at the gate, not on arrival")
    if old.evolution is not new.evolution:
        yield _fine(ChangeKind.EVOLUTION, None, f"{old.evolution} became {new.evolution}, for files to come")
    if old.freshness != new.freshness:
        yield _fine(ChangeKind.FRESHNESS, None, "freshness is checked at the gate")


def _rules(before: dict[str, RowRule], after: dict[str, RowRule]) -> Iterator[Change]:
    kept = {rule.expression for rule in before.values()}
    for name, rule in after.items():
        known = before.get(name)
        if known is None and rule.expression in kept:
            yield _fine(ChangeKind.RULES, None, f"the rule `{name}` has a new name")
        elif known is None:
            yield _breaking(ChangeKind.RULES, None, f"the rule `{name}` is new, and rows were accepted without it")
        elif known.expression != rule.expression:
            yield _breaking(ChangeKind.RULES, None, f"the rule `{name}` says something else")
    wanted = {rule.expression for rule in after.values()}
    for name, rule in before.items():
        if name not in after and rule.expression not in wanted:
            yield _fine(ChangeKind.RULES, None, f"the rule `{name}` was removed")


def _references(contract: Contract) -> set[tuple[tuple[str, ...], Reference]]:
    return {(_ids(contract, reference.columns), reference) for reference in contract.references}


def _fine(kind: ChangeKind, column: str | None, reason: str) -> Change:
    return Change(kind, column, True, reason)


def _breaking(kind: ChangeKind, column: str | None, reason: str) -> Change:
    return Change(kind, column, False, reason)
