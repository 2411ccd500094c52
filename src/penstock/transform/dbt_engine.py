"""dbt in this process: this module and `dbt_once` alone import it. Quiet, offline, without a traceback to the user."""

from __future__ import annotations

import errno
import logging
import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner, dbtRunnerResult
    from dbt.contracts.graph.semantic_manifest import SemanticManifest

from penstock.errors import DeclarationError, PenstockError, StorageError
from penstock.transform.dbt_once import Once
from penstock.transform.failure import check_described
from penstock.transform.ran import Ran
from penstock.transform.workspace import Workspace

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO}
_NAMED = re.compile(r"\((\S+\.(?:sql|py|ya?ml|csv))\)")  # how dbt names a file in a sentence
_HEADING = re.compile(r"(Runtime|Database|Compilation) Error in (model|test|seed|snapshot) ")
_SILENCE = [
    "--quiet",
    "--no-print",
    "--no-use-colors",
    "--no-use-colors-file",
    "--no-send-anonymous-usage-stats",
    "--no-version-check",
    "--partial-parse",
    "--log-level=none",
]


class Dbt:
    """Commands on one workspace. The manifest is parsed once and handed to the commands that follow.

    `log` is the folder of dbt's own log, None where there is to be none. The warehouse file is open only while a
    command runs.
    """

    def __init__(self, workspace: Workspace, *, log: Path | None) -> None:
        self._workspace = workspace
        self._log = None if log is None else log.resolve()
        self._manifest: Any = None
        self._said: list[str] = []
        self._once = Once()

    def parse(self) -> Any:
        """The manifest of the project; DeclarationError with file and reason when dbt cannot read it, or when it describes
        a model that is not there."""
        result = self._invoke(["parse"])
        if result.exception is not None or not result.success:
            raise self._unreadable(result.exception)
        check_described(result.result, self._workspace)
        self._manifest = result.result
        return self._manifest

    def run(self, selectors: Sequence[str]) -> tuple[Ran, ...]:
        """Build the models, seeds and snapshots selected; one outcome each, in the order they finished."""
        exclude = ["--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"]
        return self._outcomes(["build", *exclude], selectors)

    def test(self, selectors: Sequence[str]) -> tuple[Ran, ...]:
        """Run the tests selected, whatever the others say; one outcome each."""
        return self._outcomes(["test"], selectors)

    def compile(self, selectors: Sequence[str] = (), *, incremental: bool) -> Mapping[str, Ran]:
        """The SQL of the nodes selected (all of them by default) and of no test that reads them, none run: of an incremental
        model that of the rows that come, or that of all its rows. DeclarationError when a node cannot be compiled."""
        chosen = ["--indirect-selection", "empty", "--select", *sorted(selectors)] if selectors else []
        result = self._invoke(["compile", *chosen, *([] if incremental else ["--full-refresh"])])
        finished: Any = result.result
        if finished is None or not result.success:
            raise self._unreadable(result.exception or _first_error(finished))
        return {one.id: one for one in map(_ran, finished.results)}

    def semantic_manifest(self) -> str | None:
        """Semantic models and metrics of the parsed project as dbt's JSON; None when it declares no metric."""
        if not self._manifest.metrics:
            return None
        path = self._workspace.target / "semantic_manifest.json"
        with _quiet():
            SemanticManifest(self._manifest).write_json_to_file(str(path))
        return path.read_text(encoding="utf-8")

    def docs(self) -> None:
        """Write manifest, catalogue and the one-page site into the workspace's target folder."""
        result = self._invoke(["docs", "generate", "--static"])
        if result.exception is not None or not result.success:
            raise self._unreadable(result.exception)

    def _outcomes(self, command: Sequence[str], selectors: Sequence[str]) -> tuple[Ran, ...]:
        if not selectors:
            return ()
        result = self._invoke([*command, "--select", *sorted(selectors)])
        finished: Any = result.result
        if finished is None:
            raise self._unreadable(result.exception)
        return tuple(_ran(one) for one in finished.results)

    def _invoke(self, command: Sequence[str]) -> dbtRunnerResult:
        folder = str(self._workspace.folder)
        places = ["--project-dir", folder, "--profiles-dir", folder, "--log-path", str(self._log or folder)]
        logged = f"--log-level-file={'none' if self._log is None else 'info'}"
        written = "--write-json" if command[0] == "docs" else "--no-write-json"
        self._said.clear()
        with _quiet(), _own_settings(), self._once.at_work():
            try:
                dbt = dbtRunner(manifest=self._manifest, callbacks=[self._listen])
                return dbt.invoke([*_SILENCE, logged, written, *command, *places])
            finally:
                release_database()

    def _listen(self, event: Any) -> None:
        """What is wrong with metrics is said in events alone; the exception only says that something is."""
        if event.info.name == "SemanticValidationFailure" and event.info.level == "error":
            self._said.append(" ".join(event.info.msg.split()))

    def _unreadable(self, exception: BaseException | None) -> PenstockError:
        if isinstance(exception, KeyboardInterrupt):
            raise exception
        if isinstance(exception, OSError) and exception.errno in _DISK:
            return StorageError(
                "The disk refused what dbt writes",
                where=str(self._workspace.folder),
                found=exception.strerror,
                remedy="Make room or mend the permissions, then run again; nothing was released.",
            )
        found = "; ".join(self._said) or message_of(exception)
        told = "" if self._log is None else f"; dbt's own log is {self._log / 'dbt.log'}"
        return DeclarationError(
            "The models cannot be read by dbt",
            where=str(self._file(exception, found)),
            found=found,
            remedy=f"Correct the file{told}.",
        )

    def _file(self, exception: BaseException | None, message: str) -> Path:
        """The file that dbt means; the folder of the models where it does not say."""
        named = _NAMED.search(message)
        path = getattr(getattr(exception, "node", None), "original_file_path", None) or (named and named[1])
        file = self._workspace.models if path is None else self._workspace.declared(path)
        return file if file.exists() else self._workspace.models


