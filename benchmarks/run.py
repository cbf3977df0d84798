"""Measures how fast this code is here, beside PyTorch and the machine's limit.

    python -m benchmarks.run
    python -m benchmarks.run sampling lifter
    python -m benchmarks.run detectors --only=hrnet_w32+cpn50

Ratios are the result: both sides run in turns on the same machine, medians are shown. The flags of
the named benchmarks are described in their files.

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
from collections.abc import Sequence

import jax
import tabulate
import torch

from benchmarks import machine
from capf_jax.backends import programs
from capf_jax.errors import unknown
from capf_jax.runtime import commands
from capf_jax.runtime.commands import Parser


def _names() -> list[str]:
    """Benchmarks of this folder: the files that have `rows()`."""
    files = sorted(pathlib.Path(__file__).parent.glob('*.py'))
    return [file.stem for file in files if 'def rows(' in file.read_text()]


def _chosen(argv: Sequence[str]) -> dict[str, dict[str, str]]:
    """Benchmarks to run, all by default, each with the flags that its `rows` takes.

    Raises:
      UserError: a benchmark or a flag that does not exist.
    """
    known = [name for name in _names() if name != 'run']
    names = [argument for argument in argv[1:] if not argument.startswith('-')] or known
    for name in names:
        if name not in known:
            raise unknown('the benchmark', name, known)
    parser = Parser('benchmarks.run', __doc__)
    parser.add_argument('names', nargs='*', help=f'of {", ".join(known)}; all without any')
    for flag in sorted({flag for name in names for flag in _flags(name)}):
        takers = ', '.join(name for name in names if flag in _flags(name))
        parser.add_argument(f'--{flag}', help=f'for {takers}')
    values = vars(parser.parse(argv))
    return {
        name: {flag: values[flag] for flag in _flags(name) if values[flag] is not None}
        for name in names
    }


def _flags(name: str) -> list[str]:
    return list(inspect.signature(importlib.import_module(f'benchmarks.{name}').rows).parameters)


def main(argv: Sequence[str]) -> int:
    """Runs the named benchmarks, all by default, and prints a table of each as it ends.

    Returns:
      The exit code: 1 if a benchmark failed.

    Raises:
      UserError: a benchmark or a flag that does not exist.
    """
    chosen = _chosen(argv)
    if len(chosen) == 1:
        [(name, flags)] = chosen.items()
        _run(name, flags)
        return 0
    failed = [name for name, flags in chosen.items() if _run_in_process(name, flags)]
    if failed:
        print(f'failed: {", ".join(failed)}', file=sys.stderr)
    return int(bool(failed))


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
    commands.run(main)
