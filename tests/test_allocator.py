"""Asking the allocator to keep memory is harmless wherever it runs."""

import ctypes
import sys

import numpy as np

from capf_jax.allocator import keep_freed_memory


def test_takes_effect_exactly_where_the_c_library_is_glibc():
    glibc = sys.platform == 'linux' and hasattr(ctypes.CDLL(None), 'gnu_get_libc_version')
    assert keep_freed_memory() == glibc
    assert np.ones(2**23).sum() == 2**23  # a large buffer still comes
