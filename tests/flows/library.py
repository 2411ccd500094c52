"""The lending library as a user has it: a project, an inbox, a data directory, and the command."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Self

from tests.flows.command import ROOT, Done, call, start

LOAN = "loan_id,member_id,title,status,fee,changed_at"
MEMBER = "member_id,email,joined"


def loan(number: int | str, member: str = "m1", *, status: str = "out", fee: str = "1.50", day: int = 1) -> str:
    """A line of a loans file."""
    return f"{number},{member},Dune,{status},{fee},2024-01-{day:02}T10:00:00Z"


@dataclass(frozen=True)
class Library:
    """Everything is below `folder`; the project is a copy that a test may edit."""

    folder: Path

    template: ClassVar[str] = "library"
    variable: ClassVar[str] = "LIBRARY_INBOX"

    @classmethod
    def found(cls, folder: Path) -> Self:
        """A new library without any file."""
        library = cls(folder)
        library.inbox.mkdir(parents=True)
        shutil.copytree(ROOT / "projects" / cls.template, library.project, ignore=shutil.ignore_patterns(".penstock"))
        return library

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def environment(self) -> Mapping[str, str]:
        return {self.variable: str(self.inbox), "PENSTOCK_PSEUDONYM_KEY": "a key for tests"}

    @property
    def place(self) -> tuple[str, ...]:
        return ("--project", str(self.project), "--data-dir", str(self.data))

    def loans(self, name: str, *lines: str) -> Path:
        """Deliver a file of loans."""
        return self.deliver(f"loans_{name}.csv", LOAN, *lines)

    def members(self, branch: str, version: int, *lines: str) -> Path:
        """Deliver a branch's list of members."""
        return self.deliver(f"members_{branch}_v{version}.csv", MEMBER, *lines)

    def deliver(self, name: str, *lines: str) -> Path:
        path = self.inbox / name
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace text in a file of the project."""
        path = self.project / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def call(self, *arguments: str | Path) -> Done:
        return call(*arguments, *self.place, environment=self.environment)

    def start(
        self, *arguments: str | Path, signalled: tuple[signal.Signals, str] | None = None
    ) -> subprocess.Popen[str]:
        return start(*arguments, *self.place, environment=self.environment, signalled=signalled)

    def run(self, expected: int = 0) -> dict[str, Any]:
        """`penstock run --json`: its report."""
        report: dict[str, Any] = self.call("run", "--json").expect(expected).document
        return report

    def query(self, sql: str, *, release: int | None = None) -> list[dict[str, Any]]:
        """Rows of `penstock query --format json`; numbers with a point are decimals."""
        at = () if release is None else ("--release", str(release))
        answer = self.call("query", sql, "--format", "json", *at).expect(0)
        rows: list[dict[str, Any]] = json.loads(answer.output, parse_float=Decimal)
        return rows

    def count(self, table: str, *, release: int | None = None) -> int:
        return int(self.query(f"SELECT count(*) AS n FROM {table}", release=release)[0]["n"])

    def gold(self, *, release: int | None = None) -> dict[str, list[dict[str, Any]]]:
        """Both gold tables, in an order of their own."""
        return {
            name: self.query(f"SELECT * FROM gold.{name} ORDER BY ALL", release=release)
            for name in ("dim_member", "loans_by_status")
        }

    def save(self) -> None:
        """Remember everything as it is now."""
        shutil.rmtree(self._saved, ignore_errors=True)
        shutil.copytree(self.folder, self._saved, symlinks=True)

    def restore(self) -> None:
        """Make everything as it was when it was saved, in the same place."""
        shutil.rmtree(self.folder)
        shutil.copytree(self._saved, self.folder, symlinks=True)

    @property
    def _saved(self) -> Path:
        return self.folder.with_name(self.folder.name + ".saved")


class CardOffice(Library):
    """The library with two more deliveries: lists of all cards, and moves of titles in any order."""

    @classmethod
    def found(cls, folder: Path) -> Self:
        library = super().found(folder)
        shutil.copytree(Path(__file__).parent / "card_office", library.project, dirs_exist_ok=True)
        return library

    def cards(self, day: int, *lines: str) -> Path:
        """Deliver the list of a day in January."""
        return self.deliver(f"cards_202401{day:02}.csv", "member_id,card", *lines)

    def moves(self, name: str, *lines: str) -> Path:
        return self.deliver(f"moves_{name}.csv", "title,shelf,moved_at", *lines)


class Retail(Library):
    """The shop of online_retail, with an inbox of its own."""

    template = "online_retail"
    variable = "PENSTOCK_ONLINE_RETAIL"


def fill(library: Library) -> None:
    """A first delivery: three loans that are well, one row that is refused, one line that is none."""
    library.loans(
        "monday", loan(1), loan(2, "m2", status="back"), loan(3, "m2", fee=""), loan(4, status="lost"), "5,m1"
    )
    library.members("north", 1, "m1,ada@example.org,2020-01-01", "m2,bob@example.org,2021-05-05")


def age(paths: Iterable[Path], seconds: float = 60) -> None:
    """Give files an older time of change, so that they count as settled."""
    for path in paths:
        status = path.stat()
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns - int(seconds * 1e9)))
