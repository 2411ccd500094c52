"""Looking into topics."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.errors import UsageError
from penstock.runtime import topics
from penstock.runtime.installation import Installation
from penstock.runtime.topics import append_lines, list_topics, peek, tail
from tests.stream.lending import lending


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    lending(tmp_path)
    return Installation.at(tmp_path)


def loans(first: int, next: int) -> list[bytes]:
    return [
        b'{"loan": "L%d", "member": "m%d", "fee": 1, "lent": "2026-03-01T00:00:00Z"}' % (number, number % 5)
        for number in range(first, next)
    ]


def test_peek_shows_the_newest_rows_of_each_partition(installation: Installation) -> None:
    append_lines(installation, "loans_typed", loans(0, 40))
    found = peek(installation, "loans_typed", limit=3)
    ends = {
        part: sum(one["_partition"] == part for one in peek(installation, "loans_typed", limit=40)) for part in (0, 1)
    }
    expected = [(part, offset) for part, end in ends.items() for offset in range(end - 3, end)]
    assert [(row["_partition"], row["_offset"]) for row in found] == expected


def test_tail_begins_where_it_is_told_and_follows(installation: Installation) -> None:
    append_lines(installation, "loans_json", loans(0, 5))
    rows = tail(installation, "loans_json", last=2, stopped=lambda: False)
    assert [next(rows)["_offset"] for _ in range(2)] == [3, 4]
    append_lines(installation, "loans_json", loans(5, 7))
    assert [next(rows)["_offset"] for _ in range(2)] == [5, 6]
    rows.close()


def test_tail_ends_when_told(installation: Installation) -> None:
    append_lines(installation, "loans_json", loans(0, 5))
    assert list(tail(installation, "loans_json", last=5, stopped=lambda: True)) == []


def test_topics_are_listed_with_what_they_hold(installation: Installation) -> None:
    append_lines(installation, "loans_typed", loans(0, 12))
    assert [(one.name, one.partitions, one.rows) for one in list_topics(installation)] == [("loans_typed", 2, 12)]


def test_an_unknown_topic_is_named(installation: Installation) -> None:
    append_lines(installation, "loans_typed", loans(0, 1))
    with pytest.raises(UsageError, match="loans_typd"):
        peek(installation, "loans_typd", limit=1)


def test_peek_and_tail_begin_at_an_offset_of_one_partition(installation: Installation) -> None:
    append_lines(installation, "loans_typed", loans(0, 40))

    found = peek(installation, "loans_typed", limit=2, partition=1, offset=3)
    rows = tail(installation, "loans_typed", last=0, partition=1, offset=3, stopped=lambda: False)

    assert [(row["_partition"], row["_offset"]) for row in found] == [(1, 3), (1, 4)]
    assert [next(rows) for _ in found] == found
    rows.close()
    assert peek(installation, "loans_typed", limit=2, offset=1_000) == []


def test_a_partition_that_is_not_there_is_named(installation: Installation) -> None:
    append_lines(installation, "loans_typed", loans(0, 1))
    with pytest.raises(UsageError, match="expected 0, 1, found 7"):
        peek(installation, "loans_typed", limit=1, partition=7)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b'{"loan": ', "line 3: A line is no JSON object: expected JSON, found broken_json"),
        (b'{"loan": "L", "membr": "m"}', "line 3: A line has a key that is no column: found membr. Did you mean"),
        (b'{"loan": "L", "fee": "much"}', "line 3: The value of `fee` is of another type: expected DECIMAL(10,2), found much"),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_appended_is_told_with_what_was_appended_before(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, line: bytes, says: str
) -> None:
    monkeypatch.setattr(topics, "_LINES_AT_ONCE", 2)

    with pytest.raises(UsageError) as refused:
        append_lines(installation, "loans_typed", [*loans(0, 2), line])

    assert str(refused.value).startswith(says)
    assert str(refused.value).endswith("the lines before line 3 were appended.")
    assert [one.rows for one in list_topics(installation)] == [2]


def test_a_declared_topic_that_nobody_wrote_to_yet_is_told_from_one_that_is_not_there(
    installation: Installation,
) -> None:
    with pytest.raises(UsageError, match="Nothing was written to the topic yet"):
        peek(installation, "loans_typed", limit=1)
