"""`kill -9` while the command says what it is doing: the next run goes on from there."""

from __future__ import annotations

import signal

import pytest

from tests.flows.library import Library, loan


@pytest.mark.parametrize("step", ["read loans", "conform loans", "build the models", "release gold"])
def test_a_killed_run_is_interrupted_and_the_next_one_ends_its_work(library: Library, step: str) -> None:
    before = library.gold()
    library.loans("tuesday", *(loan(number, status="back") for number in range(100, 20_100)))
    process = library.start("run", signalled=(signal.SIGKILL, step))
    process.communicate()
    assert process.returncode == -9

    assert library.gold() == before
    assert "was interrupted; the next run finishes the work" in library.call("status").out
    assert library.call("history", "--json").document["runs"][0]["outcome"] == "interrupted"
    report = library.run()
    assert (report["outcome"], report["release"]) == ("released", 2)
    assert (library.count("bronze.loans"), library.count("silver.loans")) == (20_004, 20_003)
    assert library.query("SELECT loans FROM gold.loans_by_status WHERE status = 'back'") == [{"loans": 20_001}]
    assert library.gold(release=1) == before
