"""What is personal stays personal through every step of a topology, whatever it is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.spec.loading import load_project
from penstock.spec.project import Project
from penstock.sql.personal import personal_outputs
from tests.stream.lending import lending

MADE = {"title": "loans.title"}
WINDOW = "{window: {size: PT1H, by: [%s], aggregates: {n: count, most: max(%s), many: distinct(title)}}}"
RUNNING = "{running: {key: [member], value: %s, count: n, mean: m, flag: odd}}"
JOIN = "{join: {with: loans_json, on: {member: member}, tolerance: PT1H, direction: nearest, identity: [loan], columns: {their: %s}}}"
LOOKUP = "{lookup: {table: %s, on: {member: member}, columns: {book: title}}}"


def loans(root: Path, topologies: str, *, personal: str = "title") -> Project:
    """Loans of which one column is personal."""
    lending(root)
    contract, streams = root / "contracts" / "loans.yml", root / "streams" / "loans.yml"
    named = contract.read_text()
    flow, block = f"name: {personal},", f"        name: {personal}\n"
    named = named.replace(flow, f"{flow} classification: pii,").replace(block, f"{block}        classification: pii\n")
    contract.write_text(named)
    streams.write_text(f"{streams.read_text()}topologies:\n{topologies}")
    return load_project(root)


def through(root: Path, *steps: str, personal: str = "title") -> dict[str, str]:
    """The personal columns of what is made of loans by these steps."""
    listed = "".join(f"      - {step}\n" for step in steps)
    topology = f"  - name: t\n    input: loans_typed\n    steps:\n{listed}    outputs:\n      - {{topic: made}}\n"
    return dict(personal_outputs(loans(root, topology, personal=personal))["made"])


@pytest.mark.parametrize(
    ("step", "personal"),
    [
        ("{filter: fee > 1}", MADE),
        ("{deduplicate: {key: [loan], horizon: PT1H}}", MADE),
        ("{derive: {a: lower(title), b: a || member, c: length(Title)}}", MADE | dict.fromkeys("abc", "loans.title")),
        ('{derive: {a: sha256(title), b: "md5(lower(title))", c: member}}', MADE),
        ('{derive: {a: "(title"}}', MADE),  # refused where it is compiled
        (WINDOW % ("member", "fee"), {}),
        (WINDOW % ("title", "title"), MADE | {"most": "loans.title"}),
        (RUNNING % "fee", MADE),
        (JOIN % "title", MADE | {"their": "loans.title"}),
        (JOIN % "fee", MADE),
        (LOOKUP % "silver.loans", MADE | {"book": "silver.loans.title"}),
        (LOOKUP % "gold.books", MADE | {"book": "gold.books.title"}),  # as it is called, before it is released
        ("{name: both, union: [loans_json]}", MADE),
    ],
)
def test_what_is_made_of_a_personal_column_is_personal(tmp_path: Path, step: str, personal: dict[str, str]) -> None:
    assert through(tmp_path, step) == personal


def test_statistics_of_a_personal_number_are_personal_and_their_count_is_not(tmp_path: Path) -> None:
    fee = "loans.fee"
    assert through(tmp_path, RUNNING % "fee", personal="fee") == {"fee": fee, "m": fee, "odd": fee}


def test_columns_are_followed_from_one_topology_to_the_next(tmp_path: Path) -> None:
    second = "  - {name: second, input: first, steps: [{derive: {b: a}}], outputs: [{live: shown, key: [loan]}]}\n"
    made = "outputs: [{topic: first, columns: [loan, lent, a]}]"
    first = f"  - {{name: one, input: loans_typed, steps: [{{derive: {{a: title}}}}], {made}}}\n"

    outputs = personal_outputs(loans(tmp_path, second + first))

    assert outputs == {"first": {"a": "loans.title"}, "live.shown": dict.fromkeys("ab", "loans.title")}
