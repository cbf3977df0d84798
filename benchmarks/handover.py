"""Whether this machine's cores share a cache at the moment: a host may move its guests' cores.

A processor of many cores consists of several chips, each with a last-level cache. A core reads
quickly what another core of its chip has written, and several times slower what a core of another
chip has written. Programs whose operations pass their results from core to core, as XLA's do, then
slow down. The cores of a virtual machine can be on one chip in one second and on two in the next,
while Linux reports the same caches throughout.
"""

from __future__ import annotations

import os
import statistics
import time

import numpy as np

LINES = 1024  # number of cache lines, 64 bytes each
ROUNDS = 9
# The largest ratio of the time to read what another core has written to the time to read it again
# at which the cores are taken to share a cache. It was 1.1 to 1.8 where they did, else 2 to 3.7.
MOST_TOGETHER = 1.9


def cores_are_apart() -> bool:
    """Whether the first and the last of this process's cores share no cache, as far as known.

    False where there is one core, or an operating system that lets no thread choose its core.
    """
    if not hasattr(os, 'sched_setaffinity'):
        return False
    cores = sorted(os.sched_getaffinity(0))
    return len(cores) > 1 and _times_of_rereading(cores) > MOST_TOGETHER


def _times_of_rereading(cores: list[int]) -> float:
    """Median time of reading what the other core has written, over that of reading it again."""
    lines = np.zeros((LINES, 16), np.float32)
    order = np.random.default_rng(0).permutation(
        LINES
    )  # of reading, so that the processor cannot predict it
    ratios = []
    try:
        for _ in range(ROUNDS):
            os.sched_setaffinity(0, cores[:1])  # of this thread alone
            lines += 1
            os.sched_setaffinity(0, cores[-1:])
            order.sum()  # brings it into this core's caches
            times = [_seconds_of_reading(lines, order) for _ in range(2)]
            ratios.append(times[0] / times[1])
    finally:
        os.sched_setaffinity(0, cores)
    return statistics.median(ratios)


def _seconds_of_reading(lines: np.ndarray, order: np.ndarray) -> float:
    start = time.perf_counter()
    lines[:, 0].take(order)
    return time.perf_counter() - start
