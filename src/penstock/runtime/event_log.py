"""Which event log the installation has."""

from __future__ import annotations

from penstock.log.protocol import Log
from penstock.runtime.installation import Installation


def open_log(installation: Installation) -> Log:
    """The log of the data directory."""
    from penstock.log.embedded import EmbeddedLog

    return EmbeddedLog.open(installation.place.root / "log", installation.world)
