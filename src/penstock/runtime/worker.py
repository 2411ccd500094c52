"""What a worker process of the server runs."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI

from penstock.runtime.exposition import exposition
from penstock.runtime.topology_state import states_in
from penstock.serve import asgi
from penstock.serve.live import Streaming
from penstock.world import real_world

NAME = "penstock.runtime.worker:make"


def make() -> FastAPI:
    """The application, in a process that its parent may end."""
    return asgi.make(real_world(), streaming, telling)


def telling(root: Path) -> bytes:
    """How a data directory is doing, for Prometheus."""
    return exposition(root, real_world().clock)


def streaming(root: Path) -> Streaming:
    """How far the topologies of a data directory are, as they told last."""
    return {
        state.topology: {"watermark": state.watermark, "lag": state.lag, "at": state.at} for state in states_in(root)
    }
