"""`penstock up` with everything it keeps running, an appender and deliveries beside it, and what must be there at the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from penstock.runtime.installation import Installation
from penstock.runtime.parts import lives, read_parts
from penstock.store.live_file import live_tables
from penstock.store.live_reader import LiveReader, open_live
from tests.flows.command import PENSTOCK, ROOT
from tests.free_port import free_port
from tests.lake.plain_reader import read_tables
from tests.stream.ledger_program import ENOUGH, LEDGER, MEMBERS, rows_of
from tests.stream.lending import FOLLOWED, lending
from tests.stream.running_topology import Row
from tests.stream.test_kill import read
from tests.stream.test_up import pids
from tests.waiting import PATIENCE, wait_for

PARTS = {"stream", "land"}
BATCH = {  # files that come meanwhile, and what is made and served of them
    "contracts/members.yml": """\
apiVersion: v3.2.0
kind: DataContract
id: members
version: 1.0.0
status: active
schema:
  - name: members
    properties:
      - {id: member, name: member, logicalType: string, primaryKey: true, required: true}
      - {id: town, name: town, logicalType: string}
""",
    "sources/members.yml": "name: members\ndataset: members\nfiles: inbox/members_*.csv\nformat: csv\noptional: true\n",
    "models/dbt_project.yml": """\
name: lending
version: "1.0.0"
config-version: 2
model-paths: [marts]
models: {lending: {+materialized: table, +schema: gold}}
""",
    "models/marts/schema.yml": "sources: [{name: silver, schema: silver, tables: [{name: members}]}]\n",
    "models/marts/dim_member.sql": "select member, town from {{ source('silver', 'members') }}\n",
    "endpoints/desk.yml": """\
endpoints:
  - {path: /members, table: dim_member, key: member, columns: [member, town]}
live:
  - {path: /latest, live: latest, columns: [loan, member]}
