"""`python -m benchmarks.run`: how fast this code is here, beside PyTorch and the machine's limit.

Ratios are the result: both sides run in turns on the same machine, medians are shown.
`python -m benchmarks.run sampling lifter` runs only the named benchmarks, which take flags of their
own: `python -m benchmarks.run detectors --only=hrnet_w32+cpn50`, see their files.

Each benchmark runs in a process of its own, which keeps freed memory and computes in the calling
thread, as our commands do. PyTorch gains from the kept memory as well. A benchmark with
IN_USERS_PROCESS changes no setting, like a program that only imports both libraries.
"""

from __future__ import annotations

import importlib
import inspect
import os
import pathlib
import platform
import subprocess
import sys

import jax
import tabulate
import torch

from benchmarks import machine
from capf_jax.backends import programs


def _names() -> list[str]:
    """Benchmarks of this folder: the files that have `rows()`."""
    files = sorted(pathlib.Path(__file__).parent.glob('*.py'))
    return [file.stem for file in files if 'def rows(' in file.read_text()]


def _chosen(arguments: list[str]) -> dict[str, dict[str, str]]:
    """Benchmarks to run, all by default, each with the flags that its `rows` takes.

    Raises:
      SystemExit: a benchmark or a flag that does not exist.
    """
    known = [name for name in _names() if name != 'run']
    names = [argument for argument in arguments if not argument.startswith('--')] or known
    unknown = sorted(set(names) - set(known))
    if unknown:
        sys.exit(f'no benchmark is called {", ".join(unknown)}; there are {", ".join(known)}')
    chosen: dict[str, dict[str, str]] = {name: {} for name in names}
    for flag in (argument for argument in arguments if argument.startswith('--')):
        field, _, value = flag.removeprefix('--').partition('=')
        takers = [name for name in names if field in _flags(name)]
        if not takers or not value:
            flags = sorted({f'--{one}=' for name in names for one in _flags(name)})
            sys.exit(f'{flag} is no flag of {", ".join(names)}; they take {", ".join(flags)}')
        for name in takers:
            chosen[name][field] = value
    return chosen


def _flags(name: str) -> list[str]:
    return list(inspect.signature(importlib.import_module(f'benchmarks.{name}').rows).parameters)


def main(arguments: list[str]) -> None:
    """Runs the named benchmarks, all by default, and prints a table of each as it ends.

    Raises:
      SystemExit: a benchmark or a flag that does not exist, or a benchmark that failed.
    """
    chosen = _chosen(arguments)
    if len(chosen) == 1:
        [(name, flags)] = chosen.items()
        _run(name, flags)
        return
    failed = [name for name, flags in chosen.items() if _run_in_process(name, flags)]
    if failed:
        sys.exit(f'failed: {", ".join(failed)}')


def _run_in_process(name: str, flags: dict[str, str]) -> int:
    """One benchmark in a process of its own; returns the exit code."""
    arguments = [f'--{field}={value}' for field, value in flags.items()]
    print(f'running {name} ...', file=sys.stderr)
    return subprocess.run([sys.executable, '-m', 'benchmarks.run', name, *arguments]).returncode


def _run(name: str, flags: dict[str, str]) -> None:
    """One benchmark in this process, and its table."""
    benchmark = importlib.import_module(f'benchmarks.{name}')
    if not getattr(benchmark, 'IN_USERS_PROCESS', False):
        programs.start_process()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    print(f'{platform.machine()}, {cores} CPU cores, JAX {jax.__version__} on ', end='')
    print(f'{jax.devices()[0].device_kind}, PyTorch {torch.__version__} on ', end='')
    print(f'{torch.cuda.get_device_name() if torch.cuda.is_available() else "its CPU"}, ', end='')
    print(f'float32 matmul peak {machine.matmul_peak() / 1e9:.0f} GFLOP/s', flush=True)
    cells = [row.cells() for row in benchmark.rows(**flags)]
    header = getattr(benchmark, 'HEADER', machine.HEADER)
    table = tabulate.tabulate(cells, header, 'github', disable_numparse=True)
    print(table, end='\n\n', flush=True)


if __name__ == '__main__':
    main(sys.argv[1:])
