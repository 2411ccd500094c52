"""Write the reference pages that are made from the product itself (`make docs`); `check_docs` holds them to it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from typing import Any

from tools.finding import ROOT

MADE = "<!-- Made by `make docs`: do not edit. -->\n\n"
COMMAND_LINE_INTRO = """# Command line

Every command that reports something takes `--json` and then prints one JSON document on standard output (`topics peek` and
`topics tail` always do, `tail` one for each row); progress and messages go to standard error. Exit codes: 0 everything is fine; 1 the data, the gate or an operation failed; 2 the
command or a declaration is wrong. A user's mistake is one sentence, never a traceback.
"""

PROJECT_INTRO = """# Project format

A project is a folder. `penstock.yml` makes it one; `contracts/`, `sources/`, `checks/` and `endpoints/` hold YAML files
in UTF-8, `models/` a dbt project; each folder may be missing. YAML is read by the rules of version 1.2: only `true` and
`false` are flags, so `NO` is a country. `penstock validate` reports every mistake at once, each with file, line and column,
what was expected, what was found and what to do. `[]` stands for each entry of a list.
"""


def command_tree() -> Any:
    """The root command as Typer sees it: `.commands` on groups, `.params` on commands."""
    from typer.main import get_command

    return get_command(importlib.import_module("penstock.cli.commands").app)


def commands(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(full name without `penstock`, command) of everything that can be called, in the order of declaration."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def options(command: Any) -> Iterator[str]:
    """Every spelling of every option of a command."""
    for parameter in command.params:
        if parameter.param_type_name == "option":
            yield from (*parameter.opts, *parameter.secondary_opts)


def command_line() -> str:
    sections = (_command(name, command) for name, command in commands(command_tree()))
    return MADE + COMMAND_LINE_INTRO + "".join(sections)


def _command(name: str, command: Any) -> str:
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    flags = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    shown = "".join(f" {_named(one)}" if one.required else f" [{_named(one)}]" for one in arguments)
    text = (
        f"\n## penstock {name}\n\n{command.help.strip()}\n\n    penstock {name}{shown}{' [options]' if flags else ''}\n"
    )
    rows = [(f"`{_named(one)}`", one.help or "") for one in arguments]
    rows += [(f"`{_spelled(one)}`", _described(one)) for one in flags]
    table = "".join(f"| {left} | {right} |\n" for left, right in rows)
    return f"{text}\n| | |\n|---|---|\n{table}" if rows else text


def _named(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _spelled(option: Any) -> str:
    spelled = ", ".join((*sorted(option.opts, key=len), *option.secondary_opts))
    kind = "N" if option.type_descriptor.annotation is int else "TEXT"
    return spelled if option.is_flag else f"{spelled} {option.metavar or kind}"


def _described(option: Any) -> str:
    """The help of an option with its default, unless that says nothing or the help says it."""
    silent = option.default in (None, False) or str(option.default) == "."
    return option.help if silent or "[default" in option.help else f"{option.help} Default: `{option.default}`."


def project_format() -> str:
    from penstock.spec.reference import project_reference

    return MADE + PROJECT_INTRO + "".join(map(_file, project_reference()))


def _file(file: Any) -> str:
    refused = "Any other key is a mistake." if file.closed else "Every other key of the standard may be used."
    rows = "".join(
        f"| `{key.path}` | {_cell(key.type)} | {_needed(key)} | {_cell(key.description)} |\n" for key in file.keys
    )
    heading = f"\n## {file.title}: `{file.files}`\n\n{file.introduction}\n\n{refused}\n\n"
    return f"{heading}| key | type | default | meaning |\n|---|---|---|---|\n{rows}"


def _needed(key: Any) -> str:
    if key.required:
        return "required"
    return "" if key.default is None else f"`{key.default}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def pages() -> dict[str, str]:
    """Path below the repository -> content, of every page that is made."""
    return {"docs/reference/command-line.md": command_line(), "docs/reference/project.md": project_format()}


def main() -> int:
    for path, content in pages().items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(content, encoding="utf-8")
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
