"""What a project must say of its metrics, and how mistakes are told."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any

import duckdb
import pytest
from jinja2 import Environment

from penstock.errors import DeclarationError
from penstock.metrics import metricflow
from penstock.metrics.declaration import fingerprint_of
from penstock.metrics.metric import Metrics
from penstock.metrics.metricflow import Compiler, compile_metrics
from penstock.metrics.query import check_metrics


def only(manifest: str, *names: str) -> dict[str, Any]:
    """The manifest with these metrics alone."""
    value: dict[str, Any] = json.loads(manifest)
    value["metrics"] = [metric for metric in value["metrics"] if metric["name"] in names]
    return value


def problems(manifest: dict[str, Any]) -> list[str]:
    with pytest.raises(DeclarationError) as raised:
        compile_metrics(json.dumps(manifest))
    return [str(problem) for problem in raised.value.problems]


def test_unit_owner_and_days_until_final_are_part_of_a_metric(manifest: str) -> None:
    declared = only(manifest, "fees", "loans")
    declared["metrics"][0]["config"]["meta"] = {"unit": "pounds"}
    declared["metrics"][1]["description"] = None
    found = problems(declared)
    assert [problem.split(" lacks ")[1].split(" (")[0].split(".")[0] for problem in found] == [
        "an owner",
        "a number of days after which it is final",
        "a description",
    ]


def test_a_model_that_is_not_released_is_named(manifest: str) -> None:
    declared = only(manifest, "fees")
    for model in declared["semantic_models"]:
        relation = model["node_relation"]
        relation["relation_name"] = relation["relation_name"].replace('"gold"', '"staging"')
    assert "found staging." in problems(declared)[0]


def test_a_metric_that_metricflow_refuses_is_named_with_its_reason(manifest: str) -> None:
    declared = only(manifest, "fees")
    declared["metrics"][0]["filter"] = {"where_filters": [{"where_sql_template": "{{ Dimension('loan__moon') }}"}]}
    (problem,) = problems(declared)
    assert "`fees`" in problem
    assert "moon" in problem or "available group-by-items" in problem


def test_columns_that_the_models_lack_are_found_before_a_release(metrics: Metrics) -> None:
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA gold; CREATE TABLE gold.shelf (count_id INT)")
    with pytest.raises(DeclarationError) as raised:
        check_metrics(connection, Metrics("", {"level": metrics.metrics["level"]}))
    assert "`level` does not fit the models" in str(raised.value.problems[0])


def test_the_fingerprint_is_of_what_is_said_and_not_of_where(manifest: str) -> None:
    moved: dict[str, Any] = json.loads(manifest)
    moved["metrics"][0]["metadata"] = {"repo_file_path": "elsewhere.yml"}
    changed: dict[str, Any] = json.loads(manifest)
    changed["metrics"][0]["description"] = "Another."
    assert fingerprint_of(json.dumps(moved)) == fingerprint_of(manifest)
    assert fingerprint_of(json.dumps(changed)) != fingerprint_of(manifest)


def test_a_metric_is_kept_and_read_back_whole(metrics: Metrics) -> None:
    kept = json.loads(json.dumps(metrics.as_record()))
    assert Metrics.from_record(metrics.fingerprint, kept) == metrics


def test_the_key_of_a_metric_that_is_filtered_on_is_no_dimension(metrics: Metrics) -> None:
    names = {dimension.name for dimension in metrics.metrics["fees_of_regulars"].dimensions}
    assert "member" not in names
    assert {"member__town", "loan__branch"} <= names


def test_periods_that_follow_from_shorter_ones_are_those_that_metricflow_compiles(
    manifest: str, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Compiler, "is_plain", lambda *_: False)  # now nothing follows, and all is compiled

    compiled = compile_metrics(manifest).metrics
    assert {name: one.templates for name, one in compiled.items()} == {
        name: one.templates for name, one in metrics.metrics.items()
    }


def test_metricflow_gives_the_same_when_it_does_nothing_twice(manifest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    declared = json.dumps(only(manifest, "fees"))
    quick = compile_metrics(declared)

    monkeypatch.setattr(metricflow, "_nothing_twice", nullcontext)

    assert compile_metrics(declared) == quick


def test_a_filter_is_compiled_once(manifest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[type, str]] = []
    before, parse = Environment.compile, Environment._parse

    def noted(own: Environment, text: str, *rest: Any) -> Any:
        read.append((type(own), text))
        return parse(own, text, *rest)

    monkeypatch.setattr(Environment, "_parse", noted)

    compile_metrics(json.dumps(only(manifest, "fees")))

    assert len(read) == len({*read}) > 0
    assert Environment.compile is before  # others in this process have theirs


def test_the_dimension_of_the_unit_is_one_of_the_metric(manifest: str) -> None:
    declared = only(manifest, "fees")
    meta = declared["metrics"][0]["config"]["meta"]
    meta["unit_dimension"] = "branch"
    assert compile_metrics(json.dumps(declared)).metrics["fees"].unit_dimension == "loan__branch"
    meta["unit_dimension"] = "currency"
    (problem,) = problems(declared)
    assert "does not have the dimension that tells its unit" in problem
    assert "found currency" in problem
    assert "loan__branch" in problem
