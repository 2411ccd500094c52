"""The columns that a contract names with a place: those of its key, and those that silver is partitioned by."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.spec import contract_keys as keys
from penstock.spec.contract import Classification, LogicalType, PartitionField
from penstock.spec.contract_column import DeclaredColumn
from penstock.spec.problems import Problems
from penstock.spec.shape import Fields, Key

_TIMES = (LogicalType.DATE, LogicalType.TIMESTAMP)


def key_of(columns: Sequence[DeclaredColumn], problems: Problems) -> tuple[str, ...]:
    """Names of the columns of the key, in its order."""
    placed = _placed(columns, keys.PRIMARY_KEY, keys.PRIMARY_KEY_POSITION, problems)
    for column in placed:
        _judge_key(column, problems)
    return tuple(column.name for column in placed if column.name is not None)


def partitions_of(columns: Sequence[DeclaredColumn], problems: Problems) -> tuple[PartitionField, ...]:
    """How silver is partitioned, outermost first."""
    placed = _placed(columns, keys.PARTITIONED, keys.PARTITION_KEY_POSITION, problems)
    for column in columns:
        if column.extensions is not None:
            _judge_partition(column, column.extensions, problems)
    return tuple(
        PartitionField(column.name, column.extensions.get(keys.PARTITION_KEY) or "identity")
        for column in placed
        if column.name is not None and column.extensions is not None
    )


def _placed(
    columns: Sequence[DeclaredColumn], flag: Key[bool], position: Key[int], problems: Problems
) -> list[DeclaredColumn]:
    """The flagged columns by their declared place, or as they stand when none has a place."""
    flagged = [column for column in columns if column.fields.get(flag)]
    for column in columns:
        if column.fields.given(position) and column not in flagged and column.fields.get(position) != -1:
            problems.add(
                column.fields.key_place(position),
                f"`{position.name}` is given without `{flag.name}`",
                expected=f"`{flag.name}: true` beside it",
                remedy="Add it, or remove the position.",
            )
    places = [place for column in flagged if (place := column.fields.get(position)) is not None and place != -1]
    if places and sorted(places) != list(range(1, len(flagged) + 1)):
        problems.add(
            next(column.fields.place(position) for column in flagged if column.fields.given(position)),
            f"`{position.name}` does not count from 1 to {len(flagged)}",
            expected=", ".join(str(number) for number in range(1, len(flagged) + 1)),
            found=", ".join(map(str, places)),
            remedy="Number all of them, or none.",
        )
    return sorted(flagged, key=lambda column: column.fields.get(position) or 0)


def _judge_key(column: DeclaredColumn, problems: Problems) -> None:
    made = column.column
    if made is None:
        return
    place = column.fields.place(keys.PRIMARY_KEY)
    if not made.required:
        problems.add(
            column.fields.place(keys.REQUIRED),
            f"The key column `{column.name}` may be absent",
            subject="required",
            expected="`required: true`",
            remedy="Add it: a row without its key cannot be told from others.",
        )
    if made.type is LogicalType.NUMBER:
        problems.add(
            place,
            f"The key column `{column.name}` is a 64-bit float, which is never exactly equal",
            expected="an exact type",
            remedy="Declare `physicalType: decimal(P,S)`, or a string.",
        )
    if made.classification is Classification.PERSONAL and made.type is not LogicalType.STRING:
        problems.add(
            place,
            f"The personal key column `{column.name}` is replaced by a pseudonym, which is text",
            expected="logicalType `string`",
            found=str(made.type),
            remedy="Change its type.",
        )


def _judge_partition(column: DeclaredColumn, extensions: Fields, problems: Problems) -> None:
    transform = extensions.get(keys.PARTITION_KEY) or "identity"
    if extensions.given(keys.PARTITION_KEY) and not column.fields.get(keys.PARTITIONED):
        problems.add(
            extensions.key_place(keys.PARTITION_KEY),
            "`penstock.partition` is given without `partitioned`",
            expected="`partitioned: true` on the column",
            remedy="Add it, or remove the property.",
        )
    if not column.fields.get(keys.PARTITIONED) or column.column is None:
        return
    place = column.fields.place(keys.PARTITIONED)
    if column.column.classification is Classification.PERSONAL:
        problems.add(
            place,
            "Silver cannot be partitioned by a personal column",
            expected="a column that is not personal, as its values would stand in paths",
            found=f"`{column.name}`",
            remedy="Partition by another column.",
        )
    kind = column.column.type
    wanted = {"hour": (LogicalType.TIMESTAMP,), "year": _TIMES, "month": _TIMES, "day": _TIMES}.get(transform)
    if transform == "identity" and kind is LogicalType.NUMBER:
        wanted = tuple(other for other in LogicalType if other is not LogicalType.NUMBER)
    if wanted is not None and kind not in wanted:
        problems.add(
            extensions.place(keys.PARTITION_KEY) if extensions.given(keys.PARTITION_KEY) else place,
            f"Silver cannot be partitioned by `{transform}` of a column of type {kind}",
            expected=" or ".join(str(other) for other in wanted) if len(wanted) < 3 else "an exact type",
            found=str(kind),
            remedy="Choose another column or transform.",
        )