def _first_error(finished: Any) -> Any:
    return next((one for one in (finished.results if finished else ()) if str(one.status) == "error"), None)


def _ran(result: Any) -> Ran:
    path = getattr(result.node, "compiled_path", None)
    return Ran(
        id=result.node.unique_id,
        status=str(result.status),
        seconds=float(result.execution_time),
        message=message_of(result.message or ""),
        failures=int(result.failures or 0),
        sql=getattr(result.node, "compiled_code", None) or "",
        compiled=None if path is None else Path(path),
    )


def message_of(exception: object) -> str:
    """dbt's message in one line, without the heading that names the node and the footing that names the file."""
    text = str(getattr(exception, "msg", None) or exception)
    lines = [line.strip() for line in text.splitlines()]
    kept = [line for line in lines if line and not _HEADING.match(line) and not line.startswith("compiled code at ")]
    return " ".join(kept or lines)


def release_database() -> None:
    """Let go of the database file: dbt-duckdb keeps it open between commands."""
    manager: Any = DuckDBConnectionManager
    environment = manager._ENV
    manager.close_all_connections()
    if environment is not None:
        environment.close()


@contextmanager
def _quiet() -> Iterator[None]:
    level, complains = logging.root.level, logging.raiseExceptions
    logging.raiseExceptions = False  # or a log on a full disk prints a traceback
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.root.setLevel(level)
            logging.raiseExceptions = complains


@contextmanager
def _own_settings() -> Iterator[None]:
    """Hide dbt's settings of the user's shell (a full refresh, another target); `DBT_ENV_` names are the models' own."""
    hidden = [name for name in os.environ if name.startswith("DBT_") and not name.startswith("DBT_ENV_")]
    before = {name: os.environ.pop(name) for name in hidden}
    try:
        yield
    finally:
        os.environ.update(before)
