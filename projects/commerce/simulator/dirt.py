"""Faults in the files: so many of each kind, each in a place of its own, each known to the truth.

Whatever is wrong is added or corrected again: what remains after the bad lines are refused and the better versions
have won is the clean shop, so no metric changes.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from simulator.chance import stream
from simulator.column import Kind
from simulator.drops import HISTORY, Drop, again
from simulator.shop import Shop
from simulator.table import Table

# What happened to a line that is there only because of a fault.
MALFORMED, REJECTED, DUPLICATE, FILTERED, SUPERSEDED = "malformed", "rejected", "duplicate", "filtered", "superseded"
_VERSIONED = ("stores", "customers", "products", "variants", "orders", "shipment_lines", "identity_edges")
_STRICT = ("stores", "fx_rates")  # files with other columns are refused
_QUOTED = ("products",)  # a broken quote could reach into a later line
_RULED = ("order_events", "payments")  # rules hold one number against another value
_NO_LINES = ("inventory_movements",)
_BAD_TEXT = {
    Kind.NUMBER: "three",
    Kind.MONEY: "12.50.1",
    Kind.RATE: "1:1",
    Kind.BASIS: "19%",
    Kind.FLAG: "perhaps",
    Kind.INSTANT: "2024-02-30 25:00:00Z",
    Kind.DAY: "2024-02-30",
}
_BROKEN_RULES = {
    "order_items": ("quantity", "0"),
    "discounts": ("amount", "-1.00"),
    "refund_lines": ("amount", "-1.00"),
    "payments": ("status", "lost"),
    "orders": ("status", "dreamt"),
    "shipment_lines": ("quantity", "-1"),
    "sessions": ("device", "abacus"),
    "prices": ("currency", "euro"),
}


@dataclass(frozen=True)
class Fault:
    """One fault: its kind, the file it is in, and what becomes of the lines it adds (how many of which fate)."""

    kind: str
    path: str
    fate: str | None = None
    lines: int = 0

    @property
    def dataset(self) -> str:
        return self.path.split("/")[0]


@dataclass(frozen=True)
class Delivered:
    """The files as they are delivered, and what is wrong with them."""

    drops: tuple[Drop, ...]
    faults: tuple[Fault, ...]


def soil(shop: Shop, drops: Sequence[Drop]) -> Delivered:
    """The files with `options.dirt` faults of each kind, or as many as there are files to hold them; those of the
    history stay clean."""
    if shop.options.dirt == 0:
        return Delivered(tuple(drops), ())
    work = _Soiling(shop, drops)
    for kind in FILE_FAULTS:
        for _ in range(shop.options.dirt):
            work.file_fault(kind)
    for kind in LINE_FAULTS:
        for _ in range(shop.options.dirt):
            work.line_fault(kind)
    return Delivered((*work.clean, *work.drops.values(), *work.more), tuple(work.faults))


class _Soiling:
    """Files by their path, those with a fault of the whole file, and the faults so far."""

    def __init__(self, shop: Shop, drops: Sequence[Drop]) -> None:
        self.rng = stream(shop.options.seed, "dirt")
        self.last = shop.options.days - 1
        self.drops = {drop.path: drop for drop in drops if drop.label != HISTORY}
        self.clean = tuple(drop for drop in drops if drop.label == HISTORY)
        self.more: list[Drop] = []
        self.taken: set[str] = set()
        self.faults: list[Fault] = []

    def file_fault(self, kind: str) -> None:
        """A fault of a whole file that has none yet."""
        may = [path for path, drop in self.drops.items() if path not in self.taken and FILE_FAULTS[kind][0](drop)]
        if not may:
            return
        drop = self.drops[self._one(may)]
        self.taken.add(drop.path)
        self.faults.append(FILE_FAULTS[kind][1](self, drop))

    def line_fault(self, kind: str) -> None:
        """A bad line in a file that comes once and has its declared columns."""
        make, fate = LINE_FAULTS[kind]
        may = [path for path, drop in self.drops.items() if path not in self.taken and _takes(kind, drop)]
        if not may:
            return
        path = self._one(may)
        drop = self.drops[path]
        place = int(self.rng.random() * drop.size)
        line = make(drop.table, drop.table.lines.row(drop.rows.start + place))
        self.drops[path] = replace(drop, inserted=(*drop.inserted, (place, line)))
        self.faults.append(Fault(kind, path, fate, 1))

    def later(self, drop: Drop, days: int) -> int:
        """The day so much later, at most the last."""
        return min(drop.due + days, self.last)

    def _one(self, paths: Sequence[str]) -> str:
        """A path: first one of the datasets, each as likely, then one of its files."""
        datasets = sorted({path.split("/")[0] for path in paths})
        chosen = datasets[int(self.rng.random() * len(datasets))] + "/"
        mine = [path for path in paths if path.startswith(chosen)]
        return mine[int(self.rng.random() * len(mine))]


def _redelivered(work: _Soiling, drop: Drop) -> Fault:
    copy = again(drop, work.later(drop, 2))
    work.more.append(copy)
    return Fault("redelivered_file", copy.path, DUPLICATE, drop.size)


def _corrected(work: _Soiling, drop: Drop) -> Fault:
    """A first version with a wrong value, and the right one the day after."""
    name = _wrong_column(drop.table)
    place = int(work.rng.random() * drop.size)
    line = drop.table.lines.row(drop.rows.start + place)
    wrong = _edited(drop.table, line, name or "", "77777")
    work.drops[drop.path] = replace(drop, changed={place: wrong})
    work.more.append(replace(drop, version=2, due=work.later(drop, 1)))
    return Fault("corrected_file", drop.path, SUPERSEDED, drop.size)


def _late(work: _Soiling, drop: Drop) -> Fault:
    work.drops[drop.path] = replace(drop, due=work.later(drop, 4 + int(work.rng.random() * 5)))
    return Fault("late_file", drop.path)


def _swapped(work: _Soiling, drop: Drop) -> Fault:
    """The file of a day comes after the one of the day that follows."""
    work.drops[drop.path] = replace(drop, due=work.later(drop, 2))
    return Fault("out_of_order_file", drop.path)


def _added_column(work: _Soiling, drop: Drop) -> Fault:
    """A column that the contract does not name, with a value in every line."""
    tail = ',"checked_by":"night shift"' if drop.table.format == "ndjson" else ",night shift"
    work.drops[drop.path] = replace(drop, header=",checked_by", tail=tail)
    return Fault("added_column", drop.path)


def _renamed_column(work: _Soiling, drop: Drop) -> Fault:
    """Headers in capitals: `LIST_PRICE` for `list_price`."""
    renamed = {name: name.upper() for name in list(drop.table.columns)[-2:]}
    work.drops[drop.path] = replace(drop, renamed=renamed)
    return Fault("renamed_column", drop.path)


def _planned_rows(work: _Soiling, drop: Drop) -> Fault:
    """Rows that a column of the agency's own marks as planned; the others leave it empty."""
    row = drop.table.lines.row(drop.rows.start)
    planned = _edited(drop.table, row, "campaign", "planned").removesuffix(b"\n") + b",yes"
    work.drops[drop.path] = replace(drop, header=",forecast", tail=",", inserted=((0, planned + b"\n"),))
    return Fault("planned_rows", drop.path, FILTERED, 1)


