"""A small semantic layer that uses every kind of metric, and random rows for it. Loans, visits, members, shelves."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb

from penstock.sql.connection import connect
from penstock.transform.dbt_engine import Dbt
from penstock.transform.workspace import Limits, prepare

FIRST_DAY, DAYS = date(2011, 1, 20), 75
MODELS = ("calendar", "loans", "visits", "members", "regions", "shelf")

PROJECT = """
name: lending
config-version: 2
model-paths: [models]
models:
  lending: {+materialized: table, +schema: gold}
"""

META = "config: {meta: {unit: pounds, owner: Ledger, final_after_days: 3}}"

SEMANTIC = """
models:
  - name: calendar
    time_spine: {standard_granularity_column: day}
    columns: [{name: day, granularity: day}]

semantic_models:
  - name: loans
    model: ref('loans')
    defaults: {agg_time_dimension: lent_on}
    entities:
      - {name: loan, type: primary, expr: loan_id}
      - {name: member, type: foreign, expr: member_id}
    dimensions:
      - {name: lent_on, type: time, type_params: {time_granularity: day}}
      - {name: branch, type: categorical, description: Where it was lent.}
      - {name: is_return, type: categorical}
    measures:
      - {name: fees, agg: sum, expr: fee}
      - {name: loans, agg: count, expr: loan_id}
      - {name: borrowers, agg: count_distinct, expr: member_id}
      - {name: returns, agg: sum_boolean, expr: is_return}
      - {name: dearest, agg: max, expr: fee}
      - {name: usual, agg: average, expr: fee}

  - name: visits
    model: ref('visits')
    defaults: {agg_time_dimension: visited_on}
    entities:
      - {name: visit, type: primary, expr: visit_id}
      - {name: member, type: foreign, expr: member_id}
    dimensions:
      - {name: visited_on, type: time, type_params: {time_granularity: day}}
      - {name: channel, type: categorical}
    measures:
      - {name: visits, agg: count, expr: visit_id}

  - name: members
    model: ref('members')
    defaults: {agg_time_dimension: joined}
    entities:
      - {name: member, type: primary, expr: member_id}
      - {name: region, type: foreign, expr: region_id}
    dimensions:
      - {name: joined, type: time, type_params: {time_granularity: day}}
      - {name: town, type: categorical}
      - {name: is_student, type: categorical}
    measures:
      - {name: joiners, agg: count, expr: member_id}

  - name: regions
    model: ref('regions')
    entities:
      - {name: region, type: primary, expr: region_id}
    dimensions:
      - {name: country, type: categorical}

  - name: shelf
    model: ref('shelf')
    defaults: {agg_time_dimension: counted_on}
    entities:
      - {name: count, type: primary, expr: count_id}
      - {name: item, type: foreign, expr: item_id}
    dimensions:
      - {name: counted_on, type: time, type_params: {time_granularity: day}}
      - {name: room, type: categorical}
    measures:
      - name: level
        agg: sum
        expr: level
        non_additive_dimension: {name: counted_on, window_choice: max, window_groupings: [item]}

metrics:
  - {name: fees, label: Fees, description: Fees taken., type: simple, type_params: {measure: fees}, META}
  - {name: loans, label: Loans, description: Loans., type: simple, type_params: {measure: loans}, META}
  - {name: borrowers, label: Borrowers, description: People., type: simple, type_params: {measure: borrowers}, META}
  - {name: returns, label: Returns, description: Returns., type: simple, type_params: {measure: returns}, META}
  - {name: dearest, label: Dearest, description: Highest fee., type: simple, type_params: {measure: dearest}, META}
  - {name: usual, label: Usual, description: Mean fee., type: simple, type_params: {measure: usual}, META}
  - {name: visits, label: Visits, description: Visits., type: simple, type_params: {measure: visits}, META}
  - {name: joiners, label: Joiners, description: New members., type: simple, type_params: {measure: joiners}, META}
  - {name: level, label: Level, description: Last count., type: simple, type_params: {measure: level}, META}
  - name: student_fees
    label: Student fees
    description: Fees of students, returns out.
    type: simple
    type_params: {measure: fees}
    filter: |
      {{ Dimension('member__is_student') }} AND NOT {{ Dimension('loan__is_return') }}
    META
  - name: fees_of_regulars
    label: Fees of regulars
    description: Of members with more than ten loans.
    type: simple
    type_params: {measure: fees}
    filter: |
      {{ Metric('loans', group_by=['member']) }} > 10
    META
  - name: fees_every_day
    label: Fees of every day
    description: Fees, nothing on days without loans.
    type: simple
    type_params: {measure: {name: fees, join_to_timespine: true, fill_nulls_with: 0}}
    META
  - name: branch_fees_every_day
    label: Fees of branches of every day
    description: Fees of known branches, nothing on days without loans.
    type: simple
    type_params: {measure: {name: fees, join_to_timespine: true, fill_nulls_with: 0}}
    filter: |
      {{ Dimension('loan__branch') }} <> 'north'
    META
  - name: fee_per_borrower
    label: Fee per borrower
    description: Fees by people.
    type: ratio
    type_params: {numerator: fees, denominator: borrowers}
    META
  - name: return_share
    label: Share of returns
    description: Returns by visits, of two tables.
    type: ratio
    type_params: {numerator: returns, denominator: visits}
    META
  - name: student_share
    label: Share of students
    description: Part of fees.
    type: ratio
    type_params: {numerator: student_fees, denominator: fees}
    META
  - name: fees_less_returns
    label: Fees less returns
    description: A sum of three.
    type: derived
    type_params: {expr: fees - returns + loans * 2, metrics: [fees, returns, loans]}
    META
  - name: per_return
    label: Fees per return
    description: May divide by zero.
    type: derived
    type_params: {expr: fees / returns, metrics: [fees, returns]}
    META
  - name: fees_growth
    label: Growth of fees
    description: Against a week before.
    type: derived
    type_params: {expr: fees - before, metrics: [fees, {name: fees, alias: before, offset_window: 7 days}]}
    META
  - name: fees_since_month
    label: Fees against the month's beginning
    description: Against the first day.
    type: derived
    type_params: {expr: fees - first, metrics: [fees, {name: fees, alias: first, offset_to_grain: month}]}
    META
  - {name: fees_so_far, label: Fees so far, description: All., type: cumulative, type_params: {measure: fees}, META}
  - name: fees_of_week
    label: Fees of the last week
    description: Seven days.
    type: cumulative
    type_params: {measure: fees, cumulative_type_params: {window: 7 days, period_agg: last}}
    META
  - name: borrowers_of_month
    label: Borrowers of the last month
    description: Different people.
    type: cumulative
    type_params: {measure: borrowers, cumulative_type_params: {window: 1 month}}
    META
  - name: fees_month_to_date
    label: Fees of the month so far
    description: Since the first.
    type: cumulative
    type_params: {measure: fees, cumulative_type_params: {grain_to_date: month, period_agg: average}}
    META
  - name: week_share
    label: Share of the week
    description: Of a cumulative one.
    type: ratio
    type_params: {numerator: fees, denominator: fees_of_week}
    META
  - name: conversion
    label: Conversion
    description: Visits with a loan within a week.
    type: conversion
    type_params:
      conversion_type_params:
        base_measure: visits
        conversion_measure: loans
        entity: member
        window: 7 days
    META
