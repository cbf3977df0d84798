"""Keeps freed memory in the process, so that steps do not fault it in again."""

from __future__ import annotations

import ctypes
import sys

import jax

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # from glibc's malloc.h


def keep_freed_memory() -> bool:
    """Tells glibc to reuse large buffers instead of handing them back to the system.

    XLA takes one buffer of several hundred MB at every step. By default glibc returns it each
    time, so that each step begins by faulting its pages in again. Memory in use stays at its peak;
    GPUs and TPUs have allocators of their own and do not care.

    Returns:
      Whether it took effect: False where the C library is not glibc.
    """
    if not sys.platform.startswith('linux'):
        return False
    libc = ctypes.CDLL(None)
    if not hasattr(libc, 'gnu_get_libc_version'):
        return False
    # Both are ints to mallopt; the largest threshold means never.
    return bool(libc.mallopt(_M_MMAP_MAX, 0) and libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1))


def compute_inline() -> None:
    """Makes a CPU of one device run programs in the calling thread rather than in one of JAX's.

    `keep_freed_memory` keeps buffers of any size for the main thread alone: to other threads glibc
    gives those above 64 MB anew each time, and a step's one buffer of all intermediates is larger.

    It must come before JAX starts the backend; later it does nothing.
    """
    jax.config.update('jax_cpu_enable_async_dispatch', False)
