"""Stops `penstock run` at chosen points of the disk, looks at what is left, runs it again, and looks again.

    python -m tests.flows.road_program FOLDER points
    python -m tests.flows.road_program FOLDER try 17:kill 42:vanish

FOLDER holds a library (see `library.py`) with one release and a second delivery, saved. Each run and each look is
a forked child, so nothing is left of one in the next. Every point prints one JSON object; the number 0 stops nothing.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from penstock.runtime import installation
from penstock.testing.disk import FaultyDisk, Mode, Point
from penstock.world import real_world
from tests.flows.library import Library
from tests.lake.plain_reader import read_records, read_tables


def main() -> None:
    library = Library(Path(sys.argv[1]))
    library.restore()
    library.run()  # once here, so that no child has to import and prepare anything
    if sys.argv[2] == "points":
        show(points(library))
    for text in sys.argv[3:]:
        number, mode = text.split(":")
        show(attempt(library, int(number), Mode(mode)))


def points(library: Library) -> list[dict[str, Any]]:
    """Every point of an undisturbed run, in order."""

    def listing() -> list[dict[str, Any]]:
        found: list[Point] = []
        run(library, FaultyDisk(seen=found.append))
        return [asdict(point) for point in found]

    library.restore()
    found: list[dict[str, Any]] = succeed(listing)
    return found


def attempt(library: Library, number: int, mode: Mode) -> dict[str, Any]:
    """Stop a run at a point: what is then there, what the next run reports, and what is there after it."""
    library.restore()
    _, status = in_child(lambda: run(library, FaultyDisk(stop_at=number or None, mode=mode)))
    stopped = succeed(lambda: seen(library))
    report = succeed(library.run)
    after = succeed(lambda: seen(library))
    killed = status == -signal.SIGKILL
    return {"number": number, "mode": mode, "killed": killed, "stopped": stopped, "report": report, "after": after}


def run(library: Library, disk: FaultyDisk, *, at_a_time: int = 1) -> None:
    """One piece of work at a time, so that a point is the same in every run."""
    world = replace(real_world(), disk=disk, at_a_time=at_a_time)
    with patch.object(installation, "real_world", lambda: world):
        library.run()


TABLES = ("gold.dim_member", "gold.loans_by_status")
ROWS = {
    "silver": "(SELECT list({'loan': loan_id, 'status': status, 'file': _file, 'line': _line} ORDER BY loan_id) FROM silver.loans)",
    "bronze": "(SELECT list({'file': _file, 'line': _line} ORDER BY _file, _line) FROM bronze.loans)",
    "refused": "(SELECT list({'file': _file, 'line': _line} ORDER BY _file, _line) FROM quarantine.loans)",
}


def seen(library: Library) -> dict[str, Any]:
    """What the product says, and what the files say to a reader that shares no code with it."""
    gold = ", ".join(f'(SELECT list(t ORDER BY t) FROM {name} AS t) AS "{name}"' for name in TABLES)
    rows = ", ".join(f"{select} AS {name}" for name, select in ROWS.items())
    outcomes = [one["outcome"] for one in read_records(library.data, "run").values()]
    return {
        "release": library.call("status", "--json").expect(0).document["release"],
        "gold": library.query(f"SELECT {gold}"),
        "first": library.query(f"SELECT {gold}", release=1),
        "rows": library.query(f"SELECT {rows}"),
        "plain": {name: len(table.rows) for name, table in read_tables(library.data).items()},
        "interrupted": outcomes.count("running"),
        "findings": library.call("doctor", "--json").expect(0).document["findings"][-1],
    }


def succeed(work: Callable[[], Any]) -> Any:
    value, status = in_child(work)
    if status != 0:
        raise SystemExit(f"a child ended with {status}")
    return value


def in_child(work: Callable[[], Any]) -> tuple[Any, int]:
    """What the work gives when it is done in a forked process (None when it ended early), and how that ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        ended = 1
        try:
            given = json.dumps(work(), default=str)
            with open(writing, "w", encoding="utf-8") as stream:
                stream.write(given)
            ended = 0
        except BaseException:  # noqa: BLE001 - the child must not return into the parent's loop
            traceback.print_exc()
        os._exit(ended)
    os.close(writing)
    with open(reading, encoding="utf-8") as stream:
        given = stream.read()
    _, status = os.waitpid(child, 0)
    return (json.loads(given) if given else None), os.waitstatus_to_exitcode(status)


def show(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
