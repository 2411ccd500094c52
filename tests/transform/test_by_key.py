"""Rows of affected keys are made anew: whatever comes, goes and in which order, the result is that of a full build."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from penstock.errors import DeclarationError
from penstock.transform import warehouse
from penstock.transform.result import Build, ModelStatus, TestStatus
from penstock.transform.rows import Rows
from tests.transform.small_shop import Silver, Site, check_grows_as_made_whole, gold, rows_of, some_lines, status
from tests.transform.test_model_build import ORDERS, models_in

LINES = some_lines(seed=11, count=120)
CHANGED = """{{ config(materialized='table', schema='staging') }}
select invoice_no from {{ penstock_changes(source('silver', 'order_lines')) }}
union
select lines.invoice_no
from {{ source('silver', 'order_lines') }} as lines
inner join {{ penstock_changes(ref('countries')) }} as countries on lines.country = countries.country
"""
COUNTRIES = """{{ config(materialized='table') }}
select country, min(invoice_time) as first_at from {{ source('silver', 'order_lines') }} group by country"""
INVOICES = """{{ penstock_by_key(['invoice_no'], affected='changed_invoices', slice_by='day') }}
select
    lines.invoice_no,
    lines.stock_code,
    min(cast(lines.invoice_time as date)) as day,
    min(countries.first_at) as first_at,
    cast(sum(lines.quantity) as bigint) as quantity
