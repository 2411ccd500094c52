"""What dbt does over and over with the same text is done once, with the same result."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dbt.artifacts.resources.v1.model import ModelConfig
from dbt_common.clients.jinja import MacroFuzzEnvironment, get_environment, get_template, render_template
from dbt_common.dataclass_schema import ValidationError, dbtClassMixin
from jinja2 import Environment
from jinja2.nodes import Template
from jsonschema import Draft7Validator

from penstock.transform.dbt_once import Once

MACRO = "{{ amount ~ ' ' ~ 'EUR' }} {{ 'a' ~ 'b' }}"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Inside, dbt does nothing twice; the texts that are parsed all the same."""
    texts: list[str] = []
    parse = MacroFuzzEnvironment._parse

    def noted(own: MacroFuzzEnvironment, text: str, name: str | None, filename: str | None) -> Template:
        texts.append(text)
        return parse(own, text, name, filename)

    monkeypatch.setattr(MacroFuzzEnvironment, "_parse", noted)
    with Once().at_work():
        yield texts


def rendered(text: str, *, native: bool = False, **context: object) -> object:
    return render_template(get_template(text, context, native=native), context)


def test_a_macro_is_parsed_once_however_often_it_is_read_and_rendered(read: list[str]) -> None:
    for amount in (1, 2):
        get_environment(capture_macros=True).parse(MACRO)
        assert rendered(MACRO, amount=amount) == f"{amount} EUR ab"
    assert read.count(MACRO) == 2  # and once more where it was compiled: that folds the constants of a tree

    assert rendered(MACRO, amount=3) == "3 EUR ab"
    assert read.count(MACRO) == 2


@pytest.mark.usefixtures("read")
def test_a_tree_that_was_compiled_is_not_handed_out() -> None:
    fresh = get_environment().parse(MACRO)
    rendered(MACRO, amount=1)

    assert get_environment().parse(MACRO) is not fresh


@pytest.mark.usefixtures("read")
def test_a_text_means_something_else_where_values_are_native() -> None:
    assert rendered("{{ '1' | as_number }}") == "1"
    assert rendered("{{ '1' | as_number }}", native=True) == 1


def test_a_setting_is_held_against_its_schema_once(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[object] = []
    errors = Draft7Validator.iter_errors

    def noted(own: Draft7Validator, data: object) -> Iterator[object]:
        held.append(data)
        return errors(own, data)

    monkeypatch.setattr(Draft7Validator, "iter_errors", noted)

    with Once().at_work():
        for enabled in (True, True, False):
            ModelConfig.validate({"enabled": enabled})

    assert held == [{"enabled": True}, {"enabled": False}]


def test_a_setting_that_does_not_fit_is_refused_every_time() -> None:
    with Once().at_work():
        ModelConfig.validate({"enabled": True})
        for _ in range(2):
            with pytest.raises(ValidationError):
                ModelConfig.validate({"enabled": 1})


def test_others_in_this_process_have_theirs_again() -> None:
    def theirs() -> list[object]:
        return [vars(Environment)["parse"], vars(Environment)["compile"], vars(dbtClassMixin)["validate"]]

    def fail() -> None:
        with Once().at_work():
            assert theirs() != before
            raise ArithmeticError

    before = theirs()
    with pytest.raises(ArithmeticError):
        fail()

    assert theirs() == before
