"""`contracts/*.yml`: one dataset each, in the Open Data Contract Standard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from penstock.spec import contract_keys as keys
from penstock.spec.contract import Classification, Contract, Dedupe, LogicalType, PartitionField
from penstock.spec.contract_column import DeclaredColumn, read_column
from penstock.spec.contract_places import key_of, partitions_of
from penstock.spec.contract_rules import DeclaredRule, row_rules
from penstock.spec.document import Entries, Items, Node, Place, Scalar
from penstock.spec.extensions import read_extensions
from penstock.spec.fingerprint import fingerprint
from penstock.spec.freshness import read_freshness
from penstock.spec.odcs import judge_contract
from penstock.spec.problems import Problems, did_you_mean
from penstock.spec.references import DeclaredReference, read_references
from penstock.spec.shape import Fields, Key

_TIMES = (LogicalType.DATE, LogicalType.TIMESTAMP)


@dataclass(frozen=True)
class DeclaredContract:
    """A contract as declared. Names are known even where the contract as a whole is wrong, so that other files
    that speak of them are not blamed."""

    path: Path
    root: Fields
    dataset: Fields
    columns: tuple[DeclaredColumn, ...]
    extensions: Fields | None
    rules: tuple[DeclaredRule, ...]
    references: tuple[DeclaredReference, ...]
    key: tuple[str, ...]
    partitions: tuple[PartitionField, ...]
    freshness: timedelta | None

    @property
    def name(self) -> str | None:
        return self.dataset.get(keys.DATASET)

    @property
    def place(self) -> Place:
        return self.dataset.place(keys.DATASET)

    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.name is not None)

    def knows_its_columns(self) -> bool:
        """Whether every column could be read far enough to know its name."""
        nodes = self.dataset.node.get(keys.COLUMNS.name)
        return isinstance(nodes, Items) and len(self.column_names()) == len(nodes.items)

    def column(self, name: str) -> DeclaredColumn | None:
        return next((column for column in self.columns if column.name == name), None)


def read_contract(root: Node, path: Path, problems: Problems) -> tuple[DeclaredContract, ...]:
    """The contract of a file, judged by itself; references to other datasets are judged when all are read. A file
    should declare one dataset: when it declares several they are all judged, so that nothing stays unsaid."""
    fields = keys.CONTRACT.read(root, "", problems)
    judge_contract(root, problems)
    if fields is None:
        return ()
    read_extensions(fields, keys.CUSTOM_PROPERTIES, None, problems)
    datasets = fields.get(keys.SCHEMA)
    for extra in (() if datasets is None else datasets)[1:2]:
        problems.add(
            extra.node.place,
            "The contract declares more than one dataset",
            expected="one",
            found=str(len(datasets or ())),
            remedy="Give each dataset a file of its own.",
        )
    return tuple(_declared(fields, dataset, path, problems) for dataset in datasets or ())


def make_contract(declared: DeclaredContract, *, tenant: str) -> Contract | None:
    """The contract, or None when something about it was wrong."""
    dataset, extensions = declared.dataset, declared.extensions
    columns = tuple(column.column for column in declared.columns if column.column is not None)
    if extensions is None or not declared.root.complete or len(columns) != len(declared.columns):
        return None
    section = extensions[keys.DEDUPE_KEY]
    dedupe = Dedupe() if section is None else Dedupe(section[keys.ORDER_BY], section[keys.HORIZON])
    rules = tuple(rule.rule for rule in _all_rules(declared))
    evolution = extensions[keys.EVOLUTION_KEY]
    meaning: dict[str, object] = {
        "dataset": dataset[keys.DATASET],
        "columns": [_silver_meaning(asdict(column), {"description"}) for column in columns],
        "key": declared.key,
        "dedupe": asdict(dedupe),
        "evolution": evolution,
        "partitions": [asdict(field) for field in declared.partitions],
        "rules": [_silver_meaning(asdict(rule), {"description"}) for rule in rules],
        "tenant": tenant,
    }
    return Contract(
        dataset=dataset[keys.DATASET],
        version=declared.root[keys.VERSION],
        description=_description(declared),
        owner=_owner(declared.root.get(keys.TEAM)),
        columns=columns,
        key=declared.key,
        dedupe=dedupe,
        evolution=evolution,
        partitions=declared.partitions,
        rules=rules,
        references=tuple(reference.reference for reference in declared.references),
        freshness=declared.freshness,
        path=declared.path,
        fingerprint=fingerprint("contract", meaning),
        places={name: str(place) for name, place in _places(declared)},
    )


def _places(declared: DeclaredContract) -> Iterator[tuple[str, Place]]:
    for column in declared.columns:
        yield f"column {column.name}", column.fields.place(keys.COLUMN_NAME)
    for rule in _all_rules(declared):
        yield f"rule {rule.rule.name}", rule.place
    section = None if declared.extensions is None else declared.extensions[keys.DEDUPE_KEY]
    if section is not None:
        yield "dedupe", section.node.place


def _silver_meaning(facts: dict[str, object], left_out: set[str]) -> dict[str, object]:
    return {name: value for name, value in facts.items() if name not in left_out}


def _declared(root: Fields, dataset: Fields, path: Path, problems: Problems) -> DeclaredContract:
    columns = tuple(read_column(fields, problems) for fields in dataset.get(keys.COLUMNS) or ())
    declared = DeclaredContract(
        path=path,
        root=root,
        dataset=dataset,
        columns=columns,
        extensions=read_extensions(dataset, keys.CUSTOM_PROPERTIES, keys.OBJECT_EXTENSIONS, problems),
        rules=row_rules(dataset, problems),
        references=read_references(dataset, [column.fields for column in columns], problems),
        key=key_of(columns, problems),
        partitions=partitions_of(columns, problems),
        freshness=read_freshness(root, dataset, problems),
    )
    _refuse_shared(columns, problems)
    _refuse_rule_names(_all_rules(declared), problems)
    _judge_dedupe(declared, problems)
    return declared


def _all_rules(declared: DeclaredContract) -> list[DeclaredRule]:
    return [*(rule for column in declared.columns for rule in column.rules.rows), *declared.rules]


def _description(declared: DeclaredContract) -> str:
    own = declared.dataset[keys.DATASET_DESCRIPTION]
    section = declared.root[keys.DESCRIPTION]
    return own if own or section is None else section[keys.PURPOSE]


def _owner(team: Node | None) -> str:
    """The team's name; in contracts before v3.1 the member whose role is owner."""
    if isinstance(team, Entries):
        name = team.get("name")
        return name.text if isinstance(name, Scalar) else ""
    for member in team.items if isinstance(team, Items) else ():
        if isinstance(member, Entries):
            role, name = member.get("role"), member.get("username")
            if isinstance(role, Scalar) and isinstance(name, Scalar) and role.text.lower() == "owner":
                return name.text
    return ""


