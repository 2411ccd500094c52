"""What needs the declarations alone, made while data are loaded: models compiled by dbt, metrics by MetricFlow.

Both take seconds in which one core does nothing else, and only when the models changed. They are made in a process
of its own, which leaves them where the build looks for them. It may fail or be killed at any moment: the build then
makes them itself, and tells what is wrong.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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

    def finish(self) -> None:
        """Wait until it has done what it can."""
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
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet) as process:
        try:
            yield Preparation(process)
        finally:
            process.kill()


def prepare(models: Path, place: DataDirectory) -> None:
    """Compile the models of a folder and their metrics, and keep both. Raises what the build would raise."""
    from penstock.metrics.declaration import fingerprint_of
    from penstock.metrics.metricflow import compile_metrics
    from penstock.serve.definitions import KIND
    from penstock.transform.build import read_program
    from penstock.transform.workspace import Limits
    from penstock.transform.workspace import prepare as workspace_of

    workspace = workspace_of(place.cache / "dbt", models=models, database=place.building, limits=Limits())
    manifest = read_program(workspace, log=place.logs).semantic_manifest
    if manifest is None or read_record(place.root, KIND, fingerprint_of(manifest)) is not None:
        return
    compiled = compile_metrics(manifest)
    put_record(place.root, KIND, compiled.fingerprint, compiled.as_record(), at=real_world().clock.now())


def _end_with_parent() -> None:
    """Whoever started this holds the other end of standard input: when it is gone, so is this process, at once."""
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(PenstockError, OSError):
        prepare(Path(sys.argv[1]), DataDirectory(Path(sys.argv[2])))
