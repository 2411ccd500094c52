"""The engine's macros without dbt: rendered by Jinja, with the few words of dbt that they use."""

from __future__ import annotations

from functools import cache

import jinja2

from penstock.transform.workspace import ENGINE_MACROS


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(extensions=["jinja2.ext.do"], undefined=jinja2.StrictUndefined)


@cache
def _macros() -> str:
    files = [ENGINE_MACROS / "incremental.sql", *sorted(ENGINE_MACROS.glob("vault*.sql"))]
    return "".join(path.read_text(encoding="utf-8") for path in files)


class _Exceptions:
    """dbt's `exceptions`."""

    @staticmethod
    def raise_compiler_error(message: str) -> None:
        raise jinja2.TemplateRuntimeError(message)


@cache
def render(call: str, *, this: str = "", incremental: bool = False) -> str:
    """The SQL of a model whose text is `{{ call }}`; a relation is written as a text in the call."""
    template = _environment().from_string(_macros() + "{{ " + call + " }}")
    words = {"config": lambda **_: "", "is_incremental": lambda: incremental, "this": this, "exceptions": _Exceptions}
    return template.render(words).strip()
