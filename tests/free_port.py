"""A port for a server of a test, that nobody else takes before the server does."""

from __future__ import annotations

import random
import socket

# Below those that the system gives by itself to whoever connects to something.
PORTS = range(20_000, 32_000)


def free_port() -> int:
    """Nobody listens there. The UDP port of the same number is held until this process ends, so that no other process of
    the suites is given it as well."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            claim.bind(("127.0.0.1", port))
            with socket.create_server(("127.0.0.1", port)):
                claim.detach()
                return port
        except OSError:
            claim.close()
