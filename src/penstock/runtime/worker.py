"""What a worker process of the server runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from fastapi import FastAPI

from penstock.runtime.exposition import exposition
from penstock.runtime.topology_state import states_in
from penstock.runtime.traffic_state import Telling
from penstock.serve import asgi
from penstock.serve.live import Streaming
from penstock.serve.traffic import Traffic
from penstock.world import real_world

NAME = "penstock.runtime.worker:make"


def make() -> FastAPI:
    """The application, in a process that its parent may end."""
    traffic = Traffic()
    return asgi.make(real_world(), streaming, partial(telling, traffic), traffic)


def telling(traffic: Traffic, root: Path) -> Callable[[], bytes]:
    """How a data directory is doing, for Prometheus. This worker tells of its own traffic from now on."""
    own, clock = Telling(root, traffic), real_world().clock
    own.begin()

    def tell() -> bytes:
        own.tell()
        return exposition(root, clock)

    return tell


def streaming(root: Path) -> Streaming:
    """How far the topologies of a data directory are, as they told last."""
    return {
        state.topology: {"watermark": state.watermark, "lag": state.lag, "at": state.at} for state in states_in(root)
    }
