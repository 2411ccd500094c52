"""`python -m bench NAME`: measure the machine, run bench/NAME.py, print and keep the figures; exit 1 when a bar is missed."""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path

from bench import machine
from bench.figure import keep, show

HERE = Path(__file__).parent
BENCHMARKS = ("batch", "serve", "shop", "stream", "stream_kernels")


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in BENCHMARKS:
        print(f"usage: make bench BENCH={'|'.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    name = arguments[0]
    with tempfile.TemporaryDirectory(prefix=f"penstock-bench-{name}-") as folder:
        measured = machine.measure(Path(folder))
        print(f"machine: {machine.sentence(measured)}", flush=True)
        outcome = importlib.import_module(f"bench.{name}").run(Path(folder))
    if outcome is None:
        return 2
    show(outcome.figures)
    file = "-".join(filter(None, (name, outcome.part)))
    keep(HERE / "results" / f"{file}.json", name, outcome, measured)
    return 0 if all(figure.ok for figure in outcome.figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
