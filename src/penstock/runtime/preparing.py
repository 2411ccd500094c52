"""What needs the declarations alone, made while data are loaded: models compiled by dbt, metrics by MetricFlow.

Both take seconds in which one core does nothing else, and only when the models changed. They are made in processes
of their own, the metrics as soon as dbt has read the declarations, and are left where the build and the release look
for them. A process may fail or be killed at any moment: what it did not make is made there, where it is told what is
wrong.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from penstock.errors import PenstockError
from penstock.lake.records import put_record, read_record
from penstock.release.record import latest_release
from penstock.runtime.installation import Installation
from penstock.runtime.place import DataDirectory
from penstock.world import real_world

_MODELS, _METRICS = "models", "metrics"  # what a process makes
_COMPILERS = {_MODELS: "penstock.transform.compiling", _METRICS: "penstock.metrics.metricflow"}


class Preparation:
    """The process, or none where there is nothing to prepare."""

    def __init__(self, process: subprocess.Popen[bytes] | None) -> None:
        self._process = process

    def begin(self) -> None:
        """Let it work on the data directory: nobody else does now."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.write(b".")

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
    """Make ready to prepare when the models are not those of the last release; it ends with the block at the latest."""
    models, place = installation.project.models, installation.place
    last = latest_release(place.root)
    if models is None or (last is not None and last.models == installation.project.models_fingerprint):
        yield Preparation(None)
        return
    with _process(_MODELS, models.resolve(), place.root) as process:
        try:
            yield Preparation(process)
        finally:
            process.kill()


def prepare(models: Path, place: DataDirectory) -> None:
    """Compile the models of a folder, then their metrics, and keep both. Raises what the build would raise."""
    prepare_metrics(place.root, prepare_models(models, place))


def prepare_models(
    models: Path, place: DataDirectory, *, parsed: Callable[[str | None], object] = lambda _: None
) -> str | None:
    """Compile the models of a folder and keep them; dbt's JSON of their metrics, which `parsed` gets before them."""
    from penstock.transform.build import read_program
    from penstock.transform.workspace import Limits
    from penstock.transform.workspace import prepare as workspace_of

    workspace = workspace_of(place.cache / "dbt", models=models, database=place.building, limits=Limits())
    return read_program(workspace, log=place.logs, parsed=parsed).semantic_manifest


def prepare_metrics(root: Path, manifest: str | None) -> None:
    """Compile the metrics of dbt's JSON and keep them, unless they are kept."""
    from penstock.metrics.declaration import fingerprint_of
    from penstock.serve.definitions import KIND

    if manifest is None or read_record(root, KIND, fingerprint_of(manifest)) is not None:
        return
    from penstock.metrics.metricflow import compile_metrics

    metrics = compile_metrics(manifest)
    put_record(root, KIND, metrics.fingerprint, metrics.as_record(), at=real_world().clock.now())


def _process(what: str, given: Path, root: Path) -> subprocess.Popen[bytes]:
    """Another process of this module; it waits for a byte, and ends with its standard input."""
    module = ["-P", "-m", "penstock.runtime.preparing"]  # not what lies in the folder where somebody runs it
    command = [sys.executable, *module, what, str(given), str(root)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, bufsize=0)


@dataclass
class ModelsProcess:
    """The process of the models, and the one of the metrics that it begins when the models are read."""

    models: Path
    place: DataDirectory
    told: int  # gets a byte when the models are compiled
    metrics: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        manifest = prepare_models(self.models, self.place, parsed=self._parsed)
        os.write(self.told, b".")
        if self.metrics is None:
            prepare_metrics(self.place.root, manifest)
        else:
            with self.metrics:
                self.metrics.wait()

    def _parsed(self, manifest: str | None) -> None:
        if manifest is not None:
            path = self.place.cache / "metrics.json"
            path.write_text(manifest, encoding="utf-8")
            self.metrics = _process(_METRICS, path, self.place.root)
            Preparation(self.metrics).begin()


def _follow_parent(begun: threading.Event) -> None:
    """Whoever started this holds the other end of standard input, and says so when it may begin: when it is gone, so is
    this process, at once. Python aborts where it ends while a thread reads `sys.stdin`."""
    while os.read(0, 1):
        begun.set()
    os._exit(1)


def _main(what: str, given: Path, root: Path) -> None:
    """Make ready, wait for the word, then prepare."""
    gc.set_threshold(100_000, 20, 100)  # declarations become trees that stay: to look through them again finds nothing
    if what == _METRICS:
        gc.disable()  # its trees are small, and made again and again: to look through them takes a seventh of the time
    begun = threading.Event()
    threading.Thread(target=_follow_parent, args=(begun,), daemon=True).start()
    told = os.dup(1)
    os.dup2(2, 1)  # what dbt prints is for nobody
    import_module(_COMPILERS[what])  # takes a second, and needs nothing
    begun.wait()
    with suppress(PenstockError, OSError):
        if what == _METRICS:
            prepare_metrics(root, given.read_text(encoding="utf-8"))
        else:
            ModelsProcess(given, DataDirectory(root), told).prepare()


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
