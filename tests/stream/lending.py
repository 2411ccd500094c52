"""A project of book loans in motion, for the tests of streams: contract and topics as files, topologies as a test likes."""

from __future__ import annotations

from pathlib import Path

from penstock.spec.loading import load_project
from penstock.spec.project import Project

LOANS = """\
apiVersion: v3.2.0
kind: DataContract
id: loans
version: 1.0.0
status: active
schema:
  - name: loans
    properties:
      - {id: loan, name: loan, logicalType: string, primaryKey: true, required: true}
      - {id: member, name: member, logicalType: string, required: true}
      - {id: title, name: title, logicalType: string}
      - id: fee
        name: fee
        logicalType: number
        physicalType: decimal(10,2)
        logicalTypeOptions: {minimum: 0}
      - {id: lent, name: lent, logicalType: timestamp, required: true}
"""
TOPICS = """\
topics:
  - {name: loans_typed, dataset: loans, key: [member], time: lent, partitions: 2}
  - {name: loans_json, dataset: loans, key: [member], time: lent, format: json}
"""
FOLLOWED = """\
  - name: watch
    input: loans_typed
    steps:
      - running: {key: [member], value: fee, count: earlier}
      - {name: days, window: {size: P1D, by: [member], aggregates: {loans: count, paid: sum(fee)}}}
    outputs:
      - {live: days, from: days, key: [member, window_start]}
      - {topic: scored, from: running, key: [member], columns: [loan, member, fee, lent, earlier]}
      - {live: latest, from: running, key: [loan], columns: [loan, member, fee, lent, earlier]}
"""
COUNT = """\
  - name: counted
    input: loans_typed
    steps:
      - running: {key: [member], value: fee, count: earlier}
    outputs:
      - {live: latest, key: [member], columns: [member, earlier]}
"""


def lending(root: Path, topologies: str = "") -> Project:
    """The project with these topologies (YAML, indented below `topologies:`)."""
    for path, text in {
        "penstock.yml": "name: lending\n",
        "contracts/loans.yml": LOANS,
        "streams/loans.yml": TOPICS + (f"topologies:\n{topologies}" if topologies else ""),
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return load_project(root)
