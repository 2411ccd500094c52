"""The published JSON schema of the Open Data Contract Standard, with its errors told as sentences.

The schema comes from the package `open_data_contract_standard`, whose Python model is not used (it
accepts keys and values that the standard does not know). Source: https://bitol.io, ODCS v3.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema_rs

from penstock.errors import DeclarationError
from penstock.spec.document import Entries, Items, Node, Place, describe, plain, shortened
from penstock.spec.problems import Problems, did_you_mean, listed

_PACKAGE = "open_data_contract_standard"
_KINDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}


_FORMS = {  # what a pattern of the standard asks for, by the description beside it
    "Shorthand notation using name fields (table_name.column_name)": "text such as `dataset.column`",
    "Stable technical identifier for references. Must be unique within its containing array. Cannot contain "
    "special characters ('-', '_' allowed).": "letters, digits, `-` and `_`",
    "Fully qualified notation using id fields (section/id/properties/id), optionally prefixed with external file "
    "reference": "text such as `schema/id/properties/id`",
}


def judge_contract(root: Node, problems: Problems) -> None:
    """Hold a contract against the standard."""
    contract = plain(root)
    if meets_standard(contract):
        return
    for error in _validator().iter_errors(contract):
        if not _is_told_elsewhere(error, root):
            _tell(error, root, problems)


def meets_standard(contract: Any) -> bool:
    """Whether a contract of plain values is one of the standard, without saying what is wrong: this takes a
    hundredth of the time, and every command reads every contract."""
    try:
        return _quick_validator().is_valid(contract)
    except ValueError:  # what JSON cannot say: no number, or nested too deeply
        return False


def _is_told_elsewhere(error: Any, root: Node) -> bool:
    """Without a logicalType the conditions of the schema for every type apply at once; a value that is permitted
    twice is told with its own place when the column is read."""
    path = list(error.absolute_path)
    if error.validator == "uniqueItems" and path[-1:] == ["enum"]:
        return True
    columns = [
        place for place in range(1, len(path)) if path[place - 1] == "properties" and isinstance(path[place], int)
    ]
    if not columns or "then" not in error.absolute_schema_path:
        return False
    column, _ = _locate(root, path[: columns[-1] + 1])
    return isinstance(column, Entries) and "logicalType" not in column.entries


@lru_cache(maxsize=1)
def _quick_validator() -> jsonschema_rs.Draft201909Validator:
    return jsonschema_rs.Draft201909Validator(_schema())


@lru_cache(maxsize=1)
def _validator() -> Any:
    from jsonschema import Draft201909Validator
    from jsonschema.validators import extend

    stricter: Any = extend  # the stubs leave it untyped
    keywords = {"unevaluatedProperties": _unknown_keys, "additionalProperties": _unknown_keys}
    return stricter(Draft201909Validator, keywords)(_schema())


def _schema() -> Any:
    found = find_spec(_PACKAGE)
    folders = [] if found is None else list(found.submodule_search_locations or ())
    for folder in folders:
        path = Path(folder) / "schema.json"
        if path.is_file():
            return json.loads(path.read_bytes())
    raise DeclarationError(
        "The schema of the Open Data Contract Standard is not installed",
        expected=f"schema.json in the package {_PACKAGE}",
        remedy="Install Penstock again with all its dependencies.",
    )


def _unknown_keys(validator: Any, allowed: Any, instance: Any, schema: Any) -> Iterator[Any]:
    """Report each key that no subschema knows. The stock keyword calls every key of a mapping unknown as soon as
    one of its values is wrong."""
    from jsonschema import ValidationError

    if allowed is not False or not isinstance(instance, dict):
        return
    known = list(dict.fromkeys(_known_keys(validator, schema, instance)))
    for key in instance:
        if key not in known:
            yield ValidationError(key, path=(key,), context=(), validator_value=known)


def _known_keys(validator: Any, schema: Any, instance: Any) -> Iterator[str]:
    yield from schema.get("properties", {})
    if "$ref" in schema:
        yield from _known_keys(validator, _referred(schema["$ref"]), instance)
    for keyword in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(keyword, ()):
            yield from _known_keys(validator, part, instance)
    if "if" in schema:
        holds = validator.evolve(schema=schema["if"]).is_valid(instance)
        yield from _known_keys(validator, schema.get("then" if holds else "else", {}), instance)


def _referred(reference: str) -> Any:
    schema = _validator().schema
    for part in reference.removeprefix("#/").split("/"):
        schema = schema[part]
    return schema


def _tell(error: Any, root: Node, problems: Problems) -> None:
    path = list(error.absolute_path)
    node, key_place = _locate(root, path)
    name = next((part for part in reversed(path) if isinstance(part, str)), "contract")
    if error.validator in ("unevaluatedProperties", "additionalProperties"):
        _tell_unknown(str(path[-1]), error.validator_value, key_place, path, problems)
    elif error.validator == "required":
        _tell_missing(error, node, name, problems)
    elif error.validator in ("oneOf", "anyOf"):
        _tell_alternatives(error, root, node, name, problems)
    else:
        expected = _expected(error)
        problems.add(
            node.place,
            f"`{name}` does not meet the data contract standard",
            expected=expected,
            found=describe(node),
            remedy=_remedy(error, node),
        )


def _locate(root: Node, path: Sequence[str | int]) -> tuple[Node, Place]:
    node, place = root, root.place
    for part in path:
        if isinstance(node, Items) and isinstance(part, int):
            node = node.items[part]
            place = node.place
        elif isinstance(node, Entries) and isinstance(part, str) and part in node.entries:
            place = node.keys[part]
            node = node.entries[part]
    return node, place


def _tell_unknown(key: str, known: Any, place: Place, path: Sequence[Any], problems: Problems) -> None:
    words = known if isinstance(known, list) else []
    parents = [str(part) for part in path[:-1] if isinstance(part, str)]
    what = parents[-1] if parents else "contract"
    problems.add(
        place,
        f"`{shortened(key)}` is not a key that the data contract standard knows in `{what}`",
        expected=f"one of {listed(sorted(words))}" if 0 < len(words) <= 10 else None,
        remedy=did_you_mean(key, words) or "Remove it, or put your own properties under `customProperties`.",
    )


def _tell_missing(error: Any, node: Node, name: str, problems: Problems) -> None:
    for key in error.validator_value:
        if isinstance(node, Entries) and key not in node.entries:
            description = error.schema.get("properties", {}).get(key, {}).get("description")
            problems.add(
                node.place,
                f"`{key}` is missing from `{name}`",
                subject=key,
                expected=f"`{key}`, as the data contract standard requires",
                remedy=description or f"Add `{key}`.",
            )


def _tell_alternatives(error: Any, root: Node, node: Node, name: str, problems: Problems) -> None:
    """Of several permitted forms, tell what was wrong with the one that was meant, or what each would have needed."""
    missing = [key for part in error.validator_value for key in part.get("required", ())]
    if missing and isinstance(node, Entries):
        given = [key for key in missing if key in node.entries]
        problems.add(
            node.place,
            f"`{name}` is incomplete" if not given else f"`{name}` says too much",
            subject=missing[0],
            expected=f"exactly one of {listed(missing)}",
            found=listed(given) if given else None,
            remedy="Add one of them." if not given else "Keep one of them.",
        )
        return
    meant = _meant_alternative(error)
    if meant:
        for part in meant:
            _tell(part, root, problems)
        return
    problems.add(
        node.place,
        f"`{name}` does not meet the data contract standard",
        expected=_expected(error),
        found=describe(node),
        remedy="Write it in one of the permitted forms.",
    )


def _meant_alternative(error: Any) -> list[Any]:
    """The errors of the one form whose type the value has; none when no form or several are of that type."""
    forms: dict[Any, list[Any]] = {}
    for part in error.context:
        forms.setdefault(part.relative_schema_path[0], []).append(part)
    fitting = [
        parts for parts in forms.values() if not any(part.validator == "type" and not part.path for part in parts)
    ]
    return fitting[0] if len(fitting) == 1 else []


def _expected(error: Any) -> str | None:
    value = error.validator_value
    match error.validator:
        case "type":
            return " or ".join(_KINDS[kind] for kind in ([value] if isinstance(value, str) else value))
        case "enum":
            return f"one of {listed(str(word) for word in value)}"
        case "pattern":
            return _FORMS.get(error.schema.get("description"), f"text that matches `{value}`")
        case "minItems":
            return f"at least {value} in the list"
        case "maxItems":
            return f"at most {value} in the list"
        case "uniqueItems":
            return "no value twice"
        case "minimum":
            return f"at least {value}"
        case "exclusiveMinimum":
            return f"more than {value}"
        case "not":
            return f"no {listed(value.get('required', ()))}"
        case "anyOf" | "oneOf":
            parts = dict.fromkeys(text for part in error.context if (text := _expected(part)) is not None)
            return " or ".join(parts) or None
        case _:
            return None


def _remedy(error: Any, node: Node) -> str:
    if error.validator == "enum":
        words = [str(word) for word in error.validator_value]
        return did_you_mean(str(plain(node)), words) or "Choose one of them."
    if error.validator == "not":
        return "Remove it."
    if error.validator == "type" and not isinstance(node, (Items, Entries)):
        return {"string": "Put it in quotes.", "object": "Write `key: value` lines."}.get(
            error.validator_value, "Correct the value."
        )
    return "Correct the value."
