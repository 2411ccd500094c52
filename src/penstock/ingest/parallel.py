"""Several files read ahead on threads, handed over in the order asked for.

Threads suffice: hashing, decompression and Arrow leave the interpreter free, so two threads read CSV up to
twice as fast. JSON is decoded under the interpreter's lock: one thread reads it ahead of the caller's own
work. Processes were measured: to start them and to carry the rows over costs what they save.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from queue import Full, Queue
from threading import Event
from typing import TypeAlias

from penstock.ingest.batch import Batch
from penstock.ingest.file import FoundFile
from penstock.ingest.reading import BATCH_ROWS, read_file
from penstock.spec.source import FileFormat, Source

# Batches of one file that wait for the caller, files that are read or wait per worker, seconds between looks at `stop`.
WAITING_BATCHES = 2
AHEAD = 2
PATIENCE = 0.1

_Item: TypeAlias = "Batch | Exception | None"


def read_files(
    source: Source, files: Sequence[FoundFile], *, workers: int, batch_rows: int = BATCH_ROWS
) -> Iterator[tuple[FoundFile, Batch]]:
    """Every batch of every file, as `read_file` one file after the other would give them.

    At most `2 * workers` files are under way, each with at most four batches in memory. An error comes
    in its file's place, after the batches of the files before it. Close the iterator to stop early.
    """
    if workers <= 1 or len(files) <= 1:
        for file in files:
            for batch in read_file(source, file, batch_rows=batch_rows):
                yield file, batch
        return
    stop = Event()
    threads = 1 if source.format in (FileFormat.NDJSON, FileFormat.JSON) else workers
    with ThreadPoolExecutor(threads, thread_name_prefix="ingest") as pool:
        lanes: deque[tuple[FoundFile, _Lane]] = deque()
        waiting = iter(files)
        try:
            while True:
                for coming in islice(waiting, AHEAD * threads - len(lanes)):
                    lanes.append((coming, _Lane(stop)))
                    pool.submit(lanes[-1][1].fill, source, coming, batch_rows)
                if not lanes:
                    return
                file, lane = lanes.popleft()
                for batch in lane.drain():
                    yield file, batch
        finally:
            stop.set()


class _Lane:
    """The way of one file's batches from its thread to the caller; None ends it."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop
        self._queue: Queue[_Item] = Queue(WAITING_BATCHES)

    def fill(self, source: Source, file: FoundFile, batch_rows: int) -> None:
        last: Exception | None = None
        if self._stop.is_set():
            return
        try:
            for batch in read_file(source, file, batch_rows=batch_rows):
                if not self._put(batch):
                    return
        except Exception as error:  # noqa: BLE001 (handed to the caller's thread, which raises it)
            last = error
        self._put(last)

    def drain(self) -> Iterator[Batch]:
        while (item := self._queue.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item

    def _put(self, item: _Item) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=PATIENCE)
            except Full:
                continue
            return True
        return False
