"""One property of a contract's schema as a `Column`, with every contradiction in it named."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from penstock.spec import contract_keys as keys
from penstock.spec.column_type import ColumnType, declared_value, read_type
from penstock.spec.contract import Classification, Column, Format, LogicalType
from penstock.spec.contract_rules import ColumnRules, column_rules
from penstock.spec.document import Node, Place
from penstock.spec.extensions import read_extensions
from penstock.spec.pattern import refusal
from penstock.spec.problems import Problems, did_you_mean, listed
from penstock.spec.shape import Fields, Key
from penstock.spec.typed_text import TypedText

_INTEGER_FORMATS = {
    **{f"i{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32)},
    **{f"u{bits}": (0, 2**bits - 1) for bits in (8, 16, 32)},
}
_ORDERED = {LogicalType.INTEGER, LogicalType.NUMBER, LogicalType.DECIMAL, LogicalType.DATE, LogicalType.TIMESTAMP}
_STABLE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


@dataclass(frozen=True)
class DeclaredColumn:
    """A property as declared: `column` is None when something about it is wrong."""

    fields: Fields
    extensions: Fields | None
    rules: ColumnRules
    column: Column | None

    @property
    def name(self) -> str | None:
        return self.fields.get(keys.COLUMN_NAME)


def read_column(fields: Fields, problems: Problems) -> DeclaredColumn:
    before = len(problems)
    extensions = read_extensions(fields, keys.COLUMN_CUSTOM, keys.COLUMN_EXTENSIONS, problems)
    rules = column_rules(fields, problems)
    kind = read_type(fields, problems)
    if fields.get(keys.UNIQUE):
        problems.add(
            fields.place(keys.UNIQUE),
            "The uniqueness of a single column is not checked",
            expected="`primaryKey: true` on the columns that identify a row",
            remedy="Declare the key, or a check of kind `rows` under checks/.",
        )
    column_id = fields.get(keys.COLUMN_ID)
    if column_id is not None and not _STABLE_ID.fullmatch(column_id):
        problems.add(
            fields.place(keys.COLUMN_ID),
            "`id` is not a stable id",
            expected="letters, digits, `-` and `_`, at most 63, a letter or digit first",
            found=f"`{column_id}`",
            remedy="Choose an id once; it stays when the column is renamed.",
        )
    column = None if kind is None else _constrained(fields, kind, rules, problems)
    usable = column is not None and fields.complete and extensions is not None and len(problems) == before
    if usable and column is not None and extensions is not None:
        column = replace(column, aliases=extensions[keys.ALIASES_KEY])
    return DeclaredColumn(fields, extensions, rules, column if usable else None)


def _constrained(fields: Fields, kind: ColumnType, rules: ColumnRules, problems: Problems) -> Column | None:
    column = Column(
        id=fields.get(keys.COLUMN_ID) or "",
        name=fields.get(keys.COLUMN_NAME) or "",
        type=kind.kind,
        required=bool(fields.get(keys.REQUIRED)) or rules.required,
        description=fields.get(keys.COLUMN_DESCRIPTION) or "",
        classification=fields.get(keys.CLASSIFICATION) or Classification.INTERNAL,
        precision=kind.precision,
        scale=kind.scale,
        enum=_enum(fields, kind, rules, problems),
    )
    options = fields.get(keys.TYPE_OPTIONS)
    if options is not None:
        column = _with_options(column, options, kind, problems)
    if rules.pattern is not None:
        column = _with_rule_pattern(column, rules.pattern, problems)
    return column


def _with_options(column: Column, options: Fields, kind: ColumnType, problems: Problems) -> Column:
    if kind.kind is LogicalType.STRING:
        return _with_text_options(column, options, problems)
    _refuse_unchecked(options, kind, problems)
    if kind.kind not in _ORDERED:
        return column
    low, low_open = _bound(options, keys.MINIMUM, keys.EXCLUSIVE_MINIMUM, kind, problems)
    high, high_open = _bound(options, keys.MAXIMUM, keys.EXCLUSIVE_MAXIMUM, kind, problems)
    if low is not None and high is not None:
        _refuse_empty_range(options, low, high, low_open or high_open, problems)
    if kind.kind is LogicalType.INTEGER:
        low, low_open, high, high_open = _narrowed(options, low, low_open, high, high_open, problems)
    return replace(
        column,
        minimum=None if low is None else low.text,
        maximum=None if high is None else high.text,
        exclusive_minimum=low_open,
        exclusive_maximum=high_open,
    )


def _with_text_options(column: Column, options: Fields, problems: Problems) -> Column:
    shortest, longest = options.get(keys.MIN_LENGTH), options.get(keys.MAX_LENGTH)
    if shortest is not None and longest is not None and shortest > longest:
        problems.add(
            options.place(keys.MAX_LENGTH),
            "`maxLength` lies below `minLength`",
            expected=f"at least {shortest}",
            found=str(longest),
            remedy="Exchange them.",
        )
    pattern = options.get(keys.PATTERN)
    if pattern is not None:
        _refuse_pattern(pattern, options.place(keys.PATTERN), problems)
    return replace(
        column, min_length=shortest, max_length=longest, pattern=pattern, format=_text_format(options, problems)
    )


def _refuse_pattern(pattern: str, place: Place, problems: Problems) -> None:
    reason = refusal(pattern)
    if reason is not None:
        problems.add(
            place,
            "The pattern cannot be used",
            expected="an RE2 regular expression",
            found=reason,
            remedy="Write it without, or express the condition as a rule.",
        )


def _with_rule_pattern(column: Column, declared: tuple[str, Place], problems: Problems) -> Column:
    pattern, place = declared
    if column.type is not LogicalType.STRING or column.pattern is not None:
        problems.add(
            place,
            "The column cannot take this pattern",
            expected="a column of logicalType `string` without another pattern",
            remedy="Remove the rule, or the other pattern.",
        )
    else:
        _refuse_pattern(pattern, place, problems)
    return replace(column, pattern=pattern)


def _text_format(options: Fields, problems: Problems) -> Format | None:
    text = options.get(keys.OPTION_FORMAT)
    if text is None:
        return None
    words = [word.value for word in Format]
    if text not in words:
        problems.add(
            options.place(keys.OPTION_FORMAT),
            "Values cannot be held to this `format`",
            expected=f"one of {listed(words)}",
            found=f"`{text}`",
            remedy=did_you_mean(text, words) or "Use a `pattern` instead.",
        )
        return None
    return Format(text)


def _refuse_unchecked(options: Fields, kind: ColumnType, problems: Problems) -> None:
    """Name each option that is a promise nobody would keep."""
    if options.given(keys.MULTIPLE_OF):
        problems.add(
            options.key_place(keys.MULTIPLE_OF),
            "`multipleOf` is not checked",
            remedy="Declare a quality rule of engine `penstock`, for example `quantity % 5 = 0`.",
        )
    if kind.kind is LogicalType.TIMESTAMP:
        _refuse_local_time(options, problems)
    text = options.get(keys.OPTION_FORMAT)
    if text is None:
        return
    remedies = {
        LogicalType.DATE: "Declare `date_format` in the source: a contract says what a value means.",
        LogicalType.TIMESTAMP: "Declare `timestamp_format` in the source: a contract says what a value means.",
        LogicalType.NUMBER: "Use `f64`, or nothing.",
        LogicalType.DECIMAL: "Remove it: `physicalType` says it all.",
        LogicalType.INTEGER: "Use `i64`, or a smaller type.",
    }
    allowed = {LogicalType.INTEGER: {"i64", *_INTEGER_FORMATS}, LogicalType.NUMBER: {"f64"}}.get(kind.kind, set())
    if text not in allowed:
        problems.add(
            options.place(keys.OPTION_FORMAT),
            f"`format` cannot be `{text}` for a column of type {kind}",
            expected=f"one of {listed(sorted(allowed))}" if allowed else "no `format`",
            remedy=remedies.get(kind.kind, "Remove it."),
        )


def _refuse_local_time(options: Fields, problems: Problems) -> None:
    if options.get(keys.TIMEZONE) is False:
        problems.add(
            options.place(keys.TIMEZONE),
            "A timestamp without a time zone cannot be promised",
            expected="`true`: silver holds instants in UTC",
            remedy="Remove it, and declare the zone of the files under `reading` in the source.",
        )
    zone = options.get(keys.DEFAULT_TIMEZONE)
    if zone is not None and zone not in ("UTC", "Etc/UTC", "Z"):
        problems.add(
            options.place(keys.DEFAULT_TIMEZONE),
            "Silver holds instants in UTC",
            expected="`UTC`",
            found=f"`{zone}`",
            remedy="Remove it, and declare the zone of the files under `reading` in the source.",
        )


def _bound(
    options: Fields, inclusive: Key[Node | None], exclusive: Key[Node | None], kind: ColumnType, problems: Problems
) -> tuple[TypedText | None, bool]:
    if options.given(inclusive) and options.given(exclusive):
        problems.add(
            options.key_place(exclusive),
            f"`{inclusive.name}` and `{exclusive.name}` are both given",
            expected="one of them",
            remedy="Keep the tighter one.",
        )
        return None, False
    key = exclusive if options.given(exclusive) else inclusive
    node = options.get(key)
    if node is None:
        return None, False
    return declared_value(node, kind, key.name, problems), key is exclusive


def _refuse_empty_range(options: Fields, low: TypedText, high: TypedText, is_open: bool, problems: Problems) -> None:
    if low.value < high.value or (low.value == high.value and not is_open):
        return
    key = keys.MAXIMUM if options.given(keys.MAXIMUM) else keys.EXCLUSIVE_MAXIMUM
    problems.add(
        options.place(key),
        "No value lies between the bounds",
        expected=f"more than {low.text}" if is_open else f"at least {low.text}",
        found=high.text,
        remedy="Exchange or widen them.",
    )


def _narrowed(
    options: Fields,
    low: TypedText | None,
    low_open: bool,
    high: TypedText | None,
    high_open: bool,
    problems: Problems,
) -> tuple[TypedText | None, bool, TypedText | None, bool]:
    """The bounds that an integer format such as `i16` adds, where they are the tighter ones."""
    limits = _INTEGER_FORMATS.get(str(options.get(keys.OPTION_FORMAT)))
    if limits is None:
        return low, low_open, high, high_open
    if low is None or low.value < limits[0]:
        low, low_open = TypedText(limits[0], str(limits[0])), False
    if high is None or high.value > limits[1]:
        high, high_open = TypedText(limits[1], str(limits[1])), False
    if low.value > high.value:
        _refuse_empty_range(options, low, high, False, problems)
    return low, low_open, high, high_open


def _enum(fields: Fields, kind: ColumnType, rules: ColumnRules, problems: Problems) -> tuple[str, ...] | None:
    declared = fields.get(keys.COLUMN_ENUM)
    nodes = [node for entry in declared or () if (node := entry.get(keys.ENUM_VALUE)) is not None]
    if declared is not None and rules.valid_values is not None:
        problems.add(
            rules.valid_values[0].place,
            "The permitted values are given twice",
            expected="`enum` or a rule with `validValues`",
            remedy="Keep `enum`.",
        )
    if declared is None and rules.valid_values is None:
        return None
    values: dict[str, None] = {}
    for node in nodes or list(rules.valid_values or ()):
        value = declared_value(node, kind, "enum", problems)
        if value is not None and value.text in values:
            problems.add(node.place, f"The value `{value.text}` is permitted twice", remedy="Keep one of them.")
        elif value is not None:
            values[value.text] = None
    return tuple(values)
