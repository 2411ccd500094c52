"""What this machine can do at best, measured before anything else: memory copy, fsync, hashing on one core."""

from __future__ import annotations

import hashlib
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np


def measure(folder: Path) -> dict[str, object]:
    """Takes about three seconds; `folder` must lie on the disk that the benchmark will use."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "memory_copy_gb_s": round(_memory_copy(), 2),
        **_fsync(folder / "fsync"),
        "sha256_mb_s": round(_sha256(), 0),
    }


def sentence(measured: Mapping[str, object]) -> str:
    return (
        f"{measured['cores']} cores of {measured['cpu']}, {measured['memory_gb']} GB; memory copy "
        f"{measured['memory_copy_gb_s']} GB/s, fsync p50 {measured['fsync_p50_ms']} ms p99 {measured['fsync_p99_ms']} ms, "
        f"sha256 on one core {measured['sha256_mb_s']} MB/s"
    )


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _memory_copy(megabytes: int = 256, times: int = 8) -> float:
    """Best of several copies, GB copied per second."""
    source = np.ones(megabytes * 131_072, dtype=np.float64)
    target = np.empty_like(source)
    return source.nbytes / 1e9 / min(_seconds(lambda: np.copyto(target, source)) for _ in range(times))


def _fsync(path: Path, times: int = 200) -> dict[str, float]:
    """Append 4 KB and fsync, as a commit does."""
    block, taken = os.urandom(4096), []
    with open(path, "wb", buffering=0) as file:
        for _ in range(times):
            file.write(block)
            taken.append(_seconds(lambda: os.fsync(file.fileno())) * 1000)
    path.unlink()
    return {"fsync_p50_ms": round(statistics.median(taken), 3), "fsync_p99_ms": round(percentile(taken, 99), 3)}


def _sha256(megabytes: int = 64, times: int = 3) -> float:
    content = bytes(megabytes * 1_000_000)
    return megabytes / min(_seconds(lambda: hashlib.sha256(content).digest()) for _ in range(times))


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def percentile(values: list[float], per_cent: float) -> float:
    """Nearest rank: the smallest value that `per_cent` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * int(per_cent * 10) // 1000) - 1)]
