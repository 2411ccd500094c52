"""The demonstration goes on: everything of the project runs, the outside world too, and the numbers move."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

from penstock.runtime.demo import command_words, outside
from penstock.runtime.installation import Installation
from penstock.runtime.pulse import Figure, Pulse
from penstock.runtime.supervisor import Part
from penstock.runtime.up import parts_of, up
from penstock.serve.live import MEASURES_PATH
from penstock.serve.server import require_free

HOST = "127.0.0.1"


def can_go_live(project: Path) -> bool:
    """Whether the project's outside world goes on by itself."""
    return hasattr(outside(project), "live")


def require_port(port: int) -> None:
    """UsageError when somebody else listens there: to be known before anything is made."""
    require_free(HOST, port)


def go_live(installation: Installation, *, port: int, say: Callable[[str], None], show: Callable[[str], None]) -> int:
    """Everything at once until told to end; the exit code. `show` gets what is to be looked at, `say` what happens."""
    world = outside(installation.project.root)
    command = tuple(world.live(installation.project.root.resolve(), installation.place.root.resolve()))
    parts = (*parts_of(installation, host=HOST, port=port), Part("outside", command))
    for line in _where(installation, world, port):
        show(line)
    figures = [Figure(table, order, tuple(columns)) for table, order, columns in world.FIGURES]
    pulse = Pulse(installation, figures)

    def meanwhile() -> None:
        for line in pulse.lines():
            show(line)

    return up(installation, parts, say=say, meanwhile=meanwhile)


def _where(installation: Installation, world: ModuleType, port: int) -> Iterator[str]:
    """Where to look while it runs."""
    live = [endpoint.path for endpoint in installation.project.live]
    measures = [MEASURES_PATH] if installation.project.measures else []
    yield ""
    yield f"Everything runs now, with {world.RATE:,} events a second from outside. Ctrl-C ends all of it."
    for path in (*measures, *live, "/openapi.json"):
        yield f"  http://{HOST}:{port}{path}"
    where = ("-p", str(installation.project.root), "--data-dir", str(installation.place.root))
    for words in (("status",), *world.LIVE_NEXT):
        yield f"  {shlex.join((command_words(), *words, *where))}"
