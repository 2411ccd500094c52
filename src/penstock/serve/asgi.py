"""The application as a worker process makes it, from what its parent put into the environment."""

from __future__ import annotations

import gc
import json
import os
from pathlib import Path

from fastapi import FastAPI

from penstock.serve.app import make_app
from penstock.serve.lifetime import outlive_nobody
from penstock.serve.site import Current
from penstock.store.sqlite import SqliteStore

VARIABLE = "PENSTOCK_SERVING"


def setting(*, store: Path, root: Path, cors: tuple[str, ...]) -> str:
    """What `make` finds in the environment under `VARIABLE`."""
    return json.dumps({"store": str(store), "root": str(root), "cors": cors})


def make() -> FastAPI:
    """The application over the store in a folder."""
    outlive_nobody()
    given = json.loads(os.environ[VARIABLE])
    app = make_app(Current(SqliteStore(Path(given["store"]))), Path(given["root"]), cors=given["cors"])
    gc.collect()
    gc.freeze()  # what is there now stays, so no request waits while it is looked through for garbage
    return app
