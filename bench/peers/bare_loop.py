"""The arithmetic of the job alone as a tight loop over the same log: dictionaries and Welford. No row is held to its
contract, none is late, and nothing is written: neither live tables nor state nor positions.

python -m bench.peers.bare_loop DATA ROWS      takes so many rows and prints what it found, and in how many seconds
"""

from __future__ import annotations

import json
import math
import sys
import time
from contextlib import closing
from pathlib import Path

from bench.payments import MINIMUM, THRESHOLD, TOPIC, installed
from penstock.log.protocol import beginning
from penstock.runtime.event_log import open_log

MINUTE, DAY = 60_000_000, 86_400_000_000


def main(data: Path, rows: int) -> dict[str, float]:
    statistics: dict[str, tuple[int, float, float]] = {}
    minutes: dict[tuple[str, int], tuple[int, int]] = {}
    days: dict[tuple[str, int], tuple[int, int]] = {}
    odd = taken = 0
    begin = time.perf_counter()
    with open_log(installed(data)) as log, closing(log.reader(beginning(log, TOPIC))) as reader:
        while taken < rows and (chunks := reader.poll(50_000, 0.0)):
            for chunk in chunks:
                batch = chunk.records
                members = batch.column("member").to_pylist()
                paid = batch.column("amount").to_pylist()
                amounts = [int(one * 100) for one in paid]
                times = batch.column("paid_at").cast("int64").to_pylist()
                for member, amount, at in zip(members, amounts, times, strict=True):
                    count, mean, squares = statistics.get(member, (0, 0.0, 0.0))
                    distance = amount - mean
                    if count >= MINIMUM and squares > 0 and distance / math.sqrt(squares / (count - 1)) > THRESHOLD:
                        odd += 1
                    count += 1
                    mean += distance / count
                    statistics[member] = (count, mean, squares + distance * (amount - mean))
                    for table, size in ((minutes, MINUTE), (days, DAY)):
                        key = (member, at - at % size)
                        number, total = table.get(key, (0, 0))
                        table[key] = (number + 1, total + amount)
                taken += batch.num_rows
    seconds = time.perf_counter() - begin
    return {
        "rows": taken,
        "seconds": seconds,
        "odd": odd,
        "member_minutes": len(minutes),
        "member_days": len(days),
        "cents": sum(total for _, total in days.values()),
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))