""".replace("META", META)


def manifest_of(folder: Path, semantic: str = SEMANTIC) -> str:
    """The semantic manifest as dbt makes it."""
    models = folder / "project"
    (models / "models").mkdir(parents=True)
    (models / "dbt_project.yml").write_text(PROJECT)
    for name in MODELS:
        (models / "models" / f"{name}.sql").write_text("select 1 as nothing")
    (models / "models" / "semantic.yml").write_text(semantic)
    workspace = prepare(folder / "dbt", models=models, database=folder / "none.duckdb", limits=Limits())
    dbt = Dbt(workspace, log=folder / "log")
    dbt.parse()
    manifest = dbt.semantic_manifest()
    assert manifest is not None
    return manifest


@dataclass(frozen=True)
class Loan:
    loan_id: int
    member_id: int | None
    lent_on: date
    branch: str | None
    is_return: bool
    fee: Decimal


def some_loans(random: random.Random, count: int) -> list[Loan]:
    """Members that are unknown, branches that are null, days without loans; fees to the hundredth of a penny."""
    days = random.sample(range(DAYS), k=min(DAYS, 25))
    return [
        Loan(
            loan_id=number,
            member_id=random.choice([None, *range(1, 8), 99]),
            lent_on=FIRST_DAY + timedelta(days=random.choice(days)),
            branch=random.choice([None, "north", "south", "it's"]),
            is_return=random.random() < 0.3,
            fee=Decimal(random.randrange(-50_000, 1_000_000)).scaleb(-4),
        )
        for number in range(count)
    ]


def database(loans: Sequence[Loan], random: random.Random) -> duckdb.DuckDBPyConnection:
    """A connection with gold as the semantic layer expects it."""
    connection = connect(threads=2)
    connection.execute("CREATE SCHEMA gold")
    connection.execute(
        "CREATE TABLE gold.calendar AS SELECT CAST(unnest(generate_series(?::TIMESTAMP, ?::TIMESTAMP, INTERVAL 1 DAY))"
        " AS DATE) AS day",
        [FIRST_DAY, FIRST_DAY + timedelta(days=DAYS)],
    )
    make = connection.execute
    make("CREATE TABLE gold.loans (loan_id INT, member_id INT, lent_on DATE, branch VARCHAR, is_return BOOLEAN,"
         " fee DECIMAL(18, 4))")  # fmt: skip
    rows = [(one.loan_id, one.member_id, one.lent_on, one.branch, one.is_return, one.fee) for one in loans]
    if rows:
        connection.executemany("INSERT INTO gold.loans VALUES (?, ?, ?, ?, ?, ?)", rows)
    make("CREATE TABLE gold.members (member_id INT, region_id INT, joined DATE, town VARCHAR, is_student BOOLEAN)")
    for member in range(1, 8):
        town = random.choice(["York", "Bath", None])
        joined = FIRST_DAY + timedelta(days=random.randrange(DAYS))
        values = [member, random.choice([1, 2, None]), joined, town, random.random() < 0.5]
        connection.execute("INSERT INTO gold.members VALUES (?, ?, ?, ?, ?)", values)
    make("CREATE TABLE gold.regions AS SELECT * FROM (VALUES (1, 'England'), (2, NULL)) t (region_id, country)")
    make("CREATE TABLE gold.visits (visit_id INT, member_id INT, visited_on DATE, channel VARCHAR)")
    make("CREATE TABLE gold.shelf (count_id INT, item_id INT, counted_on DATE, room VARCHAR, level INT)")
    for number in range(40):
        day = FIRST_DAY + timedelta(days=random.randrange(DAYS))
        values = [number, random.randrange(1, 8), day, random.choice(["web", "door", None])]
        connection.execute("INSERT INTO gold.visits VALUES (?, ?, ?, ?)", values)
        values = [number, random.randrange(3), day, random.choice(["a", "b"]), random.randrange(20)]
        connection.execute("INSERT INTO gold.shelf VALUES (?, ?, ?, ?, ?)", values)
    return connection
