"""The reference of the format lists what the loader reads."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from penstock.spec import contract_keys
from penstock.spec.document import Entries, Items, Node
from penstock.spec.problems import Problems
from penstock.spec.reference import ReferenceFile, project_reference
from penstock.spec.shape import Many, Section
from penstock.spec.yaml_file import parse_document
from tests.spec.lending_library import CHECKS, ENDPOINTS, LOANS, PROJECT, SOURCE, STREAMS, Library

ROOT = Path(__file__).parents[2]


def reference(files: str) -> ReferenceFile:
    return next(file for file in project_reference() if file.files == files)


def paths(node: Node, prefix: str = "") -> set[str]:
    """Every path of a file, in the words of the reference."""
    if isinstance(node, Items):
        return {path for item in node.items for path in paths(item, f"{prefix}[]")}
    if not isinstance(node, Entries):
        return set()
    below = {path for key, child in node.entries.items() for path in paths(child, f"{prefix}.{key}" if prefix else key)}
    return below | {f"{prefix}.{key}" if prefix else key for key in node.entries}


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ("penstock.yml", PROJECT),
        ("sources/*.yml", SOURCE),
        ("checks/*.yml", CHECKS),
        ("endpoints/*.yml", ENDPOINTS),
        ("streams/*.yml", STREAMS),
    ],
)
def test_every_key_of_a_right_file_is_listed(files: str, text: str) -> None:
    root = parse_document(text.encode(), files, Problems())
    assert root is not None
    listed = {key.path for key in reference(files).keys}

    own_words = ("reading.columns.", "endpoints[].example.", "topologies[].steps[].derive.")
    below = (".on.", ".aggregates.", "join.columns.", "lookup.columns.")
    named = {path for path in paths(root) if not path.startswith(own_words) and not any(word in path for word in below)}
    assert named <= listed


def test_a_contract_lists_what_is_acted_upon_and_our_extensions() -> None:
    listed = {key.path for key in reference("contracts/*.yml").keys}

    assert {
        "schema[].properties[].logicalTypeOptions.exclusiveMaximum",
        "schema[].customProperties penstock.dedupe.horizon",
        "schema[].properties[].customProperties penstock.aliases",
    } <= listed
    root = parse_document(LOANS.encode(), "loans.yml", Problems())
    assert root is not None
    unlisted = {path for path in paths(root) - listed if "customProperties[].value." not in path}
    assert unlisted == {"status", "team.name"}  # documentation, and told with `team`


def test_every_key_has_a_type_and_a_sentence_and_defaults_as_one_writes_them() -> None:
    keys = {f"{file.files} {key.path}": key for file in project_reference() for key in file.keys}

    assert all(key.type and key.description.strip().endswith(".") for key in keys.values())
    assert keys["penstock.yml retention.releases_for"].default == "P30D"
    assert keys["sources/*.yml csv.header"].default == "true"
    assert keys["sources/*.yml reading.null_values"].default == "['']"
    assert keys["sources/*.yml name"].required
    assert keys["checks/*.yml checks[].severity"].default == "error"


def test_every_key_read_from_a_contract_is_one_of_the_standard() -> None:
    spec = find_spec("open_data_contract_standard")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    schema = (Path(spec.submodule_search_locations[0]) / "schema.json").read_text()
    names = set(json.loads(schema)["properties"])
    for definition in json.loads(schema)["$defs"].values():
        names |= set(definition.get("properties", {})) | {"minLength", "maxLength", "pattern", "format", "minimum"}
    names |= {"maximum", "exclusiveMinimum", "exclusiveMaximum", "timezone", "defaultTimezone", "multipleOf"}
    names |= {"mustBe", "engine", "implementation", "purpose"}

    assert _names(contract_keys.CONTRACT) <= names


def _names(section: Section) -> set[str]:
    found = {key.name for key in section.keys}
    for key in section.keys:
        inner = key.type.of if isinstance(key.type, Many) else key.type
        if isinstance(inner, Section):
            found |= _names(inner)
    return found


def test_the_examples_of_a_new_project_are_a_right_project(tmp_path: Path) -> None:
    library = Library(tmp_path)
    for path in [
        *(tmp_path / "contracts").iterdir(),
        *(tmp_path / "sources").iterdir(),
        tmp_path / "checks/loans.yml",
        tmp_path / "streams/desk.yml",
    ]:
        path.unlink()
    template = ROOT / "projects" / "empty"
    library.write("penstock.yml", (template / "penstock.yml").read_bytes())
    for folder in ("contracts", "sources", "checks"):
        (example,) = (template / folder / "README.md").read_text().split("```yaml\n")[1:]
        library.write(f"{folder}/loans.yml", example.split("```")[0])

    project = library.load()

    assert (list(project.contracts), list(project.sources), len(project.checks)) == (["loans"], ["loans"], 2)