from {{ penstock_affected(source('silver', 'order_lines')) }} as lines
inner join {{ ref('countries') }} as countries on lines.country = countries.country
group by lines.invoice_no, lines.stock_code
"""
BASKETS = """{{ penstock_by_key(['invoice_no'], affected='changed_invoices') }}
select invoice_no, cast(sum(quantity) as bigint) as quantity, count(*) as lines
from {{ penstock_affected(ref('invoices')) }}
group by invoice_no
"""
TOTALS = "select cast(sum(quantity) as bigint) as quantity, count(*) as n from {{ ref('invoices') }}"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    files = {"changed_invoices": CHANGED, "countries": COUNTRIES, "invoices": INVOICES, "totals": TOTALS}
    sql = {f"star/{name}.sql": text for name, text in files.items()}
    return models_in(tmp_path / "models", {"star/sources.yml": ORDERS, **sql})


def moved(build: Build) -> dict[str, object]:
    """What the release is told of the table that moves by key."""
    model = next(model for model in build.models if model.name == "invoices")
    return {"status": str(model.status), "changed": model.changed, "slices": model.moved_slices}


def test_whatever_comes_and_goes_the_rows_and_their_content_are_those_of_a_full_build(
    site: Site, tmp_path: Path, models: Path
) -> None:
    def check(grown: Build) -> None:
        assert status(grown)["invoices"] == "moved"

    silver = Silver(tmp_path / "silver")
    check_grows_as_made_whole(site, silver, LINES, models, apart=20, most=40, check=check)


def test_a_model_of_the_same_keys_reads_the_rows_that_were_just_made(site: Site, tmp_path: Path, models: Path) -> None:
    (models / "star" / "baskets.sql").write_text(BASKETS)
    silver = Silver(tmp_path / "silver")
    silver.add(LINES[:40])
    base = site.release(site.build(silver.everything(), models=models))
    for step in range(2):
        since, before = silver.snapshot, list(silver.files)
        silver.add(LINES[40 * step + 40 : 40 * step + 80])
        grown = site.build(silver.moved_since(since, before), base=base, models=models)
        rows = gold(grown)
        base = site.release(grown)
        whole = site.build(silver.everything(), models=models)
        assert status(grown)["baskets"] == "moved"
        assert rows == gold(whole)


TOLD = """{{ config(materialized='table', schema='staging') }}
select invoice_no from {{ penstock_changes(source('silver', 'order_lines')) }}"""
SIZES = """{{ penstock_by_key(['invoice_no'], affected='changed_invoices') }}
with counted as (
    select invoice_no, cast(sum(quantity) as bigint) as quantity
    from {{ penstock_affected(source('silver', 'order_lines'), of='told_invoices') }}
    group by invoice_no
    {%- if is_incremental() %}
    union all
    select invoice_no, quantity from {{ penstock_stood(but='told_invoices') }}
    {%- endif %}
), dated as (
    select invoice_no, min(first_at) as first_at from {{ penstock_affected(ref('invoices')) }} group by invoice_no
)
select counted.invoice_no, counted.quantity, dated.first_at from counted inner join dated using (invoice_no)
"""


def test_what_cannot_have_changed_is_read_from_the_rows_that_stand(site: Site, tmp_path: Path, models: Path) -> None:
    (models / "star" / "told_invoices.sql").write_text(TOLD)
    (models / "star" / "sizes.sql").write_text(SIZES)

    def check(grown: Build) -> None:
        assert status(grown)["sizes"] == "moved"

    silver = Silver(tmp_path / "silver")
    check_grows_as_made_whole(site, silver, LINES, models, apart=20, most=40, check=check)


MOVED = """{{ config(materialized='table', schema='staging') }}
select invoice_no from {{ penstock_changed(ref('invoices'), ['invoice_no'], columns=['stock_code', 'quantity']) }}"""
PIECES = """{{ penstock_by_key(['number'], affected='moved_numbers') }}
select invoice_no as number, cast(sum(quantity) as bigint) as quantity
from {{ penstock_affected(ref('invoices'), on={'number': 'invoice_no'}) }}
group by invoice_no
"""


def test_a_model_of_fewer_keys_is_made_anew_where_the_columns_it_reads_changed(
    site: Site, tmp_path: Path, models: Path
) -> None:
    numbers = "select invoice_no as number from {{ ref('moved_invoices') }}"
    (models / "star" / "moved_invoices.sql").write_text(MOVED)
    (models / "star" / "moved_numbers.sql").write_text(
        "{{ config(materialized='table', schema='staging') }}\n" + numbers
    )
    (models / "star" / "pieces.sql").write_text(PIECES)
    fewer = []

    def check(grown: Build) -> None:
        rows = {model.name: model.rows for model in grown.models}
        fewer.append(rows["moved_invoices"] < rows["changed_invoices"])
        assert status(grown)["pieces"] == "moved"

    silver = Silver(tmp_path / "silver")
    check_grows_as_made_whole(site, silver, LINES, models, apart=20, most=40, check=check)
    assert any(fewer)


GREW = """{{ config(materialized='incremental', incremental_strategy='append') }}
select invoice_no, quantity from {{ penstock_new(source('silver', 'order_lines')) }}"""
SUMS = """{{ penstock_by_key(['invoice_no'], affected='told_invoices') }}
select invoice_no, cast(sum(quantity) as bigint) as quantity
from (
    select invoice_no, quantity from {{ penstock_came(ref('arrivals')) }}
    {%- if is_incremental() %}
    union all
    select invoice_no, quantity from {{ penstock_stood() }}
    {%- endif %}
)
group by invoice_no
"""


def test_what_came_to_a_model_that_only_grows_is_told(site: Site, tmp_path: Path, models: Path) -> None:
    for name, sql in {"told_invoices": TOLD, "arrivals": GREW, "sums": SUMS}.items():
        (models / "star" / f"{name}.sql").write_text(sql)
    seen = []

    def check(grown: Build) -> None:
        seen.append((status(grown)["arrivals"], status(grown)["sums"]))

    silver = Silver(tmp_path / "silver")
    check_grows_as_made_whole(site, silver, LINES, models, apart=20, most=40, check=check)
    assert {*seen} == {("appended", "moved"), ("built", "built")}


def test_a_release_is_told_the_slices_that_hold_rows_that_came_or_went(
    site: Site, tmp_path: Path, models: Path
) -> None:
    silver = Silver(tmp_path / "silver")
    one, other, same = LINES[0], LINES[1], LINES[0]._replace(quantity=0, file="again.csv")
    silver.add([one, other])
    first = site.build(silver.everything(), models=models)
    assert moved(first) == {"status": "built", "changed": True, "slices": None}
    base, since, before = site.release(first), silver.snapshot, list(silver.files)
    silver.add([one._replace(file="later.csv")])
    second = site.build(silver.moved_since(since, before), base=base, models=models)
    assert moved(second) == {"status": "moved", "changed": True, "slices": (one.invoice_time.date(),)}
    base, since, before = site.release(second), silver.snapshot, list(silver.files)
    silver.add([same])
    third = site.build(silver.moved_since(since, before), base=base, models=models)
    assert moved(third) == {"status": "moved", "changed": False, "slices": ()}


def test_rows_of_one_slice_lie_together(site: Site, tmp_path: Path, models: Path) -> None:
    silver = Silver(tmp_path / "silver")
    silver.add(random.Random(7).sample(LINES, len(LINES)))
    build = site.build(silver.everything(), models=models)
    with warehouse.opened(build.database, read_only=True) as connection:
        days = connection.execute("SELECT day FROM warehouse.gold.invoices ORDER BY rowid").fetchall()
    assert len(set(days)) > 1
    assert days == sorted(days)


def test_rows_that_came_when_none_went_are_told_apart(site: Site, tmp_path: Path, models: Path) -> None:
    silver, one = Silver(tmp_path / "silver"), LINES[0]
    fresh = one._replace(invoice_no="900001", file="later.csv")
    silver.add([one])
    base, since, before = (
        site.release(site.build(silver.everything(), models=models)),
        silver.snapshot,
        list(silver.files),
    )
    silver.add([fresh])
    grown = site.build(silver.moved_since(since, before), base=base, models=models)
    model = next(model for model in grown.models if model.name == "invoices")
    assert (model.status, model.rows, model.new_rows) == (ModelStatus.MOVED, 2, 1)
    assert [row[0] for row in rows_of(grown.database, model, only_new=True)] == ["900001"]


def test_changed_code_above_makes_all_rows_anew(site: Site, tmp_path: Path, models: Path) -> None:
    silver = Silver(tmp_path / "silver")
    silver.add(LINES[:40])
    base = site.release(site.build(silver.everything(), models=models))
    (models / "star" / "countries.sql").write_text(COUNTRIES.replace("min", "max"))
    second = site.build(silver.with_more(LINES[40:50]), base=base, models=models)
    assert (moved(second)["status"], moved(second)["slices"]) == ("built", None)
    whole = site.build(silver.everything(), models=models)
    assert rows_of(whole.database, whole.gold[0])


def test_the_changes_of_a_view_cannot_be_asked(site: Site, tmp_path: Path, models: Path) -> None:
    (models / "star" / "countries.sql").write_text(COUNTRIES.replace("table", "view"))
    silver = Silver(tmp_path / "silver")
    with pytest.raises(DeclarationError) as wrong:
        site.build(silver.everything(), models=models)
    assert [problem.where for problem in wrong.value.problems] == [str(models / "star" / "countries.sql")]


def test_where_dbt_runs_the_build_rows_move_by_key_into_the_same_result(
    site: Site, tmp_path: Path, models: Path
) -> None:
    (models / "seeds").mkdir()
    (models / "seeds" / "numbers.csv").write_text("n\n1\n")
    silver = Silver(tmp_path / "silver")
    silver.add(LINES[:40])
    base = site.release(site.build(silver.everything(), models=models))
    grown = gold(site.build(silver.with_more(LINES[40:80]), base=base, models=models))
    assert grown == gold(site.build(silver.everything(), models=models))


def test_a_model_that_grew_has_the_rows_tested_that_came_and_every_row_of_their_keys(
    site: Site, tmp_path: Path, models: Path
) -> None:
    (models / "star" / "tests.yml").write_text("""
