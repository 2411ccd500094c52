"""Sums to which is added what came and what went are those of a full build."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.transform.result import Build
from tests.transform.small_shop import Silver, Site, check_grows_as_made_whole, gold, some_lines, status
from tests.transform.test_model_build import ORDERS, models_in

LINES = some_lines(seed=12, count=120)
SIZES = """{{ config(materialized='table') }}
select country, count(*) > 8 as is_large from {{ source('silver', 'order_lines') }} group by country"""
SOLD = """{{ penstock_by_sums(['is_large', 'day'], counted='lines') }}
select
    is_large,
    cast(invoice_time as date) as day,
    {{ penstock_count() }} as lines,
    cast(coalesce(sum({{ penstock_signed('unit_price') }}), 0) as decimal(38, 4)) as prices
from {{ penstock_moves_beside(source('silver', 'order_lines'), ref('sizes'), on=['country'], columns=['is_large']) }}
group by is_large, day
"""
DAYS = """{{ penstock_by_sums(['day'], counted='sizes') }}
select
    day,
    {{ penstock_count() }} as sizes,
    cast(sum({{ penstock_signed('lines') }}) as bigint) as lines
from {{ penstock_moves(ref('sold')) }} group by day
"""


@pytest.fixture
def models(tmp_path: Path) -> Path:
    sql = {"star/sizes.sql": SIZES, "star/sold.sql": SOLD, "star/days.sql": DAYS}
    return models_in(tmp_path / "models", {"star/sources.yml": ORDERS, **sql})


def test_whatever_comes_and_goes_the_sums_and_their_content_are_those_of_a_full_build(
    site: Site, tmp_path: Path, models: Path
) -> None:
    def check(grown: Build) -> None:
        assert (status(grown)["sold"], status(grown)["days"]) == ("moved", "moved")

    silver = Silver(tmp_path / "silver")
    check_grows_as_made_whole(site, silver, LINES, models, apart=15, most=35, check=check)


def test_a_key_whose_last_row_goes_has_no_row(site: Site, tmp_path: Path, models: Path) -> None:
    silver, one = Silver(tmp_path / "silver"), LINES[0]
    other = next(line for line in LINES if line.invoice_time.date() != one.invoice_time.date())
    silver.add([one])
    silver.add([other])
    base = site.release(site.build(silver.everything(), models=models))
    since, before = silver.snapshot, list(silver.files)
    silver.take_back(silver.files[-1])
    grown = site.build(silver.moved_since(since, before), base=base, models=models)
    assert (status(grown)["days"], gold(grown)["days"]) == ("moved", [(one.invoice_time.date(), 1, 1)])
