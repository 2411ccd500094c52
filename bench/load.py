"""An open-loop load generator for HTTP: requests leave when their time has come, whatever became of those before.

A latency counts from the moment at which the request was due, so a server that stalls is not spared the requests
that would have come meanwhile. Run as a program of its own, so that it does not share the server's interpreter:

    python -m bench.load 127.0.0.1:8000 500 10 < paths    # requests/s, seconds; prints JSON: latencies in ms
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

CONNECTIONS = 32


@dataclass
class Connection:
    """One kept-alive connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def get(self, path: str) -> tuple[int, int]:
        """Status and size of the body."""
        self.writer.write(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            if line[:15].lower() == b"content-length:":
                length = int(line[15:])
        await self.reader.readexactly(length)
        return int(head[9:12]), length

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


@dataclass(frozen=True)
class Load:
    """What was sent and how long each answer took, in milliseconds; `late` is how far behind its schedule
    the generator itself sent each request."""

    latencies: Sequence[float]
    late: Sequence[float]
    bytes: int

    def as_json(self) -> dict[str, object]:
        return {
            "latencies": [round(one, 3) for one in self.latencies],
            "late": [round(one, 3) for one in self.late],
            "bytes": self.bytes,
        }


async def send(host: str, port: int, paths: Sequence[str], *, rate: float, seconds: float) -> Load:
    """Ask for the paths in turn, `rate` of them each second; anything but 200 is an error."""
    idle: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        idle.put_nowait(Connection(*await asyncio.open_connection(host, port)))
    latencies: list[float] = []
    received = 0
    late: list[float] = []

    async def one(path: str, due: float) -> None:
        nonlocal received
        connection = await idle.get()
        status, size = await connection.get(path)
        latencies.append((time.perf_counter() - due) * 1000)
        if status != 200:
            raise AssertionError(f"{path} was answered with {status}")
        received += size
        idle.put_nowait(connection)

    began = time.perf_counter() + 0.1
    async with asyncio.TaskGroup() as tasks:
        for number, path in zip(range(int(rate * seconds)), itertools.cycle(paths), strict=False):
            due = began + number / rate
            wait = due - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            late.append((time.perf_counter() - due) * 1000)
            tasks.create_task(one(path, due))
    while not idle.empty():
        await idle.get_nowait().close()
    return Load(latencies, late, received)


async def closed(host: str, port: int, paths: Sequence[str], *, seconds: float, connections: int = 16) -> float:
    """Requests a second when every connection asks again as soon as it was answered."""
    done = 0
    until = time.perf_counter() + seconds

    async def ask(offset: int) -> None:
        nonlocal done
        connection = Connection(*await asyncio.open_connection(host, port))
        for path in itertools.cycle([*paths[offset:], *paths[:offset]]):
            if time.perf_counter() >= until:
                await connection.close()
                return
            await connection.get(path)
            done += 1

    await asyncio.gather(*(ask(number) for number in range(connections)))
    return done / seconds


def main(arguments: Sequence[str]) -> int:
    address, rate, seconds = arguments
    host, _, port = address.rpartition(":")
    paths = sys.stdin.read().split()
    gc.disable()
    if rate == "closed":
        print(json.dumps(asyncio.run(closed(host, int(port), paths, seconds=float(seconds)))))
    else:
        load = asyncio.run(send(host, int(port), paths, rate=float(rate), seconds=float(seconds)))
        print(json.dumps(load.as_json()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
