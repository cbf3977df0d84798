"""`python -m benchmarks.run`: how fast this code is here, beside PyTorch and the machine's limit.

Ratios are the result: both sides run in turns on the same machine, medians are shown.
`python -m benchmarks.run sampling lifter` runs only the named benchmarks.
"""

from __future__ import annotations

import importlib
import os
import pathlib
import platform
import sys

import jax
import tabulate
import torch

from benchmarks import machine
from capf_jax.allocator import keep_freed_memory


def _names() -> list[str]:
    """Benchmarks of this folder: the files that have `rows()`."""
    files = sorted(pathlib.Path(__file__).parent.glob('*.py'))
    return [file.stem for file in files if 'def rows()' in file.read_text()]


def main(names: list[str]) -> None:
    """Runs the named benchmarks, all by default, and prints one table."""
    known = [name for name in _names() if name != 'run']
    unknown = sorted(set(names) - set(known))
    if unknown:
        sys.exit(f'no benchmark is called {", ".join(unknown)}; there are {", ".join(known)}')
    keep_freed_memory()  # for both sides
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    print(f'{platform.machine()}, {cores} CPU cores, JAX {jax.__version__} on ', end='')
    print(f'{jax.devices()[0].device_kind}, PyTorch {torch.__version__} on its CPU, ', end='')
    print(f'float32 matmul peak {machine.matmul_peak() / 1e9:.0f} GFLOP/s')
    rows = []
    for name in names or known:
        print(f'running {name} ...', file=sys.stderr)
        rows += importlib.import_module(f'benchmarks.{name}').rows()
    cells = [row.cells() for row in rows]
    print(tabulate.tabulate(cells, machine.HEADER, 'github', disable_numparse=True))


if __name__ == '__main__':
    main(sys.argv[1:])
