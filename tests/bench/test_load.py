"""The load generator does not spare a server that stalls."""

from __future__ import annotations

import asyncio

from bench.load import Load, send


async def stalling(*, at: int, seconds: float) -> Load:
    """Load on a server whose every connection waits together, once, when the request of that number comes."""
    seen = 0
    open_ = asyncio.Event()
    open_.set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        while await reader.readline():
            while await reader.readline() != b"\r\n":
                continue
            seen += 1
            if seen == at:
                open_.clear()
                asyncio.get_running_loop().call_later(seconds, open_.set)
            await open_.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    load = await send("127.0.0.1", port, ["/a", "/b"], rate=200, seconds=1)
    server.close()
    await server.wait_closed()
    await asyncio.sleep(0)
    return load


def test_every_request_that_was_due_while_the_server_stalled_took_its_share() -> None:
    load = asyncio.run(stalling(at=50, seconds=0.3))

    waited = [latency for latency in load.latencies if latency > 50]
    assert len(load.latencies) == 200
    assert len(waited) >= 40  # 0.3 s at 200 a second are 60 requests, the last ones hardly late
    assert max(waited) >= 290
    assert load.bytes == 400
