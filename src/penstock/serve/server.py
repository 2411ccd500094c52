"""The HTTP server: granian's worker processes around the application."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

from penstock.errors import UsageError
from penstock.serve.asgi import VARIABLE, setting
from penstock.serve.lifetime import STOP_SECONDS, interrupt_when_told
from penstock.serve.live import LiveDoor


def require_free(host: str, port: int) -> None:
    """UsageError when nobody can listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        raise UsageError(
            "The port is taken" if taken else "The address cannot be served",
            where=f"{host}:{port}",
            found=None if taken else error.strerror or str(error),
            remedy="End what listens there, or choose another one with --port."
            if taken
            else "Choose an address of this machine with --host, and a port above 1023 with --port.",
        ) from error


def listen(
    application: str,
    store: Path,
    root: Path,
    *,
    host: str,
    port: int,
    workers: int,
    cors: tuple[str, ...] = (),
    live: LiveDoor,
) -> None:
    """Serve until the process is told to end (SIGINT, SIGTERM), at whatever moment that is.

    `application` names what each worker calls (`module:function`); it ends in `asgi.make`.
    """
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    require_free(host, port)
    os.environ[VARIABLE] = setting(store=store, root=root, cors=cors, live=live)
    server = Server(
        application,
        factory=True,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        workers=workers,
        websockets=False,
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
    )
    interrupt_when_told(server)
    try:
        server.serve()
    except SystemExit:  # a worker that had the word before its parent is no failure
        if not server.interrupt_signal:
            raise
    finally:
        del os.environ[VARIABLE]
