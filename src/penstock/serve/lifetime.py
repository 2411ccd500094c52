"""When the server ends: told by SIGTERM or SIGINT, at any moment, and its workers with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from typing import Protocol

STOP_SECONDS = 5
"""How long requests under way may take when the server ends; then its workers are killed."""

_ENDING = (signal.SIGTERM, signal.SIGINT)


class Interruptible(Protocol):
    """What granian's server is told to end by: a flag, and the event that its main thread waits for."""

    interrupt_signal: bool
    main_loop_interrupt: threading.Event


def interrupt_when_told(server: Interruptible) -> None:
    """From now on the word to end reaches the server alone; workers are forked deaf to it (see `outlive_nobody`).

    A handler would not do: it would be inherited by workers, which would swallow the word while they load.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    threading.Thread(target=_interrupt, args=(server,), daemon=True).start()


def outlive_nobody() -> None:
    """In a worker, before it loads: it ends at the word of its parent, one that came already included, or when
    its parent is gone. Ctrl-C is meant for the parent alone."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # until granian listens
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    if multiprocessing.parent_process() is not None:
        threading.Thread(target=_end_with_parent, daemon=True).start()


def _interrupt(server: Interruptible) -> None:
    signal.sigwait(_ENDING)
    server.interrupt_signal = True
    server.main_loop_interrupt.set()
    never = threading.Event()
    while not never.wait(0.1):  # granian clears the event while it replaces a worker, and would wait for another one
        server.main_loop_interrupt.set()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