def _wrong_column(table: Table) -> str | None:
    """A number that a correction can be about: not of the key."""
    numbers = [
        name
        for name, column in table.columns.items()
        if column.kind in (Kind.NUMBER, Kind.MONEY) and name not in table.key and name != "attempt"
    ]
    return numbers[-1] if numbers else None


def _is_text(drop: Drop) -> bool:
    return drop.dataset not in _NO_LINES and drop.is_plain


def _may_be_corrected(drop: Drop) -> bool:
    """Whether a wrong number in the file would pass every rule, and a higher version would replace it."""
    if drop.dataset in _VERSIONED or drop.dataset in _RULED or drop.table.format != "csv":
        return False
    return _is_text(drop) and _wrong_column(drop.table) is not None


FILE_FAULTS: dict[str, tuple[Callable[[Drop], bool], Callable[[_Soiling, Drop], Fault]]] = {
    "redelivered_file": (lambda drop: drop.is_plain, _redelivered),
    "corrected_file": (_may_be_corrected, _corrected),
    "late_file": (lambda drop: drop.is_plain, _late),
    "out_of_order_file": (lambda drop: drop.is_plain, _swapped),
    "added_column": (lambda drop: _is_text(drop) and drop.dataset not in (*_STRICT, "ad_spend"), _added_column),
    "renamed_column": (
        lambda drop: _is_text(drop) and drop.table.format == "csv" and drop.dataset not in _STRICT,
        _renamed_column,
    ),
    "planned_rows": (lambda drop: _is_text(drop) and drop.dataset == "ad_spend", _planned_rows),
}


