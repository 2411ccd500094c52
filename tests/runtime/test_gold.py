"""Gold follows whatever silver has become."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Event
from typing import Any, NoReturn

import duckdb
import pytest

from penstock.cli.progress import Lines
from penstock.errors import StorageError
from penstock.quality.checks import run_checks
from penstock.release.gold import open_gold
from penstock.release.publish import publish
from penstock.release.record import Release, latest_release
from penstock.runtime import gold, installation, judging
from penstock.transform import warehouse
from penstock.world import real_world
from tests.flows.library import Library, loan
from tests.transform.small_shop import open_elsewhere

KEY = "        primaryKey: true\n        primaryKeyPosition: 1\n"
DEDUPE = "      - property: penstock.dedupe\n        value: {order_by: changed_at, horizon: P30D}\n"


def test_a_dataset_may_lose_its_key(library: Library) -> None:
    """Silver keeps the columns that only a key needs, and gold is built from it all the same."""
    library.edit("contracts/loans.yml", KEY, "")
    library.edit("contracts/loans.yml", DEDUPE, "")
    library.loans("more", loan(6))
    assert (library.run()["outcome"], library.count("silver.loans")) == ("released", 4)


def test_a_file_that_is_refused_makes_no_release(library: Library) -> None:
    """It is tried by every run; gold would be built and released each time."""
    library.deliver("loans_torn.csv", "loan_id,mem\0ber_id", "7,m1")
    report = library.run(1)
    assert [notice["kind"] for notice in report["notices"]] == ["refused"]
    assert (report["outcome"], report["release"]) == ("nothing new", 1)
    library.loans("tuesday", loan(6))
    assert library.run(1)["release"] == 2


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_a_run_that_ends_before_the_warehouse_of_its_release_is_there_costs_no_build_from_nothing(
    library: Library, done: bool
) -> None:
    """The next build starts from the warehouse that is there, whichever release it equals."""
    put_in_order = warehouse.put_in_order

    def fail_after_release(connection: duckdb.DuckDBPyConnection) -> None:
        release = latest_release(library.data)
        if done or release is None or release.number != 2:
            put_in_order(connection)
        if release is not None and release.number == 2:
            raise duckdb.IOException("No space left on device")

    library.loans("tuesday", loan(6))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(warehouse, "put_in_order", fail_after_release)
        assert "No space left on device" in library.call("run").expect(1).err

    last, held = latest_release(library.data), warehouse.read_state(library.data / "cache" / "warehouse-1.duckdb")
    assert last is not None
    assert held is not None
    given = {f"silver.{name}": one.snapshot_id for name, one in held.inputs.items()}
    assert (last.number, given == last.silver) == (2, done)
    assert library.run()["outcome"] == "nothing new"
    assert warehouses(library) == ["warehouse-1.duckdb"]
    library.loans("wednesday", loan(7))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(warehouse, "copy", refuse)
        assert (library.run()["release"], library.count("silver.loans")) == (3, 5)
    assert warehouses(library) == ["warehouse-3.duckdb"]
    assert library.query("SELECT sum(loans) AS loans FROM gold.loans_by_status") == [{"loans": 5}]


def test_a_release_is_read_from_the_lake_while_a_build_works_in_its_warehouse(library: Library) -> None:
    sql = "SELECT status, loans FROM gold.loans_by_status ORDER BY status"
    (path,) = library.data.glob("cache/warehouse-*.duckdb")
    with open_gold(library.data, real_world(), release=1) as connection:
        held = connection.execute(sql).fetchall()
    for writing in (open_elsewhere(path, read_only=False), warehouse.opened(path)):
        with writing, open_gold(library.data, real_world(), release=1) as connection:
            assert connection.execute(sql).fetchall() == held
    path.write_bytes(b"no warehouse")
    with pytest.raises(StorageError, match="cannot be opened"), open_gold(library.data, real_world(), release=1):
        pass


def warehouses(library: Library) -> list[str]:
    return sorted(path.name for path in library.data.glob("cache/*.duckdb"))


def refuse(*_: Any, **__: Any) -> NoReturn:
    raise StorageError("The disk is gone")


def after(work: Callable[..., Any]) -> Callable[..., NoReturn]:
    def done(*arguments: Any, **named: Any) -> NoReturn:
        work(*arguments, **named)
        refuse()

    return done


@pytest.mark.parametrize("at_a_time", [1, 2])
@pytest.mark.parametrize(
    ("where", "name", "failing"),
    [
        (judging, "run_checks", refuse),
        (judging, "keep_metrics", refuse),
        (gold, "publish", refuse),
        (judging, "run_checks", after(run_checks)),
    ],
    ids=["checks", "metrics", "release", "after checks"],
)
def test_nothing_stays_of_a_release_where_something_fails_beside_it(
    library: Library, at_a_time: int, where: Any, name: str, failing: Callable[..., NoReturn]
) -> None:
    def files() -> list[str]:
        found = [*library.data.glob("lake/gold/**/*"), *library.data.glob("cache/*.duckdb")]
        return sorted(str(path) for path in found if path.is_file())

    library.loans("tuesday", loan(6))
    before = files()
    with pytest.MonkeyPatch.context() as patched:
        world = replace(real_world(), at_a_time=at_a_time)
        patched.setattr(installation, "real_world", lambda: world)
        patched.setattr(where, name, failing)
        assert "The disk is gone" in library.call("run").expect(1).err

    assert files() == before
    assert library.run()["release"] == 2


def test_a_run_that_fails_after_its_release_is_recorded_with_it(library: Library) -> None:
    library.loans("tuesday", loan(6))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(warehouse, "promote", after(warehouse.promote))
        assert "The disk is gone" in library.call("run").expect(1).err

    run, *_ = library.call("history", "--json").document["runs"]
    assert (run["outcome"], run["release"]) == ("failed", 2)
    assert library.run()["outcome"] == "nothing new"


def test_no_release_is_out_before_it_is_told_that_it_is_made(library: Library) -> None:
    """Who ends the run then has ended it in time."""
    begin, out = Lines.begin, Event()

    def interrupt(lines: Lines, step: str, **told: Any) -> None:
        begin(lines, step, **told)
        if step == "release gold":
            out.wait(0.5)
            raise KeyboardInterrupt

    def publish_and_tell(*rest: Any, **named: Any) -> Release:
        release = publish(*rest, **named)
        out.set()
        return release

    library.loans("tuesday", loan(6))
    with pytest.MonkeyPatch.context() as patched:
        world = replace(real_world(), at_a_time=2)
        patched.setattr(installation, "real_world", lambda: world)
        patched.setattr(Lines, "begin", interrupt)
        patched.setattr(gold, "publish", publish_and_tell)
        assert library.call("run").code == 130

    assert not out.is_set()
    assert library.run()["release"] == 2