models:
  - name: invoices
    data_tests:
      - holds: {name: few_pieces, arguments: {expression: quantity < 100000}}
      - unique_together: {name: once, arguments: {columns: [invoice_no, stock_code]}}
      - unique_together: {name: apart, arguments: {columns: [stock_code, day, quantity]}}
      - holds: {name: told, arguments: {expression: quantity < 1}, config: {severity: warn}}
""")
    silver = Silver(tmp_path / "silver")
    silver.add(LINES[:40])
    base = site.release(site.build(silver.everything(), models=models))
    second = site.build(
        silver.with_more([LINES[0]._replace(file="later.csv", quantity=200_000)]), base=base, models=models
    )
    results = {test.name: test for test in second.tests}
    assert (results["few_pieces"].status, results["few_pieces"].failures) == (TestStatus.FAIL, 1)
    assert results["few_pieces"].sample[0]["invoice_no"] == LINES[0].invoice_no
    assert "_came" in results["few_pieces"].sql
    assert results["once"].status is TestStatus.PASS
    assert "changed_invoices" in results["once"].sql
    assert "_came" in results["apart"].sql
    assert "_came" not in results["told"].sql


def test_equal_values_that_tell_their_key_are_looked_for_among_the_rows_of_affected_keys(
    site: Site, tmp_path: Path, models: Path
) -> None:
    (models / "star" / "tests.yml").write_text("""
