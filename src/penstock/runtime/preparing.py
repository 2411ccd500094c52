"""What needs the declarations alone, made while data are loaded: models compiled by dbt, metrics by MetricFlow.

Both take seconds in which one core does nothing else, and only when the models changed. They are made in a process
of its own, which leaves them where the build and the release look for them. It may fail or be killed at any moment:
they are then made there, where it is told what is wrong.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from penstock.errors import PenstockError
from penstock.lake.records import put_record, read_record
from penstock.release.record import latest_release
from penstock.runtime.installation import Installation
from penstock.runtime.place import DataDirectory
from penstock.world import real_world


class Preparation:
    """The process, or none where there is nothing to prepare."""

    def __init__(self, process: subprocess.Popen[bytes] | None) -> None:
        self._process = process

    def models(self) -> None:
        """Wait until the models are compiled, or will not be."""
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.read(1)

    def metrics(self) -> None:
        """Wait until the metrics are compiled as well, or will not be."""
        if self._process is not None:
            self._process.wait()


@contextmanager
def preparation(installation: Installation) -> Iterator[Preparation]:
    """Begin to prepare when the models are not those of the last release; it ends with the block at the latest."""
    models, place = installation.project.models, installation.place
    last = latest_release(place.root)
    if models is None or (last is not None and last.models == installation.project.models_fingerprint):
        yield Preparation(None)
        return
    command = [sys.executable, "-m", "penstock.runtime.preparing", str(models.resolve()), str(place.root)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as process:
        try:
            yield Preparation(process)
        finally:
            process.kill()


def prepare(models: Path, place: DataDirectory, *, compiled: Callable[[], object] = lambda: None) -> None:
    """Compile the models of a folder, say so, then their metrics, and keep both. Raises what the build would raise."""
    from penstock.metrics.declaration import fingerprint_of
    from penstock.serve.definitions import KIND
    from penstock.transform.build import read_program
    from penstock.transform.workspace import Limits
    from penstock.transform.workspace import prepare as workspace_of

    workspace = workspace_of(place.cache / "dbt", models=models, database=place.building, limits=Limits())
    manifest = read_program(workspace, log=place.logs).semantic_manifest
    compiled()
    if manifest is None or read_record(place.root, KIND, fingerprint_of(manifest)) is not None:
        return
    from penstock.metrics.metricflow import compile_metrics

    metrics = compile_metrics(manifest)
    put_record(place.root, KIND, metrics.fingerprint, metrics.as_record(), at=real_world().clock.now())


def _end_with_parent() -> None:
    """Whoever started this holds the other end of standard input: when it is gone, so is this process, at once."""
    sys.stdin.buffer.read()
    os._exit(1)


def _main(models: Path, root: Path) -> None:
    """Prepare, and write one byte to standard output when the models are compiled."""
    gc.set_threshold(100_000, 20, 100)  # declarations become trees that stay: to look through them again finds nothing
    threading.Thread(target=_end_with_parent, daemon=True).start()
    told = os.dup(1)
    os.dup2(2, 1)  # what dbt prints is for nobody
    with suppress(PenstockError, OSError):
        prepare(models, DataDirectory(root), compiled=partial(os.write, told, b"."))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
