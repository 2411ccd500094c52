"""The numbers of the shop's gold, against a plain Python oracle over the same lines."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from penstock.transform.docs import check_documented
from penstock.transform.result import Build, ModelStatus
from tests.transform.small_shop import Line, Silver, Site, gold, rows_of, some_lines

LINES = some_lines(seed=7, count=260)


Tables = dict[str, list[dict[str, object]]]


@pytest.fixture(scope="module")
def built(building_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """A full build, its warehouse out of the way of other builds."""
    folder = tmp_path_factory.mktemp("shop")
    silver = Silver(folder / "silver")
    silver.add(LINES)
    site = Site(building_cache, folder)
    build = site.build(silver.everything())
    return replace(build, database=site.release(build))


@pytest.fixture(scope="module")
def tables(built: Build) -> Tables:
    """Gold as rows with names."""
    return {
        model.name: [
            dict(zip([column.name for column in model.columns], row, strict=True))
            for row in rows_of(built.database, model)
        ]
        for model in built.gold
    }


def value(line: Line) -> Decimal:
    return line.quantity * line.unit_price


def is_purchase(line: Line) -> bool:
    return line.invoice_no[0] not in "CA" and line.quantity > 0


def is_product(line: Line) -> bool:
    return re.fullmatch("[0-9]{5}[A-Za-z]*", line.stock_code) is not None


def month(day: date) -> date:
    return day.replace(day=1)


def last_day_of(first: date) -> date:
    following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return date.fromordinal(following.toordinal() - 1)


def days(lines: Iterable[Line]) -> list[date]:
    return [line.invoice_time.date() for line in lines]


def purchases_by_customer() -> dict[int, list[Line]]:
    found: dict[int, list[Line]] = defaultdict(list)
    for line in LINES:
        if line.customer_id is not None and is_purchase(line):
            found[line.customer_id].append(line)
    return found


def test_all_tests_of_the_models_pass(built: Build) -> None:
    assert [test.name for test in built.failed_tests] == []
    assert len(built.tests) > 30


def test_every_column_is_described_and_every_model_tested(built: Build) -> None:
    assert check_documented(built) == ()


def test_the_fact_has_every_line_once_with_its_exact_value(tables: Tables) -> None:
    facts = tables["fact_sales"]
    found = Counter((row["source_file"], row["source_line"], row["line_value"]) for row in facts)
    assert found == Counter((line.file, line.line, value(line)) for line in LINES)
    assert len({row["line_key"] for row in facts}) == len(LINES)


def test_the_key_of_a_line_is_a_promise(tables: Tables) -> None:
    """The first half of SHA-256 over tenant, collision code, file and line, each with its length in bytes."""
    for row in tables["fact_sales"]:
        parts = ["default", "line", str(row["source_file"]), str(row["source_line"])]
        text = "".join(f"{len(part.encode())}:{part}," for part in parts)
        assert row["line_key"] == hashlib.sha256(text.encode()).hexdigest()[:32]


def test_a_line_is_classified_by_its_own_text_alone(tables: Tables) -> None:
    by_place = {(line.file, line.line): line for line in LINES}
    for row in tables["fact_sales"]:
        line = by_place[row["source_file"], row["source_line"]]  # type: ignore[index]
        assert row["is_cancellation"] is line.invoice_no.startswith("C")
        assert row["is_adjustment"] is line.invoice_no.startswith("A")
        assert row["is_product"] is is_product(line)
        assert row["is_purchase"] is is_purchase(line)
        assert row["product_value"] == (value(line) if is_product(line) else 0)


def test_the_guest_stands_for_every_line_without_a_customer(tables: Tables) -> None:
    guests = [row for row in tables["dim_customer"] if row["is_guest"]]
    assert [(row["customer_key"], row["customer_id"]) for row in guests] == [(-1, None)]
    without = sum(1 for line in LINES if line.customer_id is None)
    assert sum(1 for row in tables["fact_sales"] if row["customer_key"] == -1) == without > 0


def test_a_customer_lives_where_the_latest_invoice_went(tables: Tables) -> None:
    latest: dict[int, tuple[object, str, str]] = {}
    for line in LINES:
        if line.customer_id is not None:
            place = (line.invoice_time, line.invoice_no, line.country)
            latest[line.customer_id] = max(place, latest.get(line.customer_id, place))
    found = {row["customer_key"]: row["country"] for row in tables["dim_customer"] if not row["is_guest"]}
    assert found == {customer: place[2] for customer, place in latest.items()}


def test_a_product_is_called_what_it_is_called_most_often(tables: Tables) -> None:
    names: dict[str, Counter[str]] = defaultdict(Counter)
    for line in LINES:
        names[line.stock_code].update([line.description] if line.description is not None else [])
    expected = {
        code: min(counter, key=lambda text: (-counter[text], text)) if counter else None
        for code, counter in names.items()
    }
    assert {row["product_key"]: row["description"] for row in tables["dim_product"]} == expected


def test_the_calendar_has_every_day_from_the_first_month_to_the_last(
    tables: Tables,
) -> None:
    first, last = month(min(days(LINES))), last_day_of(month(max(days(LINES))))
    expected = {date.fromordinal(number) for number in range(first.toordinal(), last.toordinal() + 1)}
    assert {row["date_key"] for row in tables["dim_date"]} == expected
    assert all(
        (row["iso_year"], row["iso_week"], row["iso_weekday"]) == tuple(row["date_key"].isocalendar())  # type: ignore[attr-defined]
        for row in tables["dim_date"]
    )


def test_a_month_is_worth_the_sum_of_its_lines(tables: Tables) -> None:
    for row in tables["monthly_revenue"]:
        lines = [line for line in LINES if month(line.invoice_time.date()) == row["month"]]
        assert row["revenue"] == sum(map(value, lines))
        assert row["product_revenue"] == sum(value(line) for line in lines if is_product(line))
        assert row["cancelled_value"] == sum(value(line) for line in lines if line.invoice_no.startswith("C"))
        assert row["invoices"] == len({line.invoice_no for line in lines})
        assert row["customers"] == len({line.customer_id for line in lines} - {None})


def test_a_cohort_is_followed_month_by_month_until_the_last_complete_one(
    tables: Tables,
) -> None:
    bought = purchases_by_customer()
    cohort = {customer: month(min(days(lines))) for customer, lines in bought.items()}
    until = max(days(LINES))
    months = sorted({row["month"] for row in tables["monthly_revenue"]})  # type: ignore[type-var]
    expected = {}
    for start in set(cohort.values()):
        members = [customer for customer in bought if cohort[customer] == start]
        for active in [one for one in months if one >= start]:  # type: ignore[operator]
            complete = last_day_of(active) <= until  # type: ignore[arg-type]
            lines = [line for one in members for line in bought[one] if month(line.invoice_time.date()) == active]
            size = len({line.customer_id for line in lines})
            expected[start, active] = (len(members), *((size, sum(map(value, lines))) if complete else (None, None)))
    found = {
        (row["cohort_month"], row["activity_month"]): (row["cohort_size"], row["active_customers"], row["revenue"])
        for row in tables["cohorts"]
    }
    assert found == expected
    assert any(cell[1] is None for cell in found.values())


def test_scores_are_quintiles_with_ties_by_customer(tables: Tables) -> None:
    bought = purchases_by_customer()
    facts = {
        customer: (max(days(lines)), len({line.invoice_no for line in lines}), sum(map(value, lines)))
        for customer, lines in bought.items()
    }
    expected = {
        customer: tuple(
            1 + sorted(facts, key=lambda one: (facts[one][at], one)).index(customer) * 5 // len(facts)
            for at in range(3)
        )
        for customer in facts
    }
    found = {
        row["customer_key"]: (row["recency_score"], row["frequency_score"], row["monetary_score"])
        for row in tables["rfm_segments"]
    }
    assert found == expected
    recency = {row["customer_key"]: row["recency_days"] for row in tables["rfm_segments"]}
    assert recency == {customer: (max(days(LINES)) - facts[customer][0]).days for customer in facts}


def test_top_products_are_the_dearest_in_order_of_their_value(tables: Tables) -> None:
    worth: dict[str, Decimal] = defaultdict(Decimal)
    for line in LINES:
        if is_product(line):
            worth[line.stock_code] += value(line)
    ranking = sorted(worth, key=lambda code: (-worth[code], code))[:100]
    found = sorted((row["position"], row["product_key"], row["revenue"]) for row in tables["top_products"])
    assert found == [(place, code, worth[code]) for place, code in enumerate(ranking, 1)]


@pytest.mark.parametrize("seed", [1, 2])
def test_gold_is_the_same_in_whatever_order_and_portions_the_lines_arrive(
    built: Build, site: Site, tmp_path: Path, seed: int
) -> None:
    """Full build:   |---------- all ----------|
    Portions:     |--| shuffled |---|     |-|      each built on the one before
    """
    lines = sorted(LINES, key=lambda line: Random(f"{seed} {line.file} {line.line}").random())
    silver = Silver(tmp_path / "silver")
    build, base = None, None
    for portion in (lines[:70], lines[70:71], lines[71:200], lines[200:]):
        before, file = silver.snapshot, silver.add(portion)
        build = site.build(silver.since(before, [file]), base=base)
        assert build.failed_tests == ()
        base = site.release(build)
    assert build is not None
    assert next(model.status for model in build.gold if model.name == "fact_sales") is ModelStatus.APPENDED
    assert gold(build, base) == gold(built)
    assert {model.name: model.content_hash for model in build.gold} == {
        model.name: model.content_hash for model in built.gold
    }


def test_a_shop_without_a_line_has_an_empty_(site: Site, tmp_path: Path) -> None:
    build = site.build(Silver(tmp_path / "silver").everything())
    assert build.failed_tests == ()
    assert {model.name: model.rows for model in build.gold if model.rows} == {"dim_customer": 1}
