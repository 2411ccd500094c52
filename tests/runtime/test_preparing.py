"""Models and metrics are compiled beside the loading, and a run needs none of it to succeed."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.errors import TransformFailed
from penstock.lake.lake import Lake
from penstock.lake.records import read_records
from penstock.metrics import metricflow
from penstock.runtime import preparing
from penstock.runtime import run as running
from penstock.runtime.installation import Installation
from penstock.runtime.lanes import Tell, at_once, in_lanes
from penstock.runtime.place import DataDirectory
from penstock.runtime.preparing import ModelsProcess, Preparation, begun_before, preparation, prepare
from penstock.runtime.run import run
from penstock.runtime.watch import Unwatched
from penstock.serve.definitions import KIND
from penstock.transform import compiling
from penstock.world import real_world
from tests.flows.command import ROOT
from tests.flows.library import Library, loan
from tests.waiting import PATIENCE


@pytest.fixture(autouse=True)
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here a run does prepare beside itself."""
    monkeypatch.setattr(running, "preparation", preparing.preparation)


def test_the_build_finds_what_was_prepared_and_does_not_make_it_again(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    _change_a_model(library)
    installation = _installation(library, monkeypatch)
    models = installation.project.models
    assert models is not None
    prepare(models, installation.place)
    program = installation.place.cache / "dbt" / "program.json"
    prepared = program.stat().st_mtime_ns

    assert run(installation, Unwatched()).outcome == "released"

    assert program.stat().st_mtime_ns == prepared


def test_a_run_releases_where_nothing_could_be_prepared(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    _change_a_model(library)
    library.loans("wednesday", loan(9))
    monkeypatch.setattr(sys, "executable", "/bin/false")

    assert run(_installation(library, monkeypatch), Unwatched()).outcome == "released"


def test_a_run_does_not_compile_what_is_compiled_beside_it(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    _change_a_model(library)
    monkeypatch.setattr(compiling, "compile_program", _nobody)

    assert run(_installation(library, monkeypatch), Unwatched()).outcome == "released"


def test_where_nothing_was_loaded_the_compiler_begins_before_the_project_is_read(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = _endless(monkeypatch)

    with begun_before(library.project, DataDirectory(library.data)) as compiler:
        assert compiler is None
    with begun_before(tmp_path, DataDirectory(tmp_path / "data")) as compiler:
        assert compiler is None  # nothing is to be compiled
    with begun_before(library.project, DataDirectory(tmp_path / "data")) as compiler:
        assert [compiler] == begun

    assert begun[0].returncode == -signal.SIGKILL


def test_a_compiler_that_was_begun_before_is_the_one_that_compiles(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = _endless(monkeypatch)
    _change_a_model(library)
    installation = _installation(library, monkeypatch)

    with preparing._compiler(library.project / "models", library.data) as compiler:
        with preparation(installation, compiler) as prepared:
            assert prepared.process is compiler
        assert compiler.poll() is None

    assert begun == [compiler]


def test_metrics_are_compiled_beside_the_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = DataDirectory(tmp_path)
    place.prepare()
    Lake.open(place.root, real_world()).close()
    monkeypatch.setattr(metricflow, "compile_metrics", _nobody)
    told = tmp_path / "told"

    with told.open("wb") as telling:
        ModelsProcess(ROOT / "projects" / "online_retail" / "models", place, telling.fileno()).prepare()

    assert told.read_bytes() == b"."
    assert read_records(place.root, KIND)


def test_what_is_held_is_found_without_the_compilers(library: Library) -> None:
    (models,) = (path.parent for path in library.project.rglob("dbt_project.yml"))
    begin = f"import sys; from pathlib import Path; import {preparing.__name__} as it; it.{prepare.__name__}"
    done = f"{begin}(Path({str(models)!r}), it.DataDirectory(Path({str(library.data)!r}))); print(*sys.modules)"

    imported = subprocess.run([sys.executable, "-c", done], capture_output=True, text=True, check=True).stdout.split()

    assert {"dbt", "metricflow"} & set(imported) == set()


def test_it_ends_with_the_process_that_began_it(tmp_path: Path) -> None:
    with _begun(tmp_path) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=PATIENCE) == 1


def test_it_ends_well_while_the_process_that_began_it_goes_on(tmp_path: Path) -> None:
    with _begun(tmp_path) as process:
        assert process.stdin is not None
        process.stdin.write(b".")
        process.stdin.flush()
        assert process.wait(timeout=PATIENCE) == 0


def test_it_imports_nothing_from_the_folder_where_it_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "subprocess.py").write_text("open('imported', 'w').close()")
    monkeypatch.chdir(tmp_path)

    with preparing._process("models", tmp_path / "models", tmp_path / "data") as process:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=PATIENCE)

    assert not (tmp_path / "imported").exists()


def test_a_run_ends_a_compiler_that_does_not_end_and_says_so(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = _endless(monkeypatch)
    monkeypatch.setattr(preparing, "MINUTES", 0.2 / 60)
    _change_a_model(library)

    with pytest.raises(TransformFailed, match=r"Compiling the models does not end.*dbt\.log says") as told:
        run(_installation(library, monkeypatch), Unwatched())

    assert told.value.where == str(library.project / "models")
    assert [process.returncode for process in begun] == [-signal.SIGKILL]


def test_metrics_that_do_not_end_are_told_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    _endless(monkeypatch)
    with preparing._process("models", Path(), Path()) as process:
        with pytest.raises(TransformFailed, match="Compiling the metrics does not end"):
            Preparation(process, minutes=0.2 / 60).metrics(at_once)
        process.kill()


def test_who_is_interrupted_does_not_wait_for_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    _endless(monkeypatch)
    with preparing._process("models", Path(), Path()) as process:
        with pytest.raises(KeyboardInterrupt):
            in_lanes([_interrupted, Preparation(process, minutes=1).metrics], at_a_time=2)
        assert process.poll() is None
        process.kill()


def test_what_a_compiler_began_ends_with_it(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process of the metrics, as hung as that of the models: it alone still holds the pipe."""
    held, told = os.pipe()
    begin = f"import subprocess as s; s.Popen([{sys.executable!r}, '-c', {_SLEEP!r}], stdout={told}); print(flush=True)"
    _endless(monkeypatch, begin, pass_fds=(told,))
    _change_a_model(library)

    with preparation(_installation(library, monkeypatch)) as prepared:
        os.close(told)
        prepared.models()

    with open(held, "rb") as pipe:
        assert select.select([pipe], [], [], 30)[0]


_SLEEP = "import time; time.sleep(60)"


def _endless(
    monkeypatch: pytest.MonkeyPatch, first: str = "pass", *, pass_fds: tuple[int, ...] = ()
) -> list[subprocess.Popen[bytes]]:
    """Processes that neither listen nor end; those that were begun."""
    begun = []

    def begin(*_: object, group: int | None = None) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", f"{first}\n{_SLEEP}"]
        begun.append(
            subprocess.Popen(command, stdin=pipe, stdout=pipe, bufsize=0, process_group=group, pass_fds=pass_fds)
        )
        return begun[-1]

    monkeypatch.setattr(preparing, "_process", begin)
    return begun


def _interrupted(_: Tell) -> None:
    raise KeyboardInterrupt


def _begun(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "penstock.runtime.preparing", "models", str(folder / "none"), str(folder / "data")]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)


def _nobody(*_: object, **__: object) -> None:
    raise AssertionError("the run compiles")


def _installation(library: Library, monkeypatch: pytest.MonkeyPatch) -> Installation:
    for name, value in library.environment.items():
        monkeypatch.setenv(name, value)
    return Installation.at(library.project, library.data)


def _change_a_model(library: Library) -> None:
    path = next(library.project.rglob("loans_by_status.sql"))
    path.write_text(path.read_text() + "\n-- changed\n")
