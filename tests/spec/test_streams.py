"""Streams as declared: what a topology reads, and what its fingerprint covers."""

from __future__ import annotations

import pytest

from penstock.spec.stream import Aggregate, Measure, Running, Window, WindowKind
from tests.spec.lending_library import Library


def test_a_step_reads_the_one_before_it_or_the_one_it_names(library: Library) -> None:
    watch = library.load().streams.topologies["watch"]

    read = {step.name: step.source for step in watch.steps}

    assert (read["filter"], read["fees"], read["hourly"], read["visits"]) == ("desk", "lookup", "fees", "fees")
    assert list(watch.inputs()) == ["desk", "shelf"]


def test_a_window_has_the_kind_that_its_lengths_say(library: Library) -> None:
    watch = library.load().streams.topologies["watch"]

    windows = {step.name: step.operation for step in watch.steps if isinstance(step.operation, Window)}

    assert (windows["hourly"].kind, windows["visits"].kind) == (WindowKind.SLIDING, WindowKind.SESSION)
    assert windows["hourly"].aggregates == (
        Aggregate("loans", Measure.COUNT),
        Aggregate("most_lent", Measure.TOP, "book", 3),
    )


def test_a_threshold_keeps_its_digits(library: Library) -> None:
    steps = library.load().streams.topologies["watch"].steps

    assert [
        (step.operation.threshold, step.operation.minimum) for step in steps if isinstance(step.operation, Running)
    ] == [("3.5", 10)]


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        ("streams/desk.yml", "description: Odd fees.", "description: Strange fees.", set()),
        ("streams/desk.yml", "    retention: P7D", "    retention: P8D", set()),
        ("streams/desk.yml", "lateness: PT5M", "lateness: PT6M", {"watch", "after"}),
        ("streams/desk.yml", "  - name: after\n    input: odd", "  - name: after\n    input: shelf", {"after"}),
        ("contracts/loans.yml", "exclusiveMaximum: 10", "exclusiveMaximum: 11", {"watch", "after"}),
    ],
)
def test_a_fingerprint_covers_what_rows_mean_and_what_they_are_made_of(
    library: Library, file: str, old: str, new: str, changed: set[str]
) -> None:
    before = library.load().streams.topologies

    library.edit(file, old, new)
    after = library.load().streams.topologies

    assert {name for name in before if before[name].fingerprint != after[name].fingerprint} == changed
