"""The command line of the live shop."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import date
from pathlib import Path

from simulator.live.cast import Cast
from simulator.live.draws import Draws
from simulator.live.happening import World
from simulator.live.journal import Journal, LostTruth, OtherShop
from simulator.options import Options

_SHOP = ("seed", "customers", "products", "orders", "days", "start", "stores", "currencies")
_HERE = Path(__file__).parents[2]


def main(arguments: Sequence[str]) -> int:
    """Exit code 0 when told to stop or done, 2 when it was asked for what cannot be."""
    given = _parser().parse_args(arguments)
    if given.rate == 0 and given.events is None:
        return _refuse("flat out (--rate 0) needs --events: how many in all")
    try:
        options = Options(**{name: getattr(given, name) for name in _SHOP})
    except ValueError as error:
        return _refuse(str(error))
    return _live(given, options)


def _live(given: argparse.Namespace, options: Options) -> int:
    from penstock.errors import PenstockError
    from penstock.runtime.event_log import open_log
    from penstock.runtime.installation import Installation
    from penstock.runtime.shutdown import stop_requested
    from simulator.live.feed import feed

    try:
        installation = Installation.at(given.project, given.data_dir)
        installation.place.prepare()
        path = given.truth or installation.place.root / "simulator" / "live.jsonl"
        world = World(Cast.of(options), Draws(options.seed), options.seed, given.dirt)
        clock = installation.world.clock
        with (
            stop_requested() as stopped,
            Journal.open(path, {**_told(options), "dirt": given.dirt}) as journal,
            open_log(installation) as log,
            feed(installation.project, log, world, journal, clock, stopped) as one,
        ):
            started = time.perf_counter()
            if given.rate:
                one.paced(given.rate, most=given.events, seconds=given.every)
            else:
                one.flat_out(given.events)
            seconds = time.perf_counter() - started
    except (PenstockError, OtherShop, LostTruth) as error:
        return _refuse(str(error), code=getattr(error, "exit_code", 2))
    told = {"events": one.events, "seconds": round(seconds, 3), "per_second": round(one.events / max(seconds, 1e-9))}
    print(json.dumps(told))  # noqa: T201
    return 0


def _told(options: Options) -> dict[str, object]:
    found = {name: value for name, value in asdict(options).items() if name in _SHOP}
    return {**found, "start": options.start.isoformat()}


def _refuse(reason: str, *, code: int = 2) -> int:
    print(f"simulator: {reason}", file=sys.stderr)  # noqa: T201
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="simulator live", description="The shop while it runs: events to the topics of the project."
    )
    parser.add_argument("--project", type=Path, default=_HERE, help="folder of the project (%(default)s)")
    parser.add_argument("--data-dir", type=Path, help="folder of the data (that of the project)")
    parser.add_argument("--rate", type=int, default=1_000, help="events a second, 0: flat out (%(default)s)")
    parser.add_argument("--events", type=int, metavar="N", help="stop after about so many (never)")
    parser.add_argument("--every", type=float, default=0.1, help="seconds of events appended together (%(default)s)")
    parser.add_argument("--dirt", type=int, default=0, help="of 1000 purchases, how many of each fault (%(default)s)")
    parser.add_argument("--truth", type=Path, metavar="FILE", help="the truth, and where to go on from")
    defaults = {each.name: each.default for each in fields(Options)}
    for name in _SHOP:
        kind = date.fromisoformat if name == "start" else int
        parser.add_argument(f"--{name}", type=kind, default=defaults[name], metavar="N", help="as of the files' shop")
    return parser