def _duplicate(_: Table, line: bytes) -> bytes:
    return line


def _too_short(table: Table, line: bytes) -> bytes:
    """A line that stops in the middle."""
    return line[:-3] + b"\n" if table.format == "ndjson" else line.rsplit(b",", 2)[0] + b"\n"


def _undecodable(_: Table, line: bytes) -> bytes:
    return line.replace(b"o", b"\xff", 1) if b"o" in line else b"\xff" + line


def _open_quote(table: Table, line: bytes) -> bytes:
    return b"[1, 2]\n" if table.format == "ndjson" else b'"' + line


def _wrong_type(table: Table, line: bytes) -> bytes:
    name, column = next(
        (name, column) for name, column in reversed(list(table.columns.items())) if column.kind in _BAD_TEXT
    )
    return _edited(table, line, name, _BAD_TEXT[column.kind])


def _null_key(table: Table, line: bytes) -> bytes:
    return _edited(table, line, table.key[-1], None)


def _broken_rule(table: Table, line: bytes) -> bytes:
    name, value = _BROKEN_RULES[table.name]
    return _edited(table, line, name, value)


def _too_fine(table: Table, line: bytes) -> bytes:
    """Money with twelve digits after the point."""
    name = next(name for name, column in table.columns.items() if column.kind is Kind.MONEY)
    return _edited(table, line, name, "19.990000000001")


LINE_FAULTS: dict[str, tuple[Callable[[Table, bytes], bytes], str]] = {
    "duplicate_row": (_duplicate, DUPLICATE),
    "cut_line": (_too_short, MALFORMED),
    "undecodable_line": (_undecodable, MALFORMED),
    "open_quote": (_open_quote, MALFORMED),
    "wrong_type": (_wrong_type, REJECTED),
    "null_key": (_null_key, REJECTED),
    "broken_rule": (_broken_rule, REJECTED),
    "too_many_decimals": (_too_fine, REJECTED),
}


def _takes(kind: str, drop: Drop) -> bool:
    """Whether a line of the dataset can have the fault."""
    table = drop.table
    if drop.dataset in _NO_LINES or drop.header or drop.renamed:
        return False
    if kind == "open_quote":
        return drop.dataset not in _QUOTED
    if kind == "wrong_type":
        return any(column.kind in _BAD_TEXT for column in table.columns.values())
    if kind == "broken_rule":
        return drop.dataset in _BROKEN_RULES
    return kind != "too_many_decimals" or any(column.kind is Kind.MONEY for column in table.columns.values())


def _edited(table: Table, line: bytes, name: str, value: str | None) -> bytes:
    """The line with another value in one column."""
    if table.format == "ndjson":
        row = json.loads(line)
        row[name] = value
        return json.dumps(row, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
    fields = next(_rows(line))
    fields[list(table.columns).index(name)] = "" if value is None else value
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(fields)
    return out.getvalue().encode()


def _rows(line: bytes) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(line.decode()))
