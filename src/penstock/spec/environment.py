"""Environment variables inside declared paths: `${NAME}` and `${NAME:-what stands for it when it is not set}`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from penstock.spec.document import Place
from penstock.spec.problems import Problems

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|\$\$|\$")


def expand(text: str, environment: Mapping[str, str], place: Place, problems: Problems) -> str | None:
    """The text with its variables replaced; `$$` is one `$`. None after a problem was recorded.

    >>> expand("${DROP:-data}/*.csv", {}, Place("sources/loans.yml"), Problems())
    'data/*.csv'
    """
    before = len(problems)

    def value(match: re.Match[str]) -> str:
        if match.group() == "$$":
            return "$"
        name = match["name"]
        if name is None:
            problems.add(
                place,
                "A `$` does not begin a variable",
                expected="`${NAME}` or `${NAME:-default}`",
                found=f"`{text[match.start() : match.start() + 20]}`",
                remedy="Write `$$` for the character itself.",
            )
            return ""
        found = environment.get(name) or match["default"]
        if not found:
            problems.add(
                place,
                f"The environment variable {name} is not set",
                expected="a value",
                remedy=f"Set {name}, or give a default: `${{{name}:-folder}}`.",
            )
            return ""
        return found

    expanded = _VARIABLE.sub(value, text)
    return expanded if len(problems) == before else None
