"""The shop as files: which there are, what is in them, and on which day they are delivered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq

from simulator.shop import Shop
from simulator.table import Table

HISTORY = "history"


@dataclass(frozen=True)
class Drop:
    """One file: the rows of `table` from day `first` to day `last`, delivered on day `due`.

    `inserted`: lines that follow a row (by its place in the file). `changed`: rows that are written otherwise.
    `header`, `tail`: what is added to the header and to every line, when a column drifts in; `renamed`: another
    spelling of columns.
    """

    table: Table
    label: str
    first: int
    last: int
    due: int
    version: int = 1
    inserted: tuple[tuple[int, bytes], ...] = ()
    changed: Mapping[int, bytes] = field(default_factory=dict)
    header: str = ""
    tail: str = ""
    renamed: Mapping[str, str] = field(default_factory=dict)

    @property
    def dataset(self) -> str:
        return self.table.name

    @property
    def path(self) -> str:
        return f"{self.dataset}/{self.dataset}-{self.label}.v{self.version}.{self.table.format}"

    @property
    def rows(self) -> slice:
        return self.table.rows(self.first, self.last)

    @property
    def size(self) -> int:
        """Rows of the shop in it."""
        return self.rows.stop - self.rows.start

    @property
    def is_plain(self) -> bool:
        return not (self.inserted or self.changed or self.header or self.tail or self.renamed)

    def content(self) -> bytes:
        """The bytes of a text file."""
        lines = self.table.lines
        if self.is_plain:
            return lines.header + lines.slice(self.rows)
        return self._header(lines.header) + b"".join(self._lines())

    def _header(self, header: bytes) -> bytes:
        if not header:
            return header
        names = [self.renamed.get(name, name) for name in header.decode().rstrip("\n").split(",")]
        return (",".join(names) + self.header + "\n").encode()

    def _lines(self) -> Iterator[bytes]:
        after: dict[int, list[bytes]] = {}
        for place, line in self.inserted:
            after.setdefault(place, []).append(line)
        for place in range(self.size):
            line = self.changed.get(place, self.table.lines.row(self.rows.start + place))
            yield self._drifted(line)
            yield from after.get(place, ())

    def _drifted(self, line: bytes) -> bytes:
        if not self.tail:
            return line
        end = b"}\n" if self.table.format == "ndjson" else b"\n"
        return line.removesuffix(end) + self.tail.encode() + end


def cut(shop: Shop) -> tuple[Drop, ...]:
    """The clean files of the shop, by dataset and day; none without rows."""
    spans = tuple(_spans(shop))
    made = (Drop(table, label, first, last, due=last) for table in shop.tables.values() for label, first, last in spans)
    return tuple(drop for drop in made if drop.size)


def _spans(shop: Shop) -> Iterator[tuple[str, int, int]]:
    """(label, first day, last day) of the files of every dataset."""
    options = shop.options
    if options.history:
        yield HISTORY, 0, options.history - 1
    if options.cut == "all" and options.history < options.days:
        yield "all", options.history, options.days - 1
        return
    begin = options.history
    while begin < options.days:
        day = options.start + timedelta(days=begin)
        end = begin + 1
        if options.cut == "month":
            while end < options.days and (options.start + timedelta(days=end)).month == day.month:
                end += 1
        yield f"{day:%Y-%m}" if options.cut == "month" else f"{day}", begin, end - 1
        begin = end


def write(drops: Iterable[Drop], inbox: Path, *, first: int | None = None, last: int | None = None) -> list[Path]:
    """Deliver the files that are due from day `first` to day `last` (counted from 0; None: no bound), in the order of
    the days; gives their paths."""
    due = [drop for drop in drops if (first is None or drop.due >= first) and (last is None or drop.due <= last)]
    return [_write(drop, inbox) for drop in sorted(due, key=lambda drop: drop.due)]


def _write(drop: Drop, inbox: Path) -> Path:
    path = inbox / drop.path
    path.parent.mkdir(parents=True, exist_ok=True)
    if drop.table.format == "parquet":
        pq.write_table(drop.table.arrow(drop.rows), path)
    else:
        path.write_bytes(drop.content())
    return path


def again(drop: Drop, due: int) -> Drop:
    """The same content under another name."""
    return replace(drop, label=f"{drop.label}-again", due=due)
