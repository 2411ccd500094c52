"""The application as a worker process makes it, from what its parent put into the environment."""

from __future__ import annotations

import gc
import json
import os
import signal
from pathlib import Path

from fastapi import FastAPI

from penstock.serve.app import make_app
from penstock.serve.site import Current
from penstock.store.sqlite import SqliteStore

VARIABLE = "PENSTOCK_SERVING"


def setting(*, store: Path, root: Path, cors: tuple[str, ...]) -> str:
    """What `make` finds in the environment under `VARIABLE`."""
    return json.dumps({"store": str(store), "root": str(root), "cors": cors})


def make() -> FastAPI:
    """The application over the store in a folder."""
    _can_be_ended()
    given = json.loads(os.environ[VARIABLE])
    app = make_app(Current(SqliteStore(Path(given["store"]))), Path(given["root"]), cors=given["cors"])
    gc.collect()
    gc.freeze()  # what is there now stays, so no request waits while it is looked through for garbage
    return app


def _can_be_ended() -> None:
    """A worker is forked with its parent's handlers, which would swallow the word to end while it loads.

    Until granian puts the worker's own in place, SIGTERM ends it at once; Ctrl-C goes to the whole group, and the
    parent passes it on.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