def _refuse_shared(columns: tuple[DeclaredColumn, ...], problems: Problems) -> None:
    names: dict[str, Place] = {}
    ids: dict[str, Place] = {}
    for column in columns:
        for key, seen in ((keys.COLUMN_NAME, names), (keys.COLUMN_ID, ids)):
            _refuse_second(column.fields, key, seen, problems)
    sources = dict(names)
    for column in columns:
        for alias in (column.extensions.get(keys.ALIASES_KEY) or ()) if column.extensions is not None else ():
            place = (
                column.extensions.place(keys.ALIASES_KEY) if column.extensions is not None else column.fields.node.place
            )
            if alias in sources:
                problems.add(
                    place,
                    f"The alias `{alias}` already stands for a column",
                    subject=alias,
                    found=f"it on line {sources[alias].line}",
                    remedy="Remove it from one of them.",
                )
            sources.setdefault(alias, place)


def _refuse_second(fields: Fields, key: Key[str], seen: dict[str, Place], problems: Problems) -> None:
    value = fields.get(key)
    if value is None:
        return
    if value in seen:
        problems.add(
            fields.place(key),
            f"The column {key.name} `{value}` stands twice",
            found=f"the first on line {seen[value].line}",
            remedy="Rename one of them." if key is keys.COLUMN_NAME else "Give each column its own id.",
        )
    seen.setdefault(value, fields.place(key))


def _refuse_rule_names(rules: list[DeclaredRule], problems: Problems) -> None:
    seen: dict[str, Place] = {}
    for declared in rules:
        first = seen.setdefault(declared.rule.name, declared.place)
        if first is not declared.place:
            problems.add(
                declared.place,
                f"The rule `{declared.rule.name}` stands twice",
                found=f"the first on line {first.line}",
                remedy="Rename one of them.",
            )


def _judge_dedupe(declared: DeclaredContract, problems: Problems) -> None:
    section = None if declared.extensions is None else declared.extensions.get(keys.DEDUPE_KEY)
    if section is None or declared.extensions is None:
        return
    if not any(column.fields.get(keys.PRIMARY_KEY) for column in declared.columns):
        problems.add(
            declared.extensions.key_place(keys.DEDUPE_KEY),
            "Rows without a key are not de-duplicated",
            expected="`primaryKey: true` on at least one column",
            remedy="Declare the key, or remove `penstock.dedupe`.",
        )
    order_by = section.get(keys.ORDER_BY)
    if section.given(keys.HORIZON) and not section.given(keys.ORDER_BY):
        problems.add(
            section.key_place(keys.HORIZON),
            "A horizon needs a time to count from",
            expected="`order_by` with a column of type date or timestamp",
            remedy="Add `order_by`, or remove the horizon.",
        )
    if order_by is not None:
        _judge_order(declared, section, order_by, problems)


def _judge_order(declared: DeclaredContract, section: Fields, name: str, problems: Problems) -> None:
    place = section.place(keys.ORDER_BY)
    column = declared.column(name)
    if column is None:
        if declared.knows_its_columns():
            problems.add(
                place,
                f"`order_by` names no column of the contract: `{name}`",
                remedy=did_you_mean(name, declared.column_names()) or "Name one of its columns.",
            )
        return
    made = column.column
    if made is None:
        return
    tests: tuple[tuple[bool, str, Callable[[], str]], ...] = (
        (not made.required, "a required column", lambda: "one that may be absent"),
        (made.classification is Classification.PERSONAL, "a column that is not personal", lambda: "a personal column"),
        (section.given(keys.HORIZON) and made.type not in _TIMES, "a date or timestamp", lambda: str(made.type)),
    )
    for wrong, expected, found in tests:
        if wrong:
            problems.add(
                place,
                f"Versions cannot be ordered by `{name}`",
                subject=expected,
                expected=expected,
                found=found(),
                remedy="Choose another column, or change it.",
            )
