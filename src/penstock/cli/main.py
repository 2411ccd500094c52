"""The `penstock` program: a command line in, an exit code out, whatever happens in between."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise

import typer

from penstock.cli import output
from penstock.cli.commands import app
from penstock.errors import PenstockError, StorageError, UsageError

INTERRUPTED = 130  # how Typer ends when Ctrl-C was pressed


def main() -> None:
    """Run the command line and end the process, as Python does, but without taking its memory apart first: the system
    takes that back at once, and the tidying takes as long as a command that finds nothing new."""
    code = answer()
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as multiprocessing does before os._exit
    atexit._run_exitfuncs()
    with suppress(OSError, ValueError):  # whoever read what was said may be gone
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def answer() -> int:
    """Run the command line; a user's mistake is one sentence and an exit code, never a traceback."""
    output.any_text()
    try:
        code = _code()
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    return code


def _code() -> int:
    """The exit code of the command; whatever went wrong was told."""
    as_json = _in_json(sys.argv[1:])
    try:
        code = app(standalone_mode=not as_json)
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):
            raise ended.__context__ from None
        code = ended.code
    except PenstockError as error:
        output.error(error, as_json=as_json)
        return error.exit_code
    except typer.TyperException as mistake:
        output.error(UsageError(mistake.format_message()), as_json=as_json)
        return UsageError.exit_code
    except BrokenPipeError:
        raise
    except OSError as refusal:
        output.error(_refused(refusal), as_json=as_json)
        return StorageError.exit_code
    if code == INTERRUPTED:
        output.error(
            PenstockError("stopped; what was committed stays, and the next run finishes the rest"), as_json=as_json
        )
    return int(code or 0)


def _in_json(arguments: Sequence[str]) -> bool:
    """Whether a program reads the answer: then a failure is a document too."""
    return "--json" in arguments or "--format=json" in arguments or ("--format", "json") in pairwise(arguments)


def _refused(refusal: OSError) -> StorageError:
    """What the system refused without a room having said more about it."""
    return StorageError(
        "The system refused a file or folder",
        where=None if refusal.filename is None else str(refusal.filename),
        found=refusal.strerror or str(refusal),
        remedy="Check its permissions and the room on its disk, then try again.",
    )
