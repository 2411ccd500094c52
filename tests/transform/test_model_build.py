"""What a build runs, keeps, refuses and reports."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import duckdb
import pytest

from penstock.errors import DeclarationError, StorageError, TransformFailed, UsageError
from penstock.transform import warehouse
from penstock.transform.docs import check_documented, generate_docs
from penstock.transform.program import Program
from penstock.transform.result import Build, TestStatus
from tests.transform.small_shop import Silver, Site, gold, open_elsewhere, project, rows_of, some_lines, status

LINES = some_lines(seed=3, count=120)

ORDERS = """
version: 2
sources:
  - name: silver
    tables: [{name: order_lines}]
"""
LINES_MODEL = """{{ config(materialized='incremental', incremental_strategy='append') }}
select _file as source_file, _line as source_line, quantity
from {{ penstock_new(source('silver', 'order_lines')) }}
"""
TOTAL_MODEL = "select cast(sum(quantity) as bigint) as quantity from {{ ref('lines') }}"
OTHER_MODEL = "select 1 as one"


def models_in(folder: Path, files: Mapping[str, str]) -> Path:
    """A dbt project of the files given, all of them gold tables."""
    project = "name: small\nmodel-paths: [star]\ntest-paths: [tests]\nmodels: {small: {+schema: gold}}\n"
    defaults = {"dbt_project.yml": project, "star/sources.yml": ORDERS}
    for name, text in {**defaults, **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def small(tmp_path: Path, **changed: str) -> Path:
    files = {"lines": LINES_MODEL, "total": TOTAL_MODEL, "other": OTHER_MODEL, **changed}
    return models_in(tmp_path / "models", {f"star/{name}.sql": text for name, text in files.items()})


@pytest.fixture
def silver(tmp_path: Path) -> Silver:
    silver = Silver(tmp_path / "silver")
    silver.add(LINES[:60])
    return silver


def test_new_files_are_appended_and_only_what_reads_them_runs(site: Site, tmp_path: Path, silver: Silver) -> None:
    models = small(tmp_path)
    first = site.build(silver.everything(), models=models)
    before, file = silver.snapshot, silver.add(LINES[60:])
    second = site.build(silver.since(before, [file]), base=site.release(first), models=models)
    assert status(first) == {"lines": "built", "other": "built", "total": "built"}
    assert status(second) == {"lines": "appended", "other": "kept", "total": "built"}
    lines = next(model for model in second.models if model.name == "lines")
    assert (lines.rows, lines.new_rows, lines.changed) == (120, 60, True)
    places = {(line.file, line.line) for line in LINES[60:]}
    assert {row[:2] for row in rows_of(second.database, lines, only_new=True)} == places


def test_what_came_out_can_be_looked_at_on_the_connection_that_made_it(
    site: Site, tmp_path: Path, silver: Silver
) -> None:
    looked: list[tuple[Build, int]] = []

    def look(built: Build, connection: duckdb.DuckDBPyConnection) -> None:
        looked.append((built, warehouse.count(connection, "gold.lines")))

    models = small(tmp_path)
    first = site.build(silver.everything(), models=models, look=look)
    before, file = silver.snapshot, silver.add(LINES[60:])
    second = site.build(silver.since(before, [file]), base=site.release(first), models=models, look=look)
    empty = site.build({}, models=None, look=lambda built, *_: looked.append((built, 0)))

    assert looked == [(first, 60), (second, 120), (empty, 0)]


def test_a_build_in_place_that_fails_leaves_the_warehouse_as_it_was(site: Site, tmp_path: Path, silver: Silver) -> None:
    def refuse(built: Build, connection: duckdb.DuckDBPyConnection) -> None:
        assert (built.database, warehouse.count(connection, "gold.lines")) == (base, 120)
        raise StorageError("The disk is gone")

    models = small(tmp_path)
    first = site.build(silver.everything(), models=models)
    held, base = gold(first), site.release(first)
    state, before = warehouse.read_state(base), silver.snapshot
    since = silver.since(before, [silver.add(LINES[60:])])

    with pytest.raises(StorageError, match="disk is gone"):
        site.build(since, base=base, models=models, in_place=True, look=refuse)
    assert (gold(first, base), warehouse.read_state(base)) == (held, state)

    second = site.build(since, base=base, models=models, in_place=True)
    assert (second.database, status(second)["lines"]) == (base, "appended")
    assert gold(second) == gold(site.build(silver.everything(), models=models))


@pytest.mark.parametrize(
    "reading",
    [partial(open_elsewhere, read_only=True), partial(warehouse.opened, read_only=True)],
    ids=["another process", "this process"],
)
def test_a_build_works_on_a_copy_where_somebody_reads_the_warehouse_or_a_model_is_made_from_nothing(
    site: Site, tmp_path: Path, silver: Silver, reading: Callable[[Path], AbstractContextManager[object]]
) -> None:
    models = small(tmp_path)
    base = site.release(site.build(silver.everything(), models=models))
    before, file = silver.snapshot, silver.add(LINES[60:])
    content = base.read_bytes()

    with reading(base):
        read = site.build(silver.since(before, [file]), base=base, models=models, in_place=True)
    anew = site.build(silver.everything(), base=base, models=models, in_place=True)

    assert {read.database, anew.database} == {site.cache / "building.duckdb"}
    assert base.read_bytes() == content


def test_a_test_of_a_model_to_which_rows_come_is_compiled_once(site: Site, tmp_path: Path, silver: Silver) -> None:
    tested = "{version: 2, models: [{name: lines, columns: [{name: quantity, data_tests: [not_null]}]}]}"
    models = models_in(small(tmp_path), {"star/schema.yml": tested})

    site.build(silver.everything(), models=models)

    program = Program.from_json((site.cache / "dbt" / "program.json").read_text())
    (test,) = program.graph.tests
    assert program.sql[test.id].more is None
    assert [id for id, one in program.sql.items() if one.more is not None] == ["model.small.lines"]


def test_with_nothing_new_everything_is_kept_and_nothing_changed(site: Site, tmp_path: Path, silver: Silver) -> None:
    models = small(tmp_path)
    first = site.build(silver.everything(), models=models)
    silver.snapshot += 1  # a commit that brought no row
    second = site.build(silver.since(silver.snapshot - 1, []), base=site.release(first), models=models)
    assert set(status(second).values()) == {"kept"}
    assert not any(model.changed or model.new_rows for model in second.models)
    assert second.tests == ()
    assert [model.content_hash for model in second.models] == [model.content_hash for model in first.models]


def test_removed_rows_rebuild_what_reads_them(site: Site, tmp_path: Path, silver: Silver) -> None:
    models = small(tmp_path)
    gone = silver.add(LINES[60:])
    first = site.build(silver.everything(), models=models)
    silver.take_back(gone)
    second = site.build(silver.everything(), base=site.release(first), models=models)
    assert status(second) == {"lines": "built", "other": "kept", "total": "built"}
    assert next(model for model in second.models if model.name == "lines").rows == 60


def test_changed_code_rebuilds_the_model_and_what_reads_it(site: Site, tmp_path: Path, silver: Silver) -> None:
    first = site.build(silver.everything(), models=small(tmp_path))
    edited = small(tmp_path, lines=LINES_MODEL.replace("quantity\n", "2 * quantity as quantity\n"))
    second = site.build(silver.everything(), base=site.release(first), models=edited)
    assert status(second) == {"lines": "built", "other": "kept", "total": "built"}
    assert gold(second)["total"] == [(2 * sum(line.quantity for line in LINES[:60]),)]


def test_a_changed_macro_rebuilds_the_models_that_call_it(site: Site, tmp_path: Path, silver: Silver) -> None:
    models = small(tmp_path, other="select {{ answer() }} as one")
    (models / "macros").mkdir()
    (models / "macros" / "answer.sql").write_text("{% macro answer() %}41{% endmacro %}")
    first = site.build(silver.everything(), models=models)
    (models / "macros" / "answer.sql").write_text("{% macro answer() %}42{% endmacro %}")
    second = site.build(silver.everything(), base=site.release(first), models=models)
    assert status(second) == {"lines": "kept", "other": "built", "total": "kept"}
    assert gold(second)["other"] == [(42,)]


def test_a_description_is_not_code(site: Site, tmp_path: Path, silver: Silver) -> None:
    models = small(tmp_path)
    first = site.build(silver.everything(), models=models)
    (models / "star" / "doc.yml").write_text(
        "models: [{name: other, description: One., columns: [{name: one, description: Always 1.}]}]"
    )
    second = site.build(silver.everything(), base=site.release(first), models=models)
    other = next(model for model in second.models if model.name == "other")
    assert set(status(second).values()) == {"kept"}
    assert (other.description, other.columns[0].description) == ("One.", "Always 1.")


def test_a_rebuilt_table_of_the_same_rows_did_not_change(site: Site, tmp_path: Path, silver: Silver) -> None:
    first = site.build(silver.everything(), models=small(tmp_path))
    second = site.build(
        silver.everything(), base=site.release(first), models=small(tmp_path, other="select 2 - 1 as one")
    )
    other = next(model for model in second.models if model.name == "other")
    assert (str(other.status), other.changed) == ("built", False)


def test_a_model_that_left_the_project_leaves_gold(site: Site, tmp_path: Path, silver: Silver) -> None:
    models = small(tmp_path)
    first = site.build(silver.everything(), models=models)
    (models / "star" / "other.sql").unlink()
    second = site.build(silver.everything(), base=site.release(first), models=models)
    assert set(status(second)) == {"lines", "total"}
    with warehouse.opened(second.database, read_only=True) as connection:
        assert set(warehouse.relations(connection)) == {"gold.lines", "gold.total"}


@pytest.mark.parametrize("content", [b"", b"damaged"])
def test_a_damaged_base_is_left_aside_and_all_is_built_from_silver(
    site: Site, tmp_path: Path, silver: Silver, content: bytes
) -> None:
    first = site.build(silver.everything(), models=small(tmp_path))
    expected, base = gold(first), site.release(first)
    base.write_bytes(content)
    second = site.build(silver.since(silver.snapshot, []), base=base, models=small(tmp_path))
    assert set(status(second).values()) == {"built"}
    assert gold(second) == expected


def test_a_base_of_other_versions_is_left_aside(
    site: Site, tmp_path: Path, silver: Silver, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = site.build(silver.everything(), models=small(tmp_path))
    monkeypatch.setattr("penstock.transform.build.engine", lambda: "a newer one")
    second = site.build(silver.everything(), base=site.release(first), models=small(tmp_path))
    assert set(status(second).values()) == {"built"}


def test_a_model_that_fails_is_named_with_file_reason_and_compiled_sql(
    site: Site, tmp_path: Path, silver: Silver
) -> None:
    models = small(tmp_path, lines=LINES_MODEL.replace("quantity", "amount"))
    with pytest.raises(TransformFailed) as failure:
        site.build(silver.everything(), models=models)
    assert failure.value.what == "The model `lines` did not build"
    assert failure.value.where == str(models / "star" / "lines.sql")
    assert str(failure.value.found).startswith('Binder Error: Referenced column "amount" not found')
    assert str(failure.value.found).splitlines()[-1].strip("^ ") == ""  # a mark below the line above it
    assert "1 model after it was not tried" in str(failure.value)
    compiled = Path(str(failure.value.remedy).split("compiled SQL is ")[1].rstrip("."))
    assert "amount" in compiled.read_text()


def test_a_failed_build_leaves_its_base_alone_and_the_next_one_starts_from_it(
    site: Site, tmp_path: Path, silver: Silver
) -> None:
    base = site.release(site.build(silver.everything(), models=small(tmp_path)))
    before, content, file = silver.snapshot, base.read_bytes(), silver.add(LINES[60:])
    with pytest.raises(TransformFailed):
        site.build(silver.since(before, [file]), base=base, models=small(tmp_path, total="select nothing"))
    assert base.read_bytes() == content
    second = site.build(silver.since(before, [file]), base=base, models=small(tmp_path))
    assert status(second) == {"lines": "appended", "other": "kept", "total": "built"}
    assert gold(second)["total"] == [(sum(line.quantity for line in LINES),)]


def test_a_silver_file_that_is_gone_is_an_error_of_the_disk(site: Site, tmp_path: Path, silver: Silver) -> None:
    Path(silver.files[0].path).unlink()
    with pytest.raises(StorageError, match=r"The disk refused .*1\.parquet"):
        site.build(silver.everything(), models=small(tmp_path))


def test_a_model_the_disk_fails_is_an_error_of_the_disk_that_names_the_model(
    site: Site, tmp_path: Path, silver: Silver
) -> None:
    models = small(tmp_path, other=f"select * from read_parquet('{tmp_path}/gone.parquet')")
    with pytest.raises(StorageError, match="The disk refused while the model `other` was built"):
        site.build(silver.everything(), models=models)


def test_a_seed_and_an_ephemeral_model_carry_their_changes_to_who_reads_them(
    site: Site, tmp_path: Path, silver: Silver
) -> None:
    between = "{{ config(materialized='ephemeral') }} select n from {{ ref('numbers') }}"
    models = small(tmp_path, between=between, other="select cast(sum(n) as bigint) as n from {{ ref('between') }}")
    (models / "seeds").mkdir()
    (models / "seeds" / "numbers.csv").write_text("n\n1\n2\n")
    base = site.release(site.build(silver.everything(), models=models))
    (models / "seeds" / "numbers.csv").write_text("n\n1\n4\n")
    second = site.build(silver.everything(), base=base, models=models)
    assert status(second) == {"lines": "kept", "numbers": "built", "other": "built", "total": "kept"}
    assert gold(second)["other"] == [(5,)]


def test_a_failing_test_is_a_result_that_names_its_rows_and_hides_no_other(
    site: Site, tmp_path: Path, silver: Silver
) -> None:
    models = small(tmp_path)
    (models / "star" / "tests.yml").write_text("""
