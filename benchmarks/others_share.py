"""How much of this machine's cores other programs used while something was timed."""

from __future__ import annotations

import os
import pathlib
import re
import time

STAT = pathlib.Path('/proc/stat')  # of Linux
_LINE = re.compile(r'^cpu(\d+) (.+)$', re.MULTILINE)
_IDLE = (3, 4)  # the columns idle and iowait of a core's line
_COLUMNS = 8  # those that follow are of guests, and are in the first two already


class Others:
    """Watches the cores of this process from its making on."""

    def __init__(self) -> None:
        self._wall, self._own = time.perf_counter(), time.process_time()
        self._busy = _busy_seconds()

    def share(self) -> float | None:
        """What others used of these cores since then, 0 to 1; None where nobody counts it.

        The system counts in hundredths of a second: a short time gives a coarse share.
        """
        busy = _busy_seconds()
        if busy is None or self._busy is None:
            return None
        passed = (time.perf_counter() - self._wall) * len(os.sched_getaffinity(0))
        used = busy - self._busy - (time.process_time() - self._own)
        return min(max(used / passed, 0.0), 1.0)


def _busy_seconds() -> float | None:
    """Seconds that this process's cores were busy since the machine started, all together."""
    if not STAT.exists():
        return None
    lines = {int(core): columns.split() for core, columns in _LINE.findall(STAT.read_text())}
    own = os.sched_getaffinity(0)
    if not own <= lines.keys():  # A container may hide the cores that it does not have.
        return None
    ticks = sum(
        int(column)
        for core in own
        for place, column in enumerate(lines[core][:_COLUMNS])
        if place not in _IDLE
    )
    return ticks / os.sysconf('SC_CLK_TCK')
