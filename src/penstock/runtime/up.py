"""Everything of a project at once: streams, topics into the lake, batch runs, the API; each a process of its own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from penstock.errors import LeaseHeld, UsageError
from penstock.log.lock import FolderLock
from penstock.release.record import latest_release
from penstock.runtime.installation import Installation
from penstock.runtime.parts import FILE, PartState
from penstock.runtime.shutdown import stop_requested
from penstock.runtime.supervisor import Kept, Part, Supervisor
from penstock.runtime.topology_graphs import waits_for_release

SECONDS_BETWEEN_RUNS = 300.0


def parts_of(
    installation: Installation, *, every: float = SECONDS_BETWEEN_RUNS, host: str = "127.0.0.1", port: int = 8000
) -> tuple[Part, ...]:
    """What the project's declarations ask to be running; UsageError when that is nothing."""
    project = installation.project

    def released() -> bool:
        return latest_release(installation.place.root) is not None

    where = ("--project", str(project.root), "--data-dir", str(installation.place.root))
    parts = []
    if project.streams.topologies:
        waits = not released() and waits_for_release(installation)
        parts.append(Part("stream", _command("stream", "run", *where), ready=lambda: not waits or released()))
    if any(topic.lake for topic in project.streams.topics.values()):
        parts.append(Part("land", _command("land", *where)))
    if project.sources or project.models is not None:
        parts.append(Part("run", _command("run", *where), every=every))
    if project.serves:
        serve = _command("serve", "--host", host, "--port", str(port), *where)
        parts.append(Part("serve", serve, ready=lambda: released() or not project.endpoints))
    if not parts:
        raise UsageError(
            "The project declares nothing that could run",
            where=str(project.root),
            remedy="Declare a source, a topology or an endpoint.",
        )
    return tuple(parts)


def require_address(parts: Sequence[Part], host: str, port: int) -> None:
    """UsageError when one of the parts serves and nobody can listen there."""
    from penstock.serve.server import require_free

    if any(part.name == "serve" for part in parts):
        require_free(host, port)


def up(
    installation: Installation,
    parts: Sequence[Part],
    *,
    say: Callable[[str], None],
    meanwhile: Callable[[], None] = lambda: None,
) -> int:
    """Keep the parts running until told to end; the exit code: 0, or 2 when every part had to be given up.

    `meanwhile` is called again and again, and must return soon. LeaseHeld while another one keeps parts running here.
    """
    installation.place.prepare()
    lock = _alone(installation)
    try:
        return _kept_up(installation, parts, say=say, meanwhile=meanwhile)
    finally:
        lock.release()


def _alone(installation: Installation) -> FolderLock:
    root = installation.place.root
    try:
        return FolderLock.take(root / "locks" / "up.lock", "parts", installation.world)
    except LeaseHeld as held:
        raise LeaseHeld(
            "Another `penstock up` keeps the parts of this data directory running",
            where=str(root),
            found=held.found,
            remedy="End it first, or name another data directory with `--data-dir`.",
        ) from None


def _kept_up(
    installation: Installation, parts: Sequence[Part], *, say: Callable[[str], None], meanwhile: Callable[[], None]
) -> int:
    file = installation.place.root / FILE
    untold = False  # a full disk refused it

    def tell(words: str, kept: Sequence[Kept]) -> None:
        nonlocal untold
        say(words)
        untold = not _is_written(file, kept)

    supervisor = Supervisor(parts, installation.world.clock, tell)
    with stop_requested() as stopped:

        def over() -> bool:
            nonlocal untold
            meanwhile()
            untold = untold and not _is_written(file, supervisor.kept)
            return stopped()

        supervisor.run(over)
    return 2 if all(one.given_up for one in supervisor.kept) else 0


def _is_written(path: Path, kept: Sequence[Kept]) -> bool:
    """Tell of the parts where others look, unless the disk refuses; nothing depends on it, so it is not synced."""
    states = [PartState(one.part.name, one.pid, one.restarts, one.last_exit, one.given_up) for one in kept]
    draft = path.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        draft.write_text(json.dumps([asdict(state) for state in states]))
        draft.replace(path)
        return True
    return False


def _command(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-P", "-c", "from penstock.cli.main import main; main()", *arguments)
