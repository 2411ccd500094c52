"""Which patterns rows can be held to: DuckDB, which runs them, is the oracle."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.spec.pattern import refusal

TOKENS = [
    *"abA0_19.^$|()[]-\\{},?*+:=!<>P é",
    *("\\d", "\\w", "\\b", "\\1", "\\x41", "\\x{263a}", "\\p{Greek}", "\\pL", "\\Q", "\\E", "\\Z", "\\z", "\\C"),
    *("\\07", "\\_", "\\e", "\\é", "(?:", "(?P<n>", "(?<m>", "(?i)", "(?-s:", "(?=", "(?<!", "(?>", "[a-z]", "[^a]"),
    *("[[:alpha:]]", "[[:nope:]]", "[\\d-z]", "{2}", "{1,3}", "{2,1}", "{1001}", "+?", "++", "a-"),
]


def is_accepted(pattern: str) -> bool:
    try:
        duckdb.execute("SELECT regexp_matches('a', ?)", [pattern]).fetchall()
    except duckdb.Error:
        return False
    return True


@settings(max_examples=500)
@given(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=8).map("".join))
def test_only_patterns_that_run_are_accepted_and_almost_all_of_them(pattern: str) -> None:
    reason = refusal(pattern)

    if reason is None:
        assert is_accepted(pattern)
    elif reason != "a repetition repeats nothing":  # stricter than DuckDB on `a(?i)*`
        assert not is_accepted(pattern)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(?=a)", "look-around `(?=` is not part of RE2"),
        ("(?<!a)b", "look-around `(?<!` is not part of RE2"),
        ("(a)\\1", "the back-reference `\\1` is not part of RE2"),
        ("a++", "a repetition is repeated"),
        ("*a", "a repetition repeats nothing"),
        ("a{1001}", "a repetition is out of bounds (0 to 1000, the lower first)"),
        ("a{9999999999}", "a repetition is out of bounds (0 to 1000, the lower first)"),
        ("(a", "the pattern ends too early"),
        ("a)", "a `)` has no `(`"),
        ("[a", "the pattern ends too early"),
        ("[z-a]", "a character range is upside down or made of classes"),
        ("[[:nope:]]", "the character class `[:nope:]` does not exist"),
        ("(?<n>a)", "the group `(?<n` is not part of RE2"),
        ("(?>a)", "the group `(?>a` is not part of RE2"),
        ("(?P<n>a)(?P<n>b)", "the group name `n` stands twice"),
        ("\\Z", "the escape `\\Z` is not part of RE2"),
        ("\\x4", "`\\x` needs two hexadecimal digits or `{...}`"),
        ("\\p1", "`\\p` needs the name of a Unicode class"),
        ("(" * 200, "groups are nested too deeply"),
    ],
)
def test_a_refusal_says_why(pattern: str, reason: str) -> None:
    assert refusal(pattern) == reason