models:
  - name: invoices
    columns: [{name: quantity, data_tests: [unique_within: {name: within, arguments: {keys: [invoice_no]}}]}]
""")
    one, other, another = (
        LINES[0]._replace(file=f"{code}.csv", invoice_no=number, stock_code=code, quantity=quantity)
        for number, code, quantity in (("1", "A", 1), ("2", "B", 2), ("2", "C", 2))
    )
    silver = Silver(tmp_path / "silver")
    silver.add([one, other])
    first = site.build(silver.everything(), models=models)
    base = site.release(first)
    second = site.build(silver.with_more([another]), base=base, models=models)
    whole = site.build(silver.everything(), models=models)
    assert [test.failures for build in (first, second, whole) for test in build.tests] == [0, 1, 1]
    assert ["changed_invoices" in test.sql for build in (second, whole) for test in build.tests] == [True, False]


def test_a_key_that_comes_twice_is_found_among_the_rows_that_were_there(tmp_path: Path, site: Site) -> None:
    lines = """{{ config(materialized='incremental', incremental_strategy='append') }}
select invoice_no from {{ penstock_new(source('silver', 'order_lines')) }}"""
    tests = "models: [{name: lines, columns: [{name: invoice_no, data_tests: [unique, not_null]}]}]"
    files = {"star/sources.yml": ORDERS, "star/lines.sql": lines, "star/tests.yml": tests}
    models = models_in(tmp_path / "models", files)
    silver = Silver(tmp_path / "silver")
    silver.add([LINES[0]])
    base = site.release(site.build(silver.everything(), models=models))
    second = site.build(silver.with_more([LINES[0]._replace(file="again.csv")]), base=base, models=models)
    assert {test.column: (test.name.split("_")[0], test.status) for test in second.tests if test.blocks} == {
        "invoice_no": ("unique", TestStatus.FAIL)
    }


def test_a_row_that_comes_to_one_of_its_key_that_stands_is_found(site: Site, tmp_path: Path, models: Path) -> None:
    (models / "star" / "tests.yml").write_text("""
models:
  - name: invoices
    data_tests:
      - unique_together: {name: one_line_each, arguments: {columns: [invoice_no]}}
""")
    silver = Silver(tmp_path / "silver")
    silver.add([LINES[0], LINES[1]._replace(invoice_no="another")])
    base = site.release(site.build(silver.everything(), models=models))
    second = site.build(
        silver.with_more([LINES[0]._replace(file="later.csv", stock_code="other")]), base=base, models=models
    )
    (found,) = second.tests
    assert (found.status, found.failures) == (TestStatus.FAIL, 1)
    assert found.sample[0] == {"invoice_no": LINES[0].invoice_no, "n_records": "2"}


def test_rows_of_a_view_are_tested_that_came_where_others_went(site: Site, tmp_path: Path) -> None:
    view = """{{ config(materialized='view', schema='staging') }}
