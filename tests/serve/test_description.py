"""The API describes itself: by declarations and types, in OpenAPI 3.1, with examples that are right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from penstock.serve.app import make_app
from penstock.serve.site import Current
from tests.serve.asgi_client import Client
from tests.serve.lending import Library


@pytest.fixture(scope="module")
def described(client: Client) -> Any:
    return json.loads(client.get("/openapi.json").body)


def schema(described: Any, name: str) -> Any:
    return {"$ref": f"#/components/schemas/{name}", "components": described["components"]}


def test_every_path_is_described_once(described: Any) -> None:
    assert sorted(described["paths"]) == [
        "/",
        *("/books", "/books/{id}", "/books/{id}/loans", "/definitions", "/definitions/{name}", "/health"),
        *("/members", "/members/{id}", "/metrics/{name}", "/releases"),
    ]
    operations = [one["get"]["operationId"] for one in described["paths"].values()]
    assert len(set(operations)) == len(operations)
    assert (described["openapi"], described["info"]["title"]) == ("3.1.0", "library")


def test_the_landing_document_lists_what_is_described(client: Client, described: Any) -> None:
    landing = client.get("/").json
    assert (landing["project"], landing["release"], landing["openapi"]) == ("library", 1, "/openapi.json")
    assert {one["path"]: one["summary"] for one in landing["paths"]} == {
        path: methods["get"]["summary"] for path, methods in described["paths"].items()
    }


@pytest.mark.parametrize("path", ["/", "/openapi.json"])
def test_a_description_of_other_paths_has_another_tag(library: Library, path: str) -> None:
    """Live tables and metrics come and go without a release."""
    with_metrics, without = library.client(), Client(make_app(Current(library.store), library.folder))
    tag = {"If-None-Match": with_metrics.get(path).headers["etag"]}
    assert (with_metrics.get(path, headers=tag).status, without.get(path, headers=tag).status) == (304, 200)


def test_every_reference_leads_somewhere(described: Any) -> None:
    for reference in references(described):
        assert reference.removeprefix("#/components/schemas/") in described["components"]["schemas"]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref")
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/books", "books_page"),
        ("/books/a", "books"),
        ("/books/c", "books"),
        ("/books/a/loans", "books_loans_page"),
        ("/members", "members_page"),
        ("/books/x", "problem"),
        ("/books?limit=x", "problem"),
        ("/", "Landing"),
        ("/health", "Health"),
        ("/releases", "Releases"),
        ("/definitions", "Definitions"),
        ("/definitions/fees", "Definition"),
        ("/metrics/fees", "Values"),
        ("/metrics/fees?grain=day&by=branch", "Values"),
        ("/metrics/fees?grain=week", "problem"),
    ],
)
def test_answers_are_as_described(client: Client, described: Any, path: str, name: str) -> None:
    jsonschema.validate(json.loads(client.get(path).body), schema(described, name))


def test_examples_are_right_by_their_own_schema(described: Any) -> None:
    for name, held in described["components"]["schemas"].items():
        for example in held.get("examples", ()):
            jsonschema.validate(example, schema(described, name))


def test_a_declared_example_is_shown_and_the_rest_is_the_first_row(described: Any) -> None:
    (example,) = described["components"]["schemas"]["books"]["examples"]

    assert (example["isbn"], example["pages"], example["price"], example["title"]) == ("9780441172719", 412, 9.9, None)
    assert (example["lent"], example["bought_on"]) == (False, "2024-01-03")


def test_the_example_of_a_table_without_rows_is_made_up_by_type(library: Library) -> None:
    library.table("loans", "loan BIGINT, isbn VARCHAR, member VARCHAR", "(1, 'a', 'm')")
    library.connection.execute("DELETE FROM gold.loans")
    library.release()

    schemas = library.client().get("/openapi.json").json["components"]["schemas"]

    assert schemas["books_loans"]["examples"] == [{"loan": 1, "member": "text"}]


def test_what_the_examples_ask_is_found(client: Client, described: Any) -> None:
    for path, methods in described["paths"].items():
        parameters = [one for one in methods["get"].get("parameters", ()) if "example" in one]
        for one in parameters:
            if one["in"] == "query" and "{" not in path:
                example = str(one["example"]).lower() if isinstance(one["example"], bool) else one["example"]
                assert client.get(path, {one["name"]: example}).json["total"] > 0, (path, one)
    assert {one["name"] for one in described["paths"]["/members"]["get"]["parameters"] if "example" in one} == {
        "branch"
    }
    (row,) = described["paths"]["/members/{id}"]["get"]["parameters"]
    assert client.get(f"/members/{row['example']}").status == 200


def test_columns_carry_their_type_and_meaning(described: Any) -> None:
    properties = described["components"]["schemas"]["books"]["properties"]

    assert properties["isbn"] == {"type": "string", "description": "The isbn."}
    assert properties["pages"] == {"type": ["integer", "null"], "format": "int64", "description": "The pages."}
    assert properties["seen_at"]["format"] == "date-time"


def test_parameters_carry_their_type(described: Any) -> None:
    parameters = {one["name"]: one["schema"] for one in described["paths"]["/books"]["get"]["parameters"]}

    assert parameters["limit"] == {"type": "integer", "minimum": 1, "maximum": 50, "default": 50}
    assert parameters["bought_on_min"] == {"type": "string", "format": "date"}
    assert parameters["lent"] == {"type": "boolean"}


def test_every_described_parameter_is_known_and_every_described_status_is_given(client: Client, described: Any) -> None:
    for path, methods in described["paths"].items():
        for parameter in methods["get"].get("parameters", ()):
            if parameter["in"] == "query":
                answer = client.get(path.format(id="a", name="fees"), {parameter["name"]: "%"})
                named = [error["parameter"] for error in answer.json.get("errors", [])]
                assert (answer.status, named) in ((422, [parameter["name"]]), (200, [])), (path, parameter)
        assert {"200", "422"} <= set(methods["get"]["responses"])