models:
  - name: lines
    data_tests: [{holds: {name: nothing_came_back, arguments: {expression: quantity > 0}}}]
    columns: [{name: source_line, data_tests: [{unique: {config: {severity: warn}}}, not_null]}]
""")
    build = site.build(silver.everything(), models=models)
    back = [line for line in LINES[:60] if line.quantity <= 0]
    failed, warned, passed = build.tests
    assert (failed.name, failed.model, failed.status) == ("nothing_came_back", "gold.lines", TestStatus.FAIL)
    assert failed.failures == len(back) > 0
    assert len(failed.sample) == min(5, len(back))
    assert {row["quantity"] for row in failed.sample} <= {str(line.quantity) for line in back}
    assert failed.sql.count("quantity > 0") == 1
    assert (warned.column, warned.status, warned.severity) == ("source_line", TestStatus.WARN, "warn")
    assert passed.status is TestStatus.PASS
    assert build.failed_tests == (failed,)


def test_a_test_that_cannot_be_asked_blocks_like_one_that_fails(site: Site, tmp_path: Path, silver: Silver) -> None:
    models = small(tmp_path)
    (models / "tests").mkdir()
    (models / "tests" / "wrong.sql").write_text("select missing from {{ ref('total') }}")
    build = site.build(silver.everything(), models=models)
    assert [(test.name, test.status) for test in build.failed_tests] == [("wrong", TestStatus.ERROR)]
    assert "missing" in build.failed_tests[0].message


def test_a_changed_test_is_asked_again_though_its_model_is_kept(site: Site, tmp_path: Path, silver: Silver) -> None:
    models = small(tmp_path)
    (models / "tests").mkdir()
    (models / "tests" / "none.sql").write_text("select 1 from {{ ref('total') }} where false")
    first = site.build(silver.everything(), models=models)
    (models / "tests" / "none.sql").write_text("select 1 from {{ ref('total') }}")
    second = site.build(silver.everything(), base=site.release(first), models=models)
    assert set(status(second).values()) == {"kept"}
    assert [test.name for test in second.failed_tests] == ["none"]


def test_models_dbt_cannot_read_are_a_wrong_declaration_with_its_file(
    site: Site, tmp_path: Path, silver: Silver
) -> None:
    models = small(tmp_path, total="select * from {{ ref('lins') }}")
    with pytest.raises(DeclarationError, match=r"(?s)total.*depends on a node named 'lins' which was not found"):
        site.build(silver.everything(), models=models)
    models = small(tmp_path, total="{% if %}")
    with pytest.raises(DeclarationError) as wrong:
        site.build(silver.everything(), models=models)
    assert wrong.value.exit_code == 2
    assert "total.sql" in str(wrong.value)


def test_a_source_the_project_does_not_have_is_refused_with_the_nearest_name(
    site: Site, tmp_path: Path, silver: Silver
) -> None:
    models = small(tmp_path)
    inputs = {"order_line": silver.everything()["order_lines"]}
    with pytest.raises(DeclarationError) as wrong:
        site.build(inputs, models=models)
    assert [problem.remedy for problem in wrong.value.problems] == ["Did you mean `order_line`?"]


def test_what_is_described_or_tested_and_is_no_model_is_refused_with_the_nearest_name(
    site: Site, tmp_path: Path, silver: Silver
) -> None:
    models = small(tmp_path, total_2="{{ config(enabled=false) }} select 1 as one")
    described = "models:\n  - {name: totals}\n  - {name: total_2, columns: [{name: one, data_tests: [unique]}]}\n"
    (models / "star" / "schema.yml").write_text(described)
    (models / "tests").mkdir()
    (models / "tests" / "none.sql").write_text("select 1 as one\nfrom {{ ref('othr') }}")
    with pytest.raises(DeclarationError) as wrong:
        site.build(silver.everything(), models=models)
    assert [(Path(str(p.where)).name, p.remedy) for p in wrong.value.problems] == [
        ("schema.yml:2", "Did you mean `total`? Correct the name, or take it out."),
        ("none.sql:2", "Did you mean `other`? Correct the name, or take it out."),
    ]
    (models / "tests" / "none.sql").unlink()
    (models / "star" / "schema.yml").write_text(described.replace("totals", "total"))
    assert site.build(silver.everything(), models=models).failed_tests == ()


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("select cast(1 as hugeint) as x", "`x` has a type that cannot be released .* found HUGEINT"),
        ("select _batch from {{ source('silver', 'order_lines') }}", "`_batch` tells how files arrived"),
    ],
)
def test_gold_that_cannot_or_must_not_be_released_is_refused(
    site: Site, tmp_path: Path, silver: Silver, sql: str, says: str
) -> None:
    with pytest.raises(TransformFailed, match=says):
        site.build(silver.everything(), models=small(tmp_path, other=sql))


def test_an_append_model_with_hooks_is_refused(site: Site, tmp_path: Path, silver: Silver) -> None:
    hook = "'append', post_hook='delete from {{ this }}')"
    models = small(tmp_path, lines=LINES_MODEL.replace("'append')", hook))
    with pytest.raises(DeclarationError) as wrong:
        site.build(silver.everything(), models=models)
    assert [problem.where for problem in wrong.value.problems] == [str(models / "star" / "lines.sql")]


def test_a_project_without_models_has_an_empty_gold(site: Site, silver: Silver) -> None:
    build = site.build(silver.everything(), models=None)
    assert (build.models, build.tests) == ((), ())
    assert warehouse.read_state(build.database) is not None


def test_a_build_writes_nothing_into_the_project_or_the_home_folder(
    site: Site, tmp_path: Path, silver: Silver, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, models = tmp_path / "home", small(tmp_path)
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("DBT_FULL_REFRESH", "1")  # a setting of the user's shell is not ours
    before = sorted(models.rglob("*"))
    site.build(silver.everything(), models=models)
    assert sorted(models.rglob("*")) == before
    assert list(home.iterdir()) == []
    assert os.environ["DBT_FULL_REFRESH"] == "1"


def test_a_build_says_nothing_on_the_terminal_and_logs_to_a_file(
    site: Site, tmp_path: Path, silver: Silver, capfd: pytest.CaptureFixture[str]
) -> None:
    site.build(silver.everything(), models=small(tmp_path))
    assert capfd.readouterr() == ("", "")
    assert "silver" in (site.cache / "log" / "dbt.log").read_text()


def test_undescribed_columns_and_untested_models_are_found(site: Site, tmp_path: Path, silver: Silver) -> None:
    build = site.build(silver.everything(), models=small(tmp_path))
    problems = [problem.what for problem in check_documented(build)]
    assert "The model `other` is not described" in problems
    assert "Column `one` of the model `other` is not described" in problems
    assert "The model `other` has no test" in problems


def test_the_documentation_is_a_page_that_needs_no_server(site: Site, tmp_path: Path, silver: Silver) -> None:
    place = site.release(site.build(silver.everything()))
    before = place.read_bytes()
    written = generate_docs(project(), warehouse=place, folder=tmp_path / "docs", log=tmp_path / "log")
    assert [path.name for path in written] == ["index.html", "manifest.json", "catalog.json"]
    assert "First day of the month of the first purchase" in written[0].read_text()
    assert place.read_bytes() == before


def test_a_project_without_models_has_none_to_document(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no models"):
        generate_docs(project(None), warehouse=tmp_path / "x", folder=tmp_path / "docs", log=tmp_path)


def test_unchanged_models_are_built_without_dbt(
    site: Site, tmp_path: Path, silver: Silver, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = small(tmp_path)
    first = site.build(silver.everything(), models=models)
    monkeypatch.setattr("penstock.transform.dbt_engine.Dbt", None)
    before, file = silver.snapshot, silver.add(LINES[60:])
    second = site.build(silver.since(before, [file]), base=site.release(first), models=models)
    assert gold(second)["total"] == [(sum(line.quantity for line in LINES),)]
    (models / "star" / "other.sql").write_text("select 2 as one")
    with pytest.raises(TypeError):
        site.build(silver.everything(), models=models)


@pytest.mark.parametrize(
    "sql",
    [
        "{% set found = run_query('select 41 + 1 as n') %}select cast({{ found.rows[0][0] if found else 0 }} as int) as n",
        "{{ config(pre_hook='create table warehouse.gold.mine as select 42 as n') }} select n from warehouse.gold.mine",
        "select {{ env_var('ANSWER', '42') }} as n",
    ],
)
def test_a_model_that_is_more_than_sql_is_run_by_dbt(site: Site, tmp_path: Path, silver: Silver, sql: str) -> None:
    build = site.build(silver.everything(), models=small(tmp_path, other=sql))
    assert gold(build)["other"] == [(42,)]
