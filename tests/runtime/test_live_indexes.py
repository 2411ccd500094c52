"""Which columns of a live table have an index: those that the API finds its rows by."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.runtime.installation import Installation
from penstock.runtime.topology import indexed_columns
from penstock.runtime.topology_graphs import graphs
from tests.stream.lending import lending

TOPOLOGY = """\
  - name: watch
    input: loans_typed
    steps:
      - {window: {size: PT1H, by: [member], aggregates: {loans: count}}}
    outputs:
      - {live: hours, from: window, key: [member, window_start]}
      - {live: last, from: loans_typed, key: [loan], columns: [loan, member, lent]}
"""


@pytest.mark.parametrize(
    ("served", "table", "indexed"),
    [
        ("{path: '/members/{id}/hours', live: hours, parent: member, columns: [loans]}", "hours", ()),
        ("{path: '/at/{id}/hours', live: hours, parent: window_start, columns: [loans]}", "hours", ("window_start",)),
        ("{path: /hours, live: hours, columns: [member, loans], filters: [loans, member]}", "hours", ("loans",)),
        ("{path: /hours, live: hours, columns: [loans], order: [window_start desc]}", "hours", ("window_start",)),
        ("{path: /hours, live: hours, columns: [loans], order: [loans desc]}", "hours", ()),
        ("{path: /last, live: last, columns: [loan], order: [lent desc]}", "last", ("lent",)),
        ("{path: /last, live: last, columns: [loan], order: [lent desc]}", "hours", ()),
    ],
)
def test_what_rows_are_found_by_is_indexed_unless_it_changes_and_only_sorts(
    tmp_path: Path, served: str, table: str, indexed: tuple[str, ...]
) -> None:
    lending(tmp_path, TOPOLOGY)
    (tmp_path / "endpoints").mkdir()
    (tmp_path / "endpoints" / "live.yml").write_text(f"live:\n  - {served}\n")
    installation = Installation.at(tmp_path)

    sinks = {sink.output.name: sink for sink in graphs(installation)["watch"].sinks}

    assert indexed_columns(installation.project, sinks[table]) == indexed


def test_the_newest_window_of_a_measure_is_found_by_an_index(tmp_path: Path) -> None:
    lending(tmp_path, TOPOLOGY)
    (tmp_path / "endpoints").mkdir()
    measure = "measures:\n  - {name: now, live: hours, columns: [loans]}\n"
    (tmp_path / "endpoints" / "live.yml").write_text(f"{measure}")
    installation = Installation.at(tmp_path)

    (sink, _) = graphs(installation)["watch"].sinks

    assert indexed_columns(installation.project, sink) == ("window_start",)
