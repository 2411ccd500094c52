"""What was given back is used again, and not asked of the system anew."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import numpy as np
import pyarrow as pa
from penstock.runtime.freed_memory import keep_freed_memory

keep_freed_memory()

def pages_asked_for():
    begin = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    arrays = [np.ones(1 << 20) for _ in range(8)]
    del arrays
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - begin

for _ in range(3):
    pages_asked_for()
print(sum(pages_asked_for() for _ in range(5)), pa.default_memory_pool().backend_name)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is GNU's C library that is told")
def test_arrays_of_megabytes_take_the_pages_of_those_before_them() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    pages, pool = done.stdout.split()
    assert int(pages) < 100
    assert pool == "system"
