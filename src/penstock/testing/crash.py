"""Runs a program under a faulty disk: lists the points where it may stop, and stops it at them.

    python -m penstock.testing.crash --points points.txt penstock.cli.main:main run -p shop
    python -m penstock.testing.crash --stop-at 17 --mode vanish penstock.cli.main:main run -p shop
    python -m penstock.testing.crash --each 16,17 --mode kill penstock.cli.main:main run -p shop-{point}

The target `module:function` is called without arguments and finds its own in `sys.argv`. It gets the
faulty disk wherever it asks for `penstock.world.real_world()`. With `--each` modules are imported once
and a child is forked for every point, with `{point}` replaced in the arguments.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import penstock.world
from penstock.testing.disk import FaultyDisk, Mode, Point
from penstock.world import World


@dataclass(frozen=True)
class Program:
    """A target `module:function` with its arguments, run in processes of its own."""

    target: str
    arguments: tuple[str, ...] = ()
    directory: Path | None = None

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run it under the faulty disk, with options of this module's command line."""
        command = [sys.executable, "-m", "penstock.testing.crash", *options, self.target, *self.arguments]
        return subprocess.run(command, cwd=self.directory, capture_output=True, text=True, check=False)

    def points(self) -> list[Point]:
        """Every point of an undisturbed run, in order."""
        with tempfile.TemporaryDirectory() as folder:
            listing = Path(folder) / "points"
            self._succeed("--points", str(listing))
            return [Point(**json.loads(line)) for line in listing.read_text().splitlines()]

    def crash(self, stop_at: int, mode: Mode) -> bool:
        """Stop it at a point; False when it ended before it got there."""
        done = self.run("--stop-at", str(stop_at), "--mode", mode)
        if done.returncode not in (0, -signal.SIGKILL):
            raise RuntimeError(f"the program failed before the fault: {done.stderr}")
        return done.returncode != 0

    def crash_each(self, points: Iterable[Point], mode: Mode) -> None:
        """Run it once for every point and stop it there; `{point}` in an argument becomes the number."""
        self._succeed("--each", _numbers(points), "--mode", mode)

    def complete_each(self, points: Iterable[Point]) -> None:
        """Run it once for every point without any fault; `{point}` in an argument becomes the number."""
        self._succeed("--each", _numbers(points))

    def _succeed(self, *options: str) -> None:
        done = self.run(*options)
        if done.returncode != 0:
            raise RuntimeError(f"the program failed by itself: {done.stderr}")


def one_of_each_kind(points: Iterable[Point]) -> list[Point]:
    """The last point of each class, by number: the later, the more there is to lose."""
    last = {point.kind: point for point in points}
    return sorted(last.values(), key=lambda point: point.number)


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = _parser().parse_args(arguments)
    given = _Given(replace(penstock.world.real_world(), at_a_time=1))  # so that a point is the same in every run
    penstock.world.real_world = given
    module, _, name = chosen.target.partition(":")
    function = getattr(importlib.import_module(module), name)
    stop_points = [chosen.stop_at] if chosen.each is None else [int(text) for text in chosen.each.split(",")]
    for number in stop_points:
        disk = FaultyDisk(stop_at=None if chosen.mode is None else number, mode=chosen.mode or Mode.KILL)
        if chosen.points is not None:
            disk.seen = _Listing(chosen.points)
        given.world = replace(given.world, disk=disk)
        sys.argv = [chosen.target, *(text.replace("{point}", str(number)) for text in chosen.arguments)]
        if chosen.each is None:
            function()
        else:
            _in_child(function, may_stop=chosen.mode is not None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m penstock.testing.crash")
    parser.add_argument("--points", type=Path, help="write every point to this file, one JSON object a line")
    parser.add_argument("--stop-at", type=int, help="stop the process at the point of this number, from 1")
    parser.add_argument("--each", help="numbers of points, by comma: one run in a child for each")
    parser.add_argument("--mode", type=Mode, choices=list(Mode), help="how to stop; without it nothing stops")
    parser.add_argument("target", help="module:function")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser


class _Given:
    """What stands in the place of `real_world`."""

    def __init__(self, world: World) -> None:
        self.world = world

    def __call__(self) -> World:
        return self.world


class _Listing:
    def __init__(self, path: Path) -> None:
        self._stream = path.open("w")

    def __call__(self, point: Point) -> None:
        self._stream.write(json.dumps(asdict(point)) + "\n")
        self._stream.flush()


def _in_child(function: Callable[[], object], *, may_stop: bool) -> None:
    child = os.fork()
    if child == 0:
        try:
            function()
        except SystemExit as leaving:
            os._exit(0 if not leaving.code else 1)
        except BaseException:  # noqa: BLE001 - the child must not return into the parent's loop
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code != (-signal.SIGKILL if may_stop else 0):
        raise SystemExit(f"{' '.join(sys.argv)}: ended with {code}")


def _numbers(points: Iterable[Point]) -> str:
    return ",".join(str(point.number) for point in points)


if __name__ == "__main__":
    main()