select quantity, _new from {{ source('silver', 'order_lines') }}"""
    tests = "models: [{name: lines, data_tests: [{holds: {name: few, arguments: {expression: quantity < 1000}}}]}]"
    files = {"star/sources.yml": ORDERS, "star/lines.sql": view, "star/tests.yml": tests}
    models = models_in(tmp_path / "models", files)
    silver = Silver(tmp_path / "silver")
    silver.add(LINES[:40])
    silver.add(LINES[40:60])
    base = site.release(site.build(silver.everything(), models=models))
    since, before = silver.snapshot, list(silver.files)
    silver.take_back(silver.files[1])
    silver.add([LINES[0]._replace(file="later.csv", quantity=200_000)])
    (found,) = site.build(silver.moved_since(since, before), base=base, models=models).tests
    assert (found.failures, "_new" in found.sql) == (1, True)


MODEST = """{{ config(materialized='table') }}
select country from {{ source('silver', 'order_lines') }} group by country having max(quantity) < 100000"""
PLACES = """{{ penstock_by_key(['invoice_no'], affected='changed_invoices') }}
select invoice_no, country, cast(sum(quantity) as bigint) as quantity
from {{ penstock_affected(source('silver', 'order_lines')) }}
group by invoice_no, country
"""


def test_rows_that_stand_are_found_to_name_a_row_that_went(site: Site, tmp_path: Path) -> None:
    tests = """models: [{name: invoices, columns: [{name: country, data_tests: [
      {relationships: {name: placed, arguments: {to: ref('countries'), field: country}}}]}]}]"""
    sql = {"changed_invoices": CHANGED, "countries": MODEST, "invoices": PLACES}
    files = {f"star/{name}.sql": text for name, text in sql.items()}
    models = models_in(tmp_path / "models", {"star/sources.yml": ORDERS, "star/tests.yml": tests, **files})
    silver = Silver(tmp_path / "silver")
    silver.add(LINES[:40])
    base = site.release(site.build(silver.everything(), models=models))
    second = site.build(
        silver.with_more([LINES[0]._replace(invoice_no="900001", file="later.csv", quantity=200_000)]),
        base=base,
        models=models,
    )
    (found,) = second.tests
    of_the_country = {line.invoice_no for line in LINES[:40] if line.country == LINES[0].country}
    assert (found.failures, len(of_the_country) > 1) == (len(of_the_country) + 1, True)
    assert "_came" in found.sql


@pytest.mark.parametrize("affected", ["'changed_invoices'", "ref('invoices')"])
def test_a_test_by_key_reads_the_affected_keys_until_something_is_made_from_nothing(
    site: Site, tmp_path: Path, models: Path, affected: str
) -> None:
    few = f"""select invoice_no from {{{{ penstock_tested(ref('invoices'), ['invoice_no'], affected={affected}) }}}}
    group by invoice_no having sum(quantity) > 100000"""
    (models / "tests").mkdir()
    (models / "tests" / "few_pieces.sql").write_text(few)
    silver = Silver(tmp_path / "silver")
    silver.add(LINES[:40])
    base = site.release(site.build(silver.everything(), models=models))
    since, before = silver.snapshot, list(silver.files)
    silver.add([LINES[0]._replace(file="later.csv", quantity=200_000)])
    grown = site.build(silver.moved_since(since, before), base=base, models=models)
    (models / "star" / "countries.sql").write_text(COUNTRIES.replace("min", "max"))
    anew = site.build(silver.moved_since(since, before), base=base, models=models)
    (models / "tests" / "few_pieces.sql").write_text(few.replace("100000", "10000"))
    whole = site.build(silver.everything(), models=models)
    for build, reads_all in ((grown, False), (anew, True), (whole, True)):
        (found,) = build.tests
        assert (found.status, found.failures) == (TestStatus.FAIL, 1)
        assert ("/* semi join" in found.sql) is reads_all


def test_a_release_finds_the_rows_that_went_and_those_that_came(site: Site, tmp_path: Path, models: Path) -> None:
    silver = Silver(tmp_path / "silver")
    silver.add(LINES[:60])
    first = site.build(silver.everything(), models=models)
    before, stored = gold_rows(first), tmp_path / "stored.parquet"
    with warehouse.opened(first.database, read_only=True) as connection:
        connection.execute(f"COPY (FROM warehouse.gold.invoices ORDER BY rowid) TO '{stored}'")
    base, since, files = site.release(first), silver.snapshot, list(silver.files)
    silver.add([line._replace(quantity=line.quantity + 1, file="later.csv") for line in LINES[:3]])
    second = site.build(silver.moved_since(since, files), base=base, models=models)
    model = next(model for model in second.models if model.name == "invoices")
    with warehouse.opened(second.database, read_only=True) as connection:
        rows = Rows(connection)
        held = f"SELECT *, 'f' AS file_path, file_row_number AS pos FROM read_parquet('{stored}')"
        places = rows.gone(model, held, ("file_path", "pos"))
    assert places is not None
    gone = set(places["pos"].to_pylist())
    came = rows_of(second.database, model, only_new=True)
    assert 0 < len(gone) < len(before)
    assert Counter(gold_rows(second)) == Counter([row for n, row in enumerate(before) if n not in gone] + came)


def gold_rows(build: Build) -> list[tuple[object, ...]]:
    with warehouse.opened(build.database, read_only=True) as connection:
        return connection.execute("FROM warehouse.gold.invoices ORDER BY rowid").fetchall()
