"""The application as a worker process makes it, from what its parent put into the environment."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI
from starlette.middleware import Middleware

from penstock.serve.app import make_app
from penstock.serve.exposition import health_routes
from penstock.serve.lifetime import outlive_nobody
from penstock.serve.live import LiveDoor, Streaming, live_routes
from penstock.serve.metrics import metric_routes
from penstock.serve.numbers import ReleasedNumbers
from penstock.serve.site import Current
from penstock.serve.traffic import Counting, Traffic
from penstock.store.files import FileStore
from penstock.world import World

VARIABLE = "PENSTOCK_SERVING"


def setting(*, store: Path, root: Path, cors: tuple[str, ...], live: LiveDoor | None = None) -> str:
    """What `make` finds in the environment under `VARIABLE`."""
    return json.dumps({"store": str(store), "root": str(root), "cors": cors, "live": (live or LiveDoor()).as_record()})


def make(
    world: World,
    streaming: Callable[[Path], Streaming],
    telling: Callable[[Path], Callable[[], bytes]] | None = None,
    traffic: Traffic | None = None,
) -> FastAPI:
    """The application over the store in a folder; `streaming` tells how far streams are in a data directory, `telling`
    gives what tells how it is doing, in the text of Prometheus; without it `/metrics` is not there. Requests are
    counted in `traffic`."""
    outlive_nobody()
    given = json.loads(os.environ[VARIABLE])
    current, root = Current(FileStore(Path(given["store"]))), Path(given["root"])
    numbers = ReleasedNumbers(root, world)
    live = live_routes(root / "live", LiveDoor.of_record(given["live"]), lambda: streaming(root))
    routers = [live, metric_routes(current, numbers)]
    if telling is not None:
        routers.append(health_routes(telling(root)))
    counting = [] if traffic is None else [Middleware(Counting, traffic=traffic, monotonic=world.clock.monotonic)]
    app = make_app(current, root, cors=given["cors"], routers=routers, around=counting)
    gc.collect()
    gc.freeze()  # what is there now stays, so no request waits while it is looked through for garbage
    return app
