"""Metrics over a ledger of ten million rows: asked of a running server, and as a command.

A small simulated shop is released, then the ledger and the orders in the warehouse of that release are repeated under
new order ids, spread over two years. Every sum must be so many times the one before, else no time counts.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from bench.figure import Figure
from bench.process import run as run_process
from bench.server import ended, free_port, until_answered

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ROOT / "projects" / "commerce"
PENSTOCK = Path(sys.executable).parent / "penstock"
SHOP = ("--orders", "5000", "--customers", "800", "--products", "300", "--days", "90", "--cut", "all")
ROWS, ROUNDS = 10_000_000, 5
REPEATED = {"sales_ledger": ("entry_key", "business_date"), "fact_orders": (None, "date_key")}
QUESTIONS = (
    "net_sales?by=base_currency",
    "net_sales?by=store&grain=month",
    "net_sales?by=category&by=base_currency",
    "orders?grain=day",
    "average_order_value?by=base_currency&grain=month",
    "returns?by=country&by=base_currency",
    "gross_margin?by=base_currency&grain=month",
)
SLOW_QUESTIONS = ("gross_margin?by=category&by=base_currency&grain=month",)
COMMAND = ("metrics", "query", "net_sales", "--by", "store", "--grain", "month", "--json")


class SumsDiffer(Exception):
    """The repeated ledger does not give the repeated sum."""


@dataclass
class Asked:
    """Seconds by question."""

    rows: int = 0
    served: dict[str, list[float]] = field(default_factory=dict)
    again: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    command: list[float] = field(default_factory=list)

    def figures(self) -> Iterator[Figure]:
        for question, seconds in self.served.items():
            bar = None if question in SLOW_QUESTIONS else 0.2
            yield Figure(f"{question}, running server", statistics.median(seconds), "s", bar)
        yield Figure("first question to a server that just started", statistics.median(self.first), "s")
        yield Figure("the same question again", statistics.median(self.again), "s")
        yield Figure(
            f"net_sales by store and month as a command, {self.rows:,} rows", statistics.median(self.command), "s", 1
        )

    def runs(self) -> Mapping[str, Sequence[float]]:
        return {**{f"{question}, s": seconds for question, seconds in self.served.items()}, "command, s": self.command}


def ask(folder: Path, *, rows: int = ROWS, rounds: int = ROUNDS) -> Asked:
    """Release the shop, repeat its ledger, and ask."""
    shop = _Shop(folder)
    shop.release()
    with shop.served() as address:
        once = _sums(address)
    copies, asked = shop.repeat(rows), Asked()
    asked.rows = shop.rows("sales_ledger")
    for turn in range(rounds):
        with shop.served() as address:
            began = time.perf_counter()
            total = _sums(address)
            asked.first.append(time.perf_counter() - began)
            if total != {currency: value * copies for currency, value in once.items()}:
                raise SumsDiffer(f"{total}, not {copies} times {once}")
            for question in itertools.chain(QUESTIONS, SLOW_QUESTIONS):
                # a last day of its own, so that no answer was computed before
                path = f"{question}{'&' if '?' in question else '?'}to={2200 + turn}-01-01"
                asked.served.setdefault(question, []).append(_seconds(address, path))
            asked.again.append(_seconds(address, path))
        asked.command.append(run_process([PENSTOCK, *COMMAND, *shop.place], env=shop.environment).seconds)
    for question, seconds in asked.served.items():
        print(f"  {question:<40} {statistics.median(seconds):.3f} s", flush=True)
    print(f"  {'as a command':<40} {statistics.median(asked.command):.3f} s", flush=True)
    return asked


@dataclass(frozen=True)
class _Shop:
    folder: Path

    @property
    def environment(self) -> Mapping[str, str]:
        return {"COMMERCE_INBOX": str(self.folder / "inbox")}

    @property
    def place(self) -> tuple[str, ...]:
        return ("--project", str(PROJECT), "--data-dir", str(self.folder / "data"))

    @property
    def warehouse(self) -> Path:
        return self.folder / "data" / "cache" / "warehouse-1.duckdb"

    def release(self) -> None:
        run_process([sys.executable, PROJECT / "simulator", self.folder / "inbox", *SHOP])
        run_process([PENSTOCK, "run", *self.place], env=self.environment)

    def rows(self, table: str) -> int:
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            ((count,),) = connection.execute(f"SELECT count(*) FROM gold.{table}").fetchall()
        return int(count)

    def repeat(self, rows: int) -> int:
        """Make the ledger at least `rows` long; how often each row stands there now."""
        copies = -(-rows // self.rows("sales_ledger"))
        with duckdb.connect(str(self.warehouse)) as connection:
            for table, (key, day) in REPEATED.items():
                new = ["order_id || '-' || copy AS order_id", f"{day} - CAST(copy % 8 * 91 AS INTEGER) AS {day}"]
                new += [] if key is None else [f"{key} || '-' || copy AS {key}"]
                connection.execute(
                    f"INSERT INTO gold.{table} SELECT rows.* REPLACE ({', '.join(new)}) "
                    f"FROM range(1, {copies}) AS copies (copy), gold.{table} AS rows"
                )
        return copies

    @contextmanager
    def served(self) -> Iterator[str]:
        """The address of `penstock serve`."""
        port = free_port()
        command = [str(PENSTOCK), "serve", "--port", str(port), *self.place]
        process = subprocess.Popen(command, env={**os.environ, **self.environment}, stdout=subprocess.DEVNULL)
        with ended(process):
            yield until_answered(process, port)


def _sums(address: str) -> Mapping[str, Decimal]:
    """Net sales by currency."""
    items = _get(address, "net_sales?by=base_currency")["items"]
    return {item["base_currency"]: Decimal(item["net_sales"]) for item in items}


def _seconds(address: str, path: str) -> float:
    began = time.perf_counter()
    _get(address, path)
    return time.perf_counter() - began


def _get(address: str, path: str) -> Any:
    with urllib.request.urlopen(f"http://{address}/metrics/{path}", timeout=60) as answer:
        return json.loads(answer.read(), parse_float=Decimal)
