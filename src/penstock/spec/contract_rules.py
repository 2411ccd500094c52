"""The `quality` entries of a contract: rules of Penstock, and those of the standard library that a column can keep.

An entry that promises something nobody checks is refused; documentation and other engines' rules are left alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from penstock.spec import contract_keys as keys
from penstock.spec.contract import RowRule
from penstock.spec.document import Entries, Items, Node, Place, Scalar, describe
from penstock.spec.problems import Problems, listed
from penstock.spec.scalars import NAME_PATTERN
from penstock.spec.shape import Fields, Key

ENGINE = "penstock"


@dataclass(frozen=True)
class DeclaredRule:
    rule: RowRule
    place: Place


@dataclass(frozen=True)
class ColumnRules:
    """What the quality entries of one column add up to."""

    rows: tuple[DeclaredRule, ...] = ()
    required: bool = False
    valid_values: tuple[Node, ...] | None = None
    pattern: tuple[str, Place] | None = None


def row_rules(fields: Fields, problems: Problems) -> tuple[DeclaredRule, ...]:
    """The rules of a dataset."""
    found = []
    for entry in fields.get(keys.QUALITY) or ():
        if _is_documentation(entry):
            continue
        if entry.get(keys.RULE_TYPE) == "custom":
            found.append(_row_rule(entry, problems))
        else:
            _refuse_uncheckable(entry, problems)
    return tuple(rule for rule in found if rule is not None)


def column_rules(fields: Fields, problems: Problems) -> ColumnRules:
    rules = []
    required = False
    valid: tuple[Node, ...] | None = None
    pattern: tuple[str, Place] | None = None
    for entry in fields.get(keys.COLUMN_QUALITY) or ():
        if _is_documentation(entry):
            continue
        if entry.get(keys.RULE_TYPE) == "custom":
            rules.append(_row_rule(entry, problems))
            continue
        metric = entry.get(keys.RULE_METRIC)
        if metric not in ("nullValues", "invalidValues"):
            _refuse_uncheckable(entry, problems)
            continue
        if not _is_zero(entry, problems):
            continue
        required = required or metric == "nullValues"
        if metric == "invalidValues":
            valid, pattern = _invalid_values(entry, problems)
    return ColumnRules(tuple(rule for rule in rules if rule is not None), required, valid, pattern)


def _is_documentation(entry: Fields) -> bool:
    kind = entry.get(keys.RULE_TYPE)
    engine = entry.get(keys.RULE_ENGINE)
    return kind == "text" or (kind == "custom" and engine is not None and engine.lower() != ENGINE)


def _row_rule(entry: Fields, problems: Problems) -> DeclaredRule | None:
    name = entry.get(keys.RULE_NAME)
    node = entry.get(keys.RULE_IMPLEMENTATION)
    if name is None or not NAME_PATTERN.fullmatch(name):
        problems.add(
            entry.place(keys.RULE_NAME),
            "A rule needs a name",
            subject="name",
            expected="small letters, digits and `_`",
            found=None if name is None else f"`{name}`",
            remedy="Rejected rows carry it as their code.",
        )
    if not isinstance(node, Scalar) or not isinstance(node.value, str) or not node.value.strip():
        if node is not None:
            problems.add(
                node.place,
                "The implementation of a rule is not a condition",
                expected="text in SQL",
                found=describe(node),
                remedy="Write for example `quantity >= 0 OR is_return`.",
            )
        return None
    severity = entry.node.get("severity")
    if isinstance(severity, Scalar) and severity.text.lower() not in ("error", "critical", "blocker"):
        problems.add(
            severity.place,
            "A rule about a row rejects it, whatever the severity",
            expected="`error`",
            found=describe(severity),
            remedy="Declare what is only to be reported as a check of severity `warn` under checks/.",
        )
    if name is None:
        return None
    return DeclaredRule(
        RowRule(name, node.value.strip(), entry.get(keys.RULE_DESCRIPTION) or ""), entry.place(keys.RULE_NAME)
    )


def _refuse_uncheckable(entry: Fields, problems: Problems) -> None:
    metric = entry.get(keys.RULE_METRIC)
    what = f"of metric `{metric}`" if metric is not None else f"of type `{entry.get(keys.RULE_TYPE)}`"
    key: Key[str | None] | Key[str] = keys.RULE_METRIC if metric is not None else keys.RULE_TYPE
    problems.add(
        entry.place(key),
        f"A quality rule {what} is not checked here",
        expected="type `custom` with engine `penstock`, or on a column metric `nullValues` or `invalidValues`",
        remedy="Declare it as a check under checks/.",
    )


def _is_zero(entry: Fields, problems: Problems) -> bool:
    node = entry.get(keys.RULE_MUST_BE)
    if isinstance(node, Scalar) and node.value == 0 and not isinstance(node.value, bool):
        return True
    problems.add(
        entry.place(keys.RULE_MUST_BE),
        f"A rule of metric `{entry.get(keys.RULE_METRIC)}` is kept for every row",
        subject="mustBe",
        expected="`mustBe: 0`",
        found=None if node is None else describe(node),
        remedy="Declare a tolerance as a check under checks/.",
    )
    return False


def _invalid_values(entry: Fields, problems: Problems) -> tuple[tuple[Node, ...] | None, tuple[str, Place] | None]:
    node = entry.get(keys.RULE_ARGUMENTS)
    arguments = node.entries if isinstance(node, Entries) else {}
    values, pattern = arguments.get("validValues"), arguments.get("pattern")
    listed_values = values.items if isinstance(values, Items) and values.items else None
    text = (pattern.value, pattern.place) if isinstance(pattern, Scalar) and isinstance(pattern.value, str) else None
    if not arguments or set(arguments) - {"validValues", "pattern"} or (listed_values is None and text is None):
        problems.add(
            entry.place(keys.RULE_ARGUMENTS),
            "A rule of metric `invalidValues` does not say which values are valid",
            subject="arguments",
            expected="`validValues` with a list, or `pattern`",
            found=None if not arguments else listed(arguments),
            remedy="Use `enum` or `logicalTypeOptions` of the column instead.",
        )
        return None, None
    return listed_values, text
