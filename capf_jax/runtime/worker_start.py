"""How a process that works for another one begins: it ends with its parent, however that dies.

This module imports nothing heavy, since a worker is unprotected until it is imported.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from typing import Any

shared: Any = None  # what the parent shares with this worker

_PR_SET_PDEATHSIG = 1  # from <sys/prctl.h>: a signal for this process when its parent dies


def begin(parent: int, given: Any) -> None:
    """Makes this process a worker.

    Args:
      parent: the process that started it.
      given: becomes `shared`.
    """
    global shared
    shared = given
    # The parent handles Ctrl-C and ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == 'linux':
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # It died before the line above.
        os._exit(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """The same where the system sends no signal."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
