"""What a process uses, as the system tells of it under /proc; nothing where it does not."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_RESIDENT = 1  # the field of /proc/PID/statm, in pages
_TIMES = slice(11, 13)  # user and system time in /proc/PID/stat after the name of the program, in ticks
_STATE, _INODE = 3, 9  # fields of /proc/PID/net/tcp
_ESTABLISHED = "01"


def used_by(process: int) -> tuple[int, float] | None:
    """Resident bytes and seconds of processor time of a process; None when it is gone or the system does not tell."""
    with suppress(OSError, ValueError, IndexError):
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[_RESIDENT])
        ticks = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[_TIMES]
        return pages * os.sysconf("SC_PAGE_SIZE"), sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
    return None


def connections_of(process: int) -> int | None:
    """Open TCP connections of a process; None when it is gone or the system does not tell."""
    with suppress(OSError, ValueError, IndexError):
        established: set[str] = set()
        for name in ("tcp", "tcp6"):
            rows = [line.split() for line in Path(f"/proc/{process}/net/{name}").read_text().splitlines()[1:]]
            established.update(f"socket:[{row[_INODE]}]" for row in rows if row[_STATE] == _ESTABLISHED)
        return len(established.intersection(_opened(process)))
    return None


def _opened(process: int) -> list[str]:
    found = []
    for one in os.scandir(f"/proc/{process}/fd"):
        with suppress(OSError):  # closed meanwhile
            found.append(os.readlink(one.path))
    return found
