"""Delivers files in an order, in groups and with stops that a seed decides; prints what silver and gold then hold.

    python -m tests.flows.order_program library FOLDER 7
    python -m tests.flows.order_program retail FOLDER 7

FOLDER holds `library.py`'s project and the files to deliver, in `files`. Seed 0 delivers all at once, undisturbed.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from penstock.testing.disk import FaultyDisk, Mode
from tests.flows.library import CardOffice, Library, Retail
from tests.flows.road_program import in_child, run

KINDS = {"library": Library, "cards": CardOffice, "retail": Retail}
_CONTENT = "lambda name: name[1] <> '_' AND name NOT IN ('loaded_at', 'record_source')"
FARTHEST_POINT = 220  # a run has about as many points of the disk


def main() -> None:
    kind, folder, seed = sys.argv[1:]
    library, first = KINDS[kind].found(Path(folder) / seed), KINDS[kind](Path(folder) / "0")
    if first.data.exists():  # its models are these: nobody has to compile them again
        shutil.copytree(first.data / "cache" / "dbt", library.data / "cache" / "dbt", symlinks=True)
    files = sorted((Path(folder) / "files").iterdir())
    stops = deliver_all(library, files) if seed == "0" else deliver(library, files, random.Random(int(seed)))
    sys.stdout.write(json.dumps({"stops": stops, **contents(library)}) + "\n")


def deliver_all(library: Library, files: list[Path]) -> int:
    for file in files:
        (library.inbox / file.name).write_bytes(file.read_bytes())
    library.run()
    return 0


def deliver(library: Library, files: list[Path], chance: random.Random) -> int:
    """Deliver in groups, some again under the same path; half of the runs are stopped at a point of the disk."""
    stops = 0
    delivered: list[Path] = []
    for group in groups(files, chance):
        again = chance.sample(delivered, min(1, len(delivered)))
        for file in (*group, *again):
            (library.inbox / file.name).write_bytes(file.read_bytes())
        delivered += group
        if chance.random() < 0.5:
            disk = FaultyDisk(stop_at=chance.randint(1, FARTHEST_POINT), mode=chance.choice(list(Mode)))
            _, status = in_child(partial(run, library, disk, at_a_time=2))
            stops += status != 0
        if chance.random() < 0.5:
            run_in_between(library)
    library.run()
    return stops


def run_in_between(library: Library) -> None:
    """What has arrived may not be enough yet for the gate, if no loan is among it; nothing else refuses a run."""
    report = library.call("run", "--json").document
    refused_by = [
        check["name"] for check in report["checks"] if check["severity"] == "error" and check["status"] == "fail"
    ]
    assert refused_by in ([], ["loans_arrived"]), report["verdict"]


def groups(files: list[Path], chance: random.Random) -> Iterator[list[Path]]:
    left = chance.sample(files, len(files))
    while left:
        size = chance.choice((1, 1, 2, 5, 9))
        yield left[:size]
        left = left[size:]


def contents(library: Library) -> dict[str, Any]:
    """A digest of the rows of every silver and gold table, operational columns (and the vault's) left out, and how many
    they are."""
    names = [table["name"] for table in library.call("status", "--json").expect(0).document["tables"]]
    kept = [name for name in names if name.startswith(("silver.", "gold."))]
    rows = {name: library.query(f"SELECT COLUMNS({_CONTENT}) FROM {name} ORDER BY ALL") for name in kept}
    return {
        "rows": {name: len(found) for name, found in rows.items()},
        "digests": {
            name: hashlib.sha256(json.dumps(found, default=str).encode()).hexdigest() for name, found in rows.items()
        },
    }


if __name__ == "__main__":
    main()
