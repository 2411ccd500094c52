"""The command line: make a shop, deliver its files, write the truth about it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any

from simulator.dirt import soil
from simulator.drops import cut, write
from simulator.options import CUTS, Options
from simulator.shop import simulate
from simulator.truth import truth

_HELP = {
    "seed": "the same seed gives the same shop",
    "customers": "customers of all stores",
    "products": "products of all stores",
    "orders": "orders of all stores",
    "days": "days the shop runs",
    "start": "its first day",
    "stores": "stores, each with a zone and a currency",
    "currencies": "currencies taken beside the stores' own",
    "sessions": "human sessions for each online order",
    "dirt": "faults of each kind (without a number: 3)",
    "odd": "how often each thing happens that is well-formed and yet wrong (without a number: 3)",
    "history": "days at the beginning that come as one file for each dataset",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 when done, 2 when the options contradict each other."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words[:1] == ["live"]:
        from simulator.live import cli as live

        return live.main(words[1:])
    given = vars(_parser().parse_args(words))
    place, truth_file = given.pop("inbox"), given.pop("truth")
    first, last = given.pop("first_due"), given.pop("last_due")
    if (day := given.pop("day")) is not None:
        first = last = day
    try:
        options = Options(**given)
    except ValueError as error:
        print(f"simulator: {error}", file=sys.stderr)  # noqa: T201
        return 2
    started = time.perf_counter()
    shop = simulate(options)
    delivered = soil(shop, cut(shop))
    files = write(delivered.drops, place, first=first, last=last)
    if truth_file is not None:
        truth_file.parent.mkdir(parents=True, exist_ok=True)
        truth_file.write_text(json.dumps(truth(shop, delivered), indent=1) + "\n", encoding="utf-8")
    seconds = time.perf_counter() - started
    print(f"{shop.rows:,} rows, {len(files):,} files written to {place} in {seconds:.1f} s")  # noqa: T201
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="simulator", description="A shop, its daily files, and the truth about it.")
    parser.add_argument("inbox", type=Path, nargs="?", default=Path("inbox"), help="folder of the files (inbox)")
    parser.add_argument("--truth", type=Path, help="write the truth to this JSON file")
    parser.add_argument("--day", type=int, help="deliver only the files that are due on this day, the first is 0")
    parser.add_argument("--first-due", type=int, metavar="N", help="only files that are due on day N or later")
    parser.add_argument("--last-due", type=int, metavar="N", help="only files that are due on day N or before")
    parser.add_argument("--cut", choices=CUTS, default=Options.cut, help="how long the span of a file is (%(default)s)")
    for each in fields(Options):
        if each.name == "cut":
            continue
        kind = date.fromisoformat if each.name == "start" else int
        extra: dict[str, Any] = {"nargs": "?", "const": 3} if each.name in ("dirt", "odd") else {}
        text = f"{_HELP[each.name]} (%(default)s)"
        parser.add_argument(f"--{each.name}", type=kind, default=each.default, metavar="N", help=text, **extra)
    return parser
