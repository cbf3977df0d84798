"""Whether this machine's cores share a cache at the moment: a host may move its guests' cores.

Processors of many cores are several chips with a last-level cache each. What one core has written
another one of the same chip reads after some 45 ns, one of another chip after 210 (AMD EPYC of
2024). Programs whose operations pass their results from core to core, as XLA's do, then take up to
1.45 times as long, while others in the same process hardly notice. A virtual machine can find its
cores together in one second and apart in the next; what Linux says of the caches stays the same.
"""

from __future__ import annotations

import os
import statistics
import time

import numpy as np

LINES = 1024  # of a cache, 64 bytes each
ROUNDS = 9
# Reading what another core has written, in times of reading it again. Measured beside the time that
# a flag takes from core to core: 1.1 to 1.8 where cores shared a cache, 2 to 3.7 where not.
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
    order = np.random.default_rng(0).permutation(LINES)  # of reading, so that none is foreseen
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
