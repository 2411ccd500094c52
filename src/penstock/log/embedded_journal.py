"""The journal of a job of the embedded log: an entry for each commit, in the segments of the job's folder."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path

from penstock.log import database
from penstock.log.open_segments import Segments
from penstock.log.segment_files import numbers


def entries(folder: Path) -> Generator[bytes]:
    """Those still retained, oldest first. They are numbered by commit; a segment begins with those since the snapshot
    that it begins with, so they are there twice."""
    last = -1
    with closing(Segments(folder)) as segments:
        for number in numbers(folder):
            segment = segments.get(number)
            if segment is None:
                continue  # dropped meanwhile
            with database.storage_errors(Path(segment.path)):
                for entry, data in segment.notes("journal", last):
                    last = entry
                    yield data
            segments.forget(number)


def oldest_entry(folder: Path) -> bytes | None:
    """None where the journal is empty."""
    with closing(entries(folder)) as every:
        return next(every, None)
