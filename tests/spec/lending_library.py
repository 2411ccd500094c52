"""A project of book loans: its files, right as they stand and using most of the format, and what loading says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from penstock.errors import DeclarationError
from penstock.spec.loading import load_project
from penstock.spec.project import Project

PROJECT = """\
name: library
description: Books and who has them.
tenant: town
retention:
  releases_keep: 5
  releases_for: P7D
  snapshots_for: PT2H
  raw_quarantine_for: P14D
quality:
  target: 99.5
  alert: 90
serve:
  cors: [https://town.example, "http://localhost:3000"]
"""
BOOKS = """\
apiVersion: v3.2.0
kind: DataContract
id: books
version: 1.0.0
status: active
schema:
  - name: books
    description: A book on the shelf.
    properties:
      - id: isbn
        name: isbn
        logicalType: string
        primaryKey: true
        required: true
      - id: title
        name: title
        logicalType: string
"""
LOANS = """\
apiVersion: v3.2.0
kind: DataContract
id: loans
version: 1.2.0
status: active
description:
  purpose: Who has which book.
team:
  name: Front desk
slaProperties:
  - property: freshness
    value: 36
    unit: h
schema:
  - name: loans
    customProperties:
      - property: penstock.dedupe
        value:
          order_by: changed_at
          horizon: P90D
      - property: penstock.evolution
        value: freeze
    quality:
      - type: custom
        engine: penstock
        name: returned_after_lent
        implementation: returned_on >= lent_on
        description: Nobody returns a book before it is lent.
    properties:
      - id: loan_id
        name: loan_id
        logicalType: string
        primaryKey: true
        primaryKeyPosition: 2
        required: true
        logicalTypeOptions:
          pattern: ^L[0-9]+$
      - id: branch
        name: branch
        logicalType: string
        primaryKey: true
        primaryKeyPosition: 1
        required: true
        classification: public
        enum:
          - value: north
          - value: south
      - id: isbn
        name: isbn
        logicalType: string
        relationships:
          - to: books.isbn
      - id: reader
        name: reader
        logicalType: string
        classification: pii
        logicalTypeOptions:
          minLength: 3
          maxLength: 80
          format: email
        customProperties:
          - property: penstock.aliases
            value: [Borrower, Reader name]
      - id: renewals
        name: renewals
        logicalType: integer
        logicalTypeOptions:
          minimum: 0
          exclusiveMaximum: 10
      - id: fee
        name: fee
        logicalType: number
        physicalType: decimal(8,2)
        logicalTypeOptions:
          minimum: 0.50
      - id: weight
        name: weight
        logicalType: number
      - id: renewable
        name: renewable
        logicalType: boolean
      - id: lent_on
        name: lent_on
        logicalType: date
        partitioned: true
        customProperties:
          - property: penstock.partition
            value: month
        logicalTypeOptions:
          minimum: "2000-01-01"
      - id: returned_on
        name: returned_on
        logicalType: date
      - id: changed_at
        name: changed_at
        logicalType: timestamp
        required: true
"""
SOURCE = """\
name: loans_north
description: The desk in the north.
dataset: loans
files:
  - ${DROP:-data}/north/*.csv
  - extra/*.csv
format: csv
compression: gz
optional: true
settle: PT5S
csv:
  delimiter: ";"
  quote: "'"
  encoding: windows-1252
delivery:
  mode: replace_file
  pattern: (?P<name>.+)_v(?P<version>[0-9]+)[.]csv
  same_content: skip
reading:
  columns:
    loan_id: Number
    changed_at: Last change
  null_values: ["", "-"]
  decimal_separator: ","
  thousands_separator: "."
  timezone: Europe/London
  timestamp_format: "%d/%m/%Y %H:%M"
  date_format: "%d/%m/%Y"
"""
CHECKS = """\
checks:
  - name: loans_arrived
    kind: threshold
    description: Somebody reads.
    sql: SELECT count(*) FROM silver.loans
    minimum: 1
    maximum: 1e6
  - name: no_lost_book
    kind: rows
    severity: warn
    sql: SELECT * FROM silver.loans WHERE isbn IS NULL
  - name: loans_in_equal_loans_out
    kind: reconcile
    sql: SELECT count(*) FROM silver.loans
    against: SELECT count(*) FROM gold.loans
"""
ENDPOINTS = """\
endpoints:
  - path: /books
    table: shelf
    key: isbn
    columns: [isbn, title, pages, bought_on]
    filters: [title]
    ranges: [bought_on]
    order: [title, bought_on desc]
    limit: 500
    description: Every book on the shelf.
    example:
      isbn: "9780441172719"
      pages: 412
      bought_on:
  - path: /books/{id}/loans
    table: lent
    key: loan_id
    parent: isbn
    columns: [loan_id, lent_on]
"""
STREAMS = """\
topics:
  - name: desk
    description: What the desk writes.
    dataset: loans
    key: [isbn]
    time: changed_at
    partitions: 4
    retention: P7D
    max_bytes: 1000000
    format: json
    lake: false
  - name: shelf
    dataset: loans
    time: changed_at
topologies:
  - name: watch
    description: Odd fees.
    input: desk
    time:
      lateness: PT5M
      skew: PT10S
      idle: PT1S
    steps:
      - filter: renewable
      - derive:
          band: CASE WHEN fee > 5 THEN 'high' ELSE 'low' END
      - deduplicate:
          key: [isbn, lent_on]
          horizon: P1D
      - lookup:
          table: silver.books
          on:
            isbn: isbn
          columns:
            book: title
      - name: fees
        running:
          key: [isbn]
          value: fee
          count: earlier
          mean: usual
          deviation: spread
          score: oddness
          flag: is_odd
          minimum: 10
          threshold: 3.5
      - name: hourly
        window:
          size: PT1H
          slide: PT15M
          by: [isbn]
          aggregates:
            loans: count
            most_lent: top(3, book)
      - name: visits
        from: fees
        window:
          gap: PT30M
          aggregates:
            taken: sum(fee)
      - name: shelved
        from: fees
        join:
          with: shelf
          on:
            isbn: isbn
          tolerance: PT1H
          direction: backward
          columns:
            shelf_weight: weight
          identity: [isbn, lent_on]
          ties: [lent_on]
      - name: scored
        from: fees
        score:
          model: forest
          columns: [fee, weight]
          into: likelihood
    outputs:
      - topic: odd
        from: fees
        where: is_odd
        key: [isbn]
        columns: [isbn, lent_on, fee]
        retention: P30D
        description: Odd fees alone.
      - live: hours
        from: hourly
        key: [isbn, window_start]
  - name: after
    input: odd
    outputs:
      - live: last_odd
        key: [isbn]
models:
  - name: forest
    path: scoring/forest.py
    description: How likely a fee is an odd one.
"""
FILES = {
    "penstock.yml": PROJECT,
    "contracts/books.yml": BOOKS,
    "contracts/loans.yml": LOANS,
    "sources/north.yml": SOURCE,
    "checks/loans.yml": CHECKS,
    "endpoints/books.yml": ENDPOINTS,
    "streams/desk.yml": STREAMS,
    "models/dbt_project.yml": "name: library\n",
    "scoring/forest.py": "def score(rows):\n    return rows['fee']\n",
}


class Library:
    """A project of book loans whose files a test may replace or edit."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for path, text in FILES.items():
            self.write(path, text)

    def write(self, path: str, text: str | bytes) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text if isinstance(text, bytes) else text.encode())

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
        self.write(path, text.replace(old, new))

    def load(self, environment: Mapping[str, str] | None = None) -> Project:
        return load_project(self.root, environment={} if environment is None else environment)

    def problems(self, environment: Mapping[str, str] | None = None) -> list[str]:
        """Every sentence, in order; none when the project is right."""
        try:
            self.load(environment)
        except DeclarationError as error:
            return [str(problem) for problem in error.problems]
        return []

    def where(self) -> list[str | None]:
        try:
            self.load()
        except DeclarationError as error:
            return [problem.where for problem in error.problems]
        return []
