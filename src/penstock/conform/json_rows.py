"""JSON objects, one a row, as columns of text: what DuckDB reads of them, and why it cannot."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.sql.names import literal, quote

VALUE = "value"
MOST_BYTES = 1 << 20
_LONG_NUMBER = r"[:,\[]\s*-?[0-9.]{17,}"
_FRACTION = r"[:,\[]\s*-?[0-9]+[.][0-9]"

_FAULTS = (  # (condition, code, expected); the first that holds counts
    (f"octet_length({VALUE}) > {MOST_BYTES}", "line_too_long", f"at most {MOST_BYTES} bytes"),
    ("__text IS NULL", "undecodable", "text in UTF-8"),
    ("NOT json_valid(__text)", "broken_json", "JSON"),
    ("json_type(__text) <> 'OBJECT'", "not_an_object", "an object"),
    ("len(json_keys(__text)) <> len(list_distinct(json_keys(__text)))", "duplicate_key", "every key once"),
    (
        f"regexp_matches(__text, {literal(_LONG_NUMBER)}) AND regexp_matches(__text, {literal(_FRACTION)})",
        "inexact_number",
        "numbers of at most 15 digits, or in quotes",
    ),
)


def judged(relation: str) -> str:
    """SELECT of `relation` with `__text`, and `__fault`: (code, expected) of the first fault, or null."""
    decoded = f"CASE WHEN octet_length({VALUE}) <= {MOST_BYTES} THEN TRY(decode({VALUE})) END"
    cases = " ".join(
        f"WHEN {condition} THEN {{'code': {literal(code)}, 'expected': {literal(expected)}}}"
        for condition, code, expected in _FAULTS
    )
    return f"SELECT *, CASE {cases} END AS __fault FROM (SELECT *, {decoded} AS __text FROM {quote(relation)})"


def keys(relation: str) -> str:
    """SELECT of the keys of the objects of a judged relation, in order."""
    unnested = f"SELECT unnest(json_keys(__text)) AS key FROM {quote(relation)} WHERE __fault IS NULL"
    return f"SELECT DISTINCT key FROM ({unnested}) ORDER BY key"


def columns(relation: str, names: Sequence[str], others: Sequence[str]) -> str:
    """SELECT of `others`, then the text of the keys `names`, for the objects of a judged relation."""
    texts = [f"json_extract_string(__text, {literal(_path(name))}) AS {quote(name)}" for name in names]
    return f"SELECT {', '.join([*map(quote, others), *texts])} FROM {quote(relation)} WHERE __fault IS NULL"


def _path(key: str) -> str:
    """The JSON pointer of a key of the object."""
    return "/" + key.replace("~", "~0").replace("/", "~1")
