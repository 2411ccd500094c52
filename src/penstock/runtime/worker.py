"""What a worker process of the server runs."""

from __future__ import annotations

from fastapi import FastAPI

from penstock.serve import asgi
from penstock.world import real_world

NAME = "penstock.runtime.worker:make"


def make() -> FastAPI:
    """The application, in a process that its parent may end."""
    return asgi.make(real_world())
