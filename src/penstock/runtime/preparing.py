"""What needs the declarations alone, made while data are loaded: models compiled by dbt, metrics by MetricFlow.

Both take seconds in which one core does nothing else, and only when the models changed. They are made in processes
of their own, the metrics as soon as dbt has read the declarations, and are left where the build and the release look
for them. Where nothing was ever loaded the first of them begins before the project is read: what it imports takes a
second, in which one core has nothing else to do. A process may fail or be killed at any moment: what it did not make is
made there, where it is told what is wrong. One that does not end is ended, for it would not end there either.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.errors import PenstockError, TransformFailed
from penstock.lake.records import put_record, read_record
from penstock.release.record import latest_release
from penstock.runtime.lanes import Tell, at_once
from penstock.runtime.place import DataDirectory
from penstock.world import real_world

if TYPE_CHECKING:
    from penstock.runtime.installation import Installation  # reads projects, which no compiler does

_MODELS, _METRICS = "models", "metrics"  # what a process makes
_COMPILERS = {_MODELS: "penstock.transform.compiling", _METRICS: "penstock.metrics.metricflow"}
MINUTES = 15  # that a run waits for what is compiled beside it
_LOOK = 0.1  # seconds between two looks whether to go on waiting


@dataclass(frozen=True)
class Preparation:
    """The process, or none where there is nothing to prepare, and how long to wait for what it makes."""

    process: subprocess.Popen[bytes] | None
    folder: Path | None = None
    logs: Path | None = None
    minutes: float = 0

    def begin(self) -> None:
        """Let it work on the data directory: nobody else does now."""
        if self.process is not None and self.process.stdin is not None:
            with suppress(BrokenPipeError):
                self.process.stdin.write(b".")

    def models(self) -> None:
        """Wait until the models are compiled, or will not be. Raises TransformFailed when that takes too long."""
        self._told(_MODELS, at_once)

    def metrics(self, tell: Tell) -> None:
        """Wait until the metrics are compiled as well, or will not be, or the lane is to stop. Raises TransformFailed."""
        while self._told(_METRICS, tell):
            pass

    def _told(self, what: str, tell: Tell) -> bytes:
        """The next byte that it says: none when it ended."""
        if self.process is None or self.process.stdout is None:
            return b""
        for _ in range(round(self.minutes * 60 / _LOOK)):
            if select.select([self.process.stdout], [], [], _LOOK)[0]:
                return self.process.stdout.read(1)
            tell(_nothing)
        raise TransformFailed(
            f"Compiling the {what} does not end",
            where=str(self.folder),
            expected=f"an end within {self.minutes:g} minutes",
            found="none; its process was ended",
            remedy=f"Mend the file that it stops at ({self.logs}/dbt.log says what dbt did last), then run again.",
        )


def _nothing() -> None:
    pass


@contextmanager
def preparation(installation: Installation, compiler: subprocess.Popen[bytes] | None = None) -> Iterator[Preparation]:
    """Make ready to prepare when the models are not those of the last release, in the process that is `begun_before` if
    there is one; what is begun here ends with the block at the latest."""
    models, place = installation.project.models, installation.place
    last = latest_release(place.root)
    if models is None or (last is not None and last.models == installation.project.models_fingerprint):
        yield Preparation(None)
        return
    with _compiler(models, place.root) if compiler is None else nullcontext(compiler) as process:
        yield Preparation(process, models, place.logs, MINUTES)


@contextmanager
def begun_before(project: Path, place: DataDirectory) -> Iterator[subprocess.Popen[bytes] | None]:
    """The process that will compile the models of a folder, where there are any and nothing was ever loaded; it does
    nothing but make ready before a `Preparation` begins, and ends with the block at the latest."""
    models = project / "models"
    if place.exists or not (models / "dbt_project.yml").is_file():
        yield None
        return
    with _compiler(models.resolve(), place.root) as process:
        yield process


@contextmanager
def _compiler(models: Path, root: Path) -> Iterator[subprocess.Popen[bytes]]:
    with _process(_MODELS, models, root, group=0) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError, PermissionError):  # both are over
                os.killpg(process.pid, signal.SIGKILL)  # it and the process of the metrics, which is in its group


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


def _process(what: str, given: Path, root: Path, *, group: int | None = None) -> subprocess.Popen[bytes]:
    """Another process of this module; it waits for a byte, and ends with its standard input. In group 0 it leads one of
    its own, which Ctrl-C does not reach."""
    module = ["-P", "-m", "penstock.runtime.preparing"]  # not what lies in the folder where somebody runs it
    command = [sys.executable, *module, what, str(given), str(root)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, bufsize=0, process_group=group)


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
    gc.freeze()  # or Python looks through all that was made once more as it ends, which takes a second of a core


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
