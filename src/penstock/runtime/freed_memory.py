"""What becomes of memory that a round gave back.

Every round makes and drops arrays of megabytes. What is given back to the system comes again as pages that it has to fill
with zeros first, which took a tenth of the processor time of a stream; so this process keeps it for the next round.
"""

from __future__ import annotations

import ctypes

import pyarrow as pa

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of malloc.h
_KEPT = 1 << 30  # bytes
_LARGEST = 32 << 20  # bytes of an array that is kept; the C library takes no more


def keep_freed_memory() -> None:
    """Of arrays of NumPy and Arrow, which then take it from one place. Nothing is changed where the C library is not
    GNU's."""
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None and set_option(_TRIM_THRESHOLD, _KEPT) and set_option(_MMAP_THRESHOLD, _LARGEST):
        pa.set_memory_pool(pa.system_memory_pool())
