"""Asking the allocator to keep memory is harmless, and a program finds what it freed before."""

import ctypes
import subprocess
import sys

import numpy as np
import pytest

from capf_jax.backends.cpu.memory import keep_freed_memory

# Calls a program whose intermediates take 128 MB and prints how many pages the best call faults in:
# the first few may find what an earlier one freed too short by the little that lies in it.
PROGRAM = """
import resource
import jax, jax.numpy as jnp
from capf_jax.backends import programs
programs.start_process()
program = jax.jit(lambda x, y: jnp.tanh(x @ y) @ y.T)
faults = []
for _ in range(6):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    jax.block_until_ready(program(jnp.ones((2**13, 8)), jnp.ones((8, 2**12))))
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(min(faults))
"""


def glibc():
    return sys.platform == 'linux' and hasattr(ctypes.CDLL(None), 'gnu_get_libc_version')


def test_takes_effect_exactly_where_the_c_library_is_glibc():
    assert keep_freed_memory() == glibc()
    assert np.ones(2**23).sum() == 2**23  # a large buffer still comes


@pytest.mark.skipif(not glibc(), reason='the C library is not glibc')
def test_a_program_computed_inline_finds_its_memory_again():
    done = subprocess.run(
        [sys.executable, '-c', PROGRAM], capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 2**13  # of the 2 ** 15 that it writes, 4 KB each
