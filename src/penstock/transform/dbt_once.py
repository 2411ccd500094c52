"""What dbt does over and over with the same text, done once.

dbt parses every macro three times, compiles it again for every node that calls it, and holds the same settings against
the same schema for every test. While a command is `at_work`, what stands here takes the place of those public methods.
What is handed out again is never changed: a tree that is compiled, which folds its constants, is handed out no more.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from dbt_common.clients.jinja import MacroFuzzEnvironment
from dbt_common.dataclass_schema import dbtClassMixin
from jinja2 import Environment


class Once:
    """What was parsed, compiled and found to be valid before; kept from one command to the next."""

    def __init__(self) -> None:
        self._trees: dict[Any, Any] = {}
        self._code: dict[Any, Any] = {}
        self._valid: set[Any] = set()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Inside, dbt does nothing of this twice."""
        parse, compile_anew = Environment.parse, Environment.compile
        validate = vars(dbtClassMixin)["validate"].__func__

        def parse_once(environment: Environment, source: str, *rest: Any) -> Any:
            key = _meaning(environment, source, rest)
            if key is None:
                return parse(environment, source, *rest)
            if key not in self._trees:
                self._trees[key] = parse(environment, source)
            return self._trees[key]

        def compile_once(environment: Environment, source: Any, *rest: Any, **named: Any) -> Any:
            key = _meaning(environment, source, (*rest, *named))
            if key is None:
                return compile_anew(environment, source, *rest, **named)
            if key not in self._code:
                self._code[key] = compile_anew(environment, self._trees.pop(key, source))
            return self._code[key]

        def validate_once(cls: type[dbtClassMixin], data: Any) -> None:
            try:
                key = cls, marshal.dumps(data, 2)  # which tells all plain values apart
            except ValueError:
                validate(cls, data)
            else:
                if key not in self._valid:
                    validate(cls, data)
                    self._valid.add(key)

        with ExitStack() as stack:
            _replace(stack, Environment, "parse", parse_once)
            _replace(stack, Environment, "compile", compile_once)
            _replace(stack, dbtClassMixin, "validate", classmethod(validate_once))
            yield


def _meaning(environment: Environment, source: Any, rest: tuple[Any, ...]) -> Any:
    """All that decides what a text becomes: it, how it is read, and by what; None where that is more."""
    if rest or type(source) is not str or not isinstance(environment, MacroFuzzEnvironment):
        return None
    return type(environment), environment.lexer, source


def _replace(stack: ExitStack, owner: type, name: str, value: Any) -> None:
    """Put something in the place of an attribute until the stack is left."""
    stack.callback(setattr, owner, name, vars(owner)[name])
    setattr(owner, name, value)
