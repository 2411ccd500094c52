"""YAML with places: what nodes mean, and every way in which a file can fail to be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import DeclarationError
from penstock.spec.document import Entries, Items, Node, Scalar, plain
from penstock.spec.problems import Problems
from penstock.spec.yaml_file import parse_document


def parsed(text: str | bytes) -> Node | None:
    problems = Problems()
    node = parse_document(text if isinstance(text, bytes) else text.encode(), "f.yml", problems)
    problems.raise_any("project")
    return node


def sentences(text: str | bytes) -> list[str]:
    with pytest.raises(DeclarationError) as raised:
        parsed(text)
    return [str(problem) for problem in raised.value.problems]


def test_every_node_and_key_knows_its_place() -> None:
    root = parsed("a: 1\nb:\n  - x\n  - {c: y}\n")

    assert isinstance(root, Entries)
    assert [str(place) for place in root.keys.values()] == ["f.yml:1:1", "f.yml:2:1"]
    items = root.get("b")
    assert isinstance(items, Items)
    assert [str(item.place) for item in items.items] == ["f.yml:3:5", "f.yml:4:5"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"), ("yes", "yes"), ("on", "on"), ("true", True), ("False", False), ("~", None), ("null", None),
        ("12", 12), ("-3", -3), ("0x1f", 31), ("0o17", 15), ("012", 12), ("1.50", 1.5), ("1e3", 1000.0), (".5", 0.5),
        ("12:30:45", "12:30:45"), ("2010-12-01", "2010-12-01"), ("1_000", "1_000"), ("'12'", "12"), ('"\\t"', "\t"),
        ("!!str 12", "12"), ("! 12", "12"), (".inf", float("inf")), ("9" * 400, "9" * 400), ("<<", "<<"),
    ],
)  # fmt: skip
def test_scalars_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    node = parsed(text)

    assert isinstance(node, Scalar)
    assert (node.value, type(node.value)) == (value, type(value))


def test_a_number_keeps_the_digits_it_was_written_with() -> None:
    node = parsed("0.10")

    assert isinstance(node, Scalar)
    assert node.text == "0.10"


def test_an_alias_stands_for_its_node() -> None:
    node = parsed("a: &x [1, 2]\nb: *x\n")

    assert node is not None
    assert plain(node) == {"a": [1, 2], "b": [1, 2]}


def test_a_byte_order_mark_and_windows_line_ends_are_fine() -> None:
    node = parsed(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")

    assert node is not None
    assert plain(node) == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "f.yml:1:1: The file is empty. Declare something in it, or delete it."),
        ("# nothing\n", "f.yml:1:1: The file is empty. Declare something in it, or delete it."),
        ("a:\n\t- 1\n", "f.yml:2:1: A tab is used for indentation: expected spaces, found a tab. Indent with spaces."),
        (
            "a: [1, 2\nb: 3\n",
            (
                "f.yml:2:2: The file is not valid YAML: found `b: 3`, while parsing a flow sequence did not find expected "
                "',' or ']'. Check indentation, quotes and brackets here and in the lines above."
            ),
        ),
        (
            "sql: SELECT a: b\n",
            (
                "f.yml:1:14: The file is not valid YAML: found `sql: SELECT a: b`, mapping values are not allowed in this "
                "context. Put text with a colon in quotes, or correct the indentation."
            ),
        ),
        (
            "files: *.csv\n",
            (
                "f.yml:1:9: The file is not valid YAML: found `files: *.csv`, while scanning an alias did not find expected "
                "alphabetic or numeric character. Put text that begins with `*` in quotes."
            ),
        ),
        ("a: 1\na: 2\n", "f.yml:2:1: The key `a` stands twice: found the first on line 1. Keep one of them."),
        ("? [1]\n: 2\n", "f.yml:1:3: A key is not text: found a list. Use a plain word."),
        ("a: !env X\n", "f.yml:1:4: Tags are not used in declarations: found `!env`. Remove it."),
        ("a: !x {}\n", "f.yml:1:4: Tags are not used in declarations: found `!x`. Remove it."),
        ("a: 1\n---\nb: 2\n", "f.yml:2:1: The file holds a second document. Keep one document in a file."),
        (
            "a: &x [*x]\n",
            "f.yml:1:8: The alias `*x` names no finished node above it. Define `&x` earlier in the file.",
        ),
        ("a: *y\n", "f.yml:1:4: The alias `*y` names no finished node above it. Define `&y` earlier in the file."),
        (
            b"a: 1\nb: caf\xe9\n",
            "f.yml:2:7: The file is not UTF-8: expected UTF-8 text, found byte 0xe9. Save the file as UTF-8.",
        ),
        (
            "a: x\x00y\n",
            (
                "f.yml:1:5: The file holds a character that YAML does not allow: found U+0000. Remove it, or write it as an "
                "escape in double quotes."
            ),
        ),
        ("[" * 60, "f.yml:1:51: The file is nested too deeply: expected 50 levels. Flatten it."),
        (
            b"#" * 1_048_577,
            (
                "f.yml:1:1: The file is too large for a declaration: expected at most 1,048,576 bytes, found 1,048,577 "
                "bytes. Keep data out of the folders of declarations."
            ),
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_a_sentence(text: str | bytes, sentence: str) -> None:
    assert sentences(text) == [sentence]


def test_aliases_that_multiply_are_refused() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 9)]

    assert "too large for a declaration: expected at most 100,000 values" in sentences("\n".join(lines))[0]


@given(st.binary(max_size=200) | st.text(alphabet="ab:-[]{}&*!|>'\"#%@,? \n\t", max_size=80).map(str.encode))
def test_no_bytes_raise_anything_but_problems(data: bytes) -> None:
    problems = Problems()

    node = parse_document(data, "f.yml", problems)

    assert node is not None or len(problems) > 0