""",
}
DELIVERED = 20  # rows in a file


class Running:
    """`up` and an appender beside it, and whichever of their processes a test wants dead."""

    def __init__(self, root: Path) -> None:
        lending(root, FOLLOWED)
        for path, text in BATCH.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        self.root, self.installation = root, Installation.at(root)
        self.port, self.files = free_port(), 0
        self.deliver()
        self.up, self.appender = self._up(), self._append()

    def deliver(self) -> None:
        """A file of members, whole at once."""
        first = self.files * DELIVERED
        lines = ["member,town", *(f"d{number},t{number % 3}" for number in range(first, first + DELIVERED))]
        path = self.root / "inbox" / f"members_{self.files}.csv"
        path.parent.mkdir(exist_ok=True)
        draft = path.with_suffix(".draft")
        draft.write_text("".join(f"{line}\n" for line in lines))
        draft.replace(path)
        self.files += 1

    def answer(self, path: str) -> Any:
        """What the API says; None while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE) as response:
                return json.load(response)
        except OSError:
            return None

    def _up(self) -> subprocess.Popen[bytes]:
        command: list[str | Path] = [PENSTOCK, "up", "--every", "1", "--port", str(self.port), "--project", self.root]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _append(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "tests.stream.ledger_program", self.root], cwd=ROOT)

    def ledger(self, word: str) -> list[int]:
        """The batches that the ledger says this of, in order."""
        path = self.root / LEDGER
        lines = path.read_text().splitlines() if path.exists() else []
        return [int(line.split()[1]) for line in lines if line.split()[0] == word]

    def kill(self, victim: str) -> None:
        """Kill a part, `up` or `appender` while all are at work, and wait until it is there again."""
        wait_for(lambda: pids(self.installation).keys() >= PARTS)
        acknowledged = len(self.ledger("acknowledged"))
        wait_for(lambda: len(self.ledger("acknowledged")) > acknowledged)
        if victim == "appender":
            assert self.appender.poll() is None
            self.appender.kill()
            self.appender.wait()
            self.appender = self._append()
        elif victim == "up":
            before = pids(self.installation)
            self.up.kill()
            self.up.wait()
            wait_for(lambda: not any(lives(pid) for pid in before.values()))
            self.up = self._up()
        else:
            while not self._struck(victim):  # a run may have ended by itself just then
                continue

    def _struck(self, part: str) -> bool:
        """Kill a part and wait until it is there again; whether that is what ended it."""
        wait_for(lambda: part in pids(self.installation), pause=0.01)
        pid, deaths = pids(self.installation).get(part), self._deaths(part)
        if pid is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: pids(self.installation).get(part, pid) != pid, pause=0.01)
        return self._deaths(part) > deaths

    def _deaths(self, part: str) -> int:
        return next(one.restarts for one in read_parts(self.installation) if one.part == part)

    def end(self) -> int:
        (self.root / ENOUGH).touch()
        self.appender.wait(PATIENCE)
        self.up.send_signal(signal.SIGINT)
        return self.up.wait(PATIENCE)

    def finish(self) -> None:
        """Let the appender end, wait until everything is everywhere, and compare it with the ledger."""
        try:
            (self.root / ENOUGH).touch()
            assert self.appender.wait(PATIENCE) == 0
            expected = [row for batch in range(max(self.ledger("meant")) + 1) for row in rows_of(batch)]
            wait_for(lambda: _followed(self.root) >= len(expected), pause=0.5)
            wait_for(lambda: len(_bronze(self.root)) >= len(expected), pause=1.0)
            wait_for(lambda: len(_rows(self.root, "gold.dim_member")) >= self.files * DELIVERED, pause=1.0)
            wait_for(lambda: (self.answer("/members?limit=1") or {}).get("total") == self.files * DELIVERED)
            served = self.answer("/latest?limit=1")
        finally:
            code = self.end()
        assert code == 0
        assert served["total"] == len(expected)
        self._compare(expected)

    def _compare(self, expected: list[Row]) -> None:
        root = self.root
        assert set(self.ledger("acknowledged")) <= set(self.ledger("meant"))
        assert _never_taken_back(root)
        written = [(row["loan"], row["member"], row["fee"], row["lent"]) for row in expected]
        assert Counter(map(_values, _bronze(root))) == Counter(written)
        scored = read(self.installation, "scored")
        counted = Counter((*values, number // MEMBERS) for number, values in enumerate(written))
        assert Counter((*_values(row), row["earlier"]) for row in scored) == counted
        latest = _live(root, "latest").rows(limit=len(expected) + 1)
        assert Counter((*_values(row), row["earlier"]) for row in latest) == Counter(map(_stored, counted.elements()))
        days = _live(root, "days").rows(limit=1000)
        assert sum(row["loans"] for row in days) == len(expected)
        assert sum(row["paid"] for row in days) == sum(int(row["fee"] * 100) for row in expected)
        delivered = Counter((f"d{number}", f"t{number % 3}") for number in range(self.files * DELIVERED))
        for table in ("bronze.members", "silver.members", "gold.dim_member"):
            assert Counter((row["member"], row["town"]) for row in _rows(root, table)) == delivered


def _values(row: Row) -> tuple[Any, ...]:
    return row["loan"], row["member"], row["fee"], row["lent"]


def _stored(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """As a live table holds it: decimals in hundredths, moments in microseconds."""
    loan, member, fee, lent, earlier = row
    return loan, member, int(fee * 100), int(lent.timestamp()) * 1_000_000 + lent.microsecond, earlier


def _live(root: Path, name: str) -> LiveReader:
    return open_live(Installation.at(root).place.root / "live", name)


def _followed(root: Path) -> int:
    there = "latest" in live_tables(Installation.at(root).place.root / "live")
    return _live(root, "latest").count() if there else 0


def _bronze(root: Path) -> list[Row]:
    """Bronze holds text."""
    rows = _rows(root, "bronze.loans_typed")
    return [row | {"fee": Decimal(row["fee"]), "lent": datetime.fromisoformat(row["lent"])} for row in rows]


def _rows(root: Path, table: str) -> list[Row]:
    tables = read_tables(Installation.at(root).place.root)
    return tables[table].rows if table in tables else []


def _never_taken_back(root: Path) -> bool:
    """Whether no batch was appended again once it was acknowledged, as one must be that was lost."""
    lines = (root / LEDGER).read_text().splitlines()
    acknowledged = {line.split()[1]: number for number, line in enumerate(lines) if line.startswith("acknowledged")}
    meant = {line.split()[1]: number for number, line in enumerate(lines) if line.startswith("meant")}
    return all(meant[batch] < at for batch, at in acknowledged.items())
