"""docs/vault.md as a project: the files, data and queries that it shows."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "vault.md"

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"(?:--|#) (\S+\.(?:sql|yml))\n")
_DATA = re.compile(r"# silver\.(\w+)\n")


@dataclass(frozen=True)
class Page:
    """`files` by path, the rows of each silver dataset, and (query, the table shown for it) in order."""

    files: dict[str, str]
    data: dict[str, list[dict[str, str]]]
    queries: list[tuple[str, list[list[str]]]]

    def write(self, folder: Path) -> Path:
        for name, text in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return folder


def read_page(path: Path = PAGE) -> Page:
    page = Page({}, {}, [])
    blocks = _BLOCK.findall(path.read_text(encoding="utf-8"))
    for number, (kind, text) in enumerate(blocks):
        if named := _NAMED.match(text):
            page.files[named[1]] = text[named.end() :]
        elif data := _DATA.match(text):
            page.data[data[1]] = list(csv.DictReader(text[data.end() :].splitlines()))
        elif kind == "sql" and "{{" not in text:
            assert blocks[number + 1][0] == "text", f"nothing is shown for {text}"
            shown = [re.split(r"  +", line.strip()) for line in blocks[number + 1][1].splitlines()]
            page.queries.append((text, shown))
    return page
