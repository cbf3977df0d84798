"""What benchmarks share: timing two programs fairly, memory, and this machine's matmul peak."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import statistics
import time
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.handover import cores_are_apart
from capf_jax.backends import programs


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the benchmark table.

    Attributes:
      name: what ran, with its sizes.
      seconds: median time of one call of ours, while the cores shared a cache.
      reference_seconds: median time of PyTorch's in the same run; None without a counterpart.
      goal: how many times as fast as PyTorch it should be; None without a goal.
      flops: multiply-adds times 2 of one call; None where there are none to count.
      note: anything else worth a column, such as images per second.
    """

    name: str
    seconds: float
    reference_seconds: float | None = None
    goal: float | None = None
    flops: float | None = None
    note: str = ''

    def cells(self) -> tuple[str, ...]:
        """The row as text: name, milliseconds, PyTorch's, ratio, goal, share of peak, note."""
        ratio = self.reference_seconds and self.reference_seconds / self.seconds
        return (
            self.name,
            f'{1e3 * self.seconds:.2f}',
            f'{1e3 * self.reference_seconds:.2f}' if self.reference_seconds else '',
            f'{ratio:.2f}x' if ratio else '',
            f'{self.goal:.1f}x' if self.goal else '',
            f'{self.flops / self.seconds / matmul_peak():.0%}' if self.flops else '',
            self.note,
        )


TURN = 0.1  # seconds, of calls back to back
HEADER = ('what', 'ms', 'PyTorch ms', 'ratio', 'goal', 'of matmul peak', 'note')


class Medians(dict[str, float]):
    """Median seconds of a call of each program, by name, while the cores shared a cache.

    Where a host places its guests' cores is no property of the programs (see handover.py), but it
    changes their times. Calls while the cores were apart therefore have medians of their own.

    Attributes:
      apart: medians while the cores were apart, where they were so in some turns of each program.
      throughout: the cores were apart whenever some program ran: the medians are of all calls.
    """

    def __init__(self, together: Mapping[str, list[float]], apart: Mapping[str, list[float]]):
        self.throughout = not all(together.values())
        counted = together
        if self.throughout:
            counted = {name: together[name] + times for name, times in apart.items()}
        super().__init__({name: statistics.median(times) for name, times in counted.items()})
        both = all(apart.values()) and not self.throughout
        self.apart = {name: statistics.median(t) for name, t in apart.items()} if both else {}

    def note(self, ours: str, theirs: str) -> str:
        """A note for a row on the times while the cores were apart; '' if there are none."""
        if self.throughout:
            return 'cores apart'
        if not self.apart:
            return ''
        seconds, ratio = self.apart[ours], self.apart[theirs] / self.apart[ours]
        return f'cores apart: {1e3 * seconds:.2f} ms, {ratio:.2f}x'


def median_seconds(
    programs: Mapping[str, Callable[[], object]], seconds: float = 3.0, least: int = 5
) -> Medians:
    """Median time of a call of each program, which take turns so that noise hits all alike.

    A turn is a number of calls back to back, as in training and evaluation. Only its second half
    counts. In the first half the caches do not hold the program's arrays, threads of the other
    library still wait for work in busy loops, and the program's own threads may all wake up on one
    core before the operating system spreads them.

    Args:
      programs: name -> function that runs once and waits for its result.
      seconds: about how long to measure, in all; longer while the cores are apart.
      least: fewest rounds.
    """
    for program in programs.values():  # the first call compiles
        program()
    together, apart = ({name: [] for name in programs} for _ in range(2))
    start, rounds, passed = time.perf_counter(), 0, 0.0
    # Measuring goes on up to three times as long, until the cores share a cache: they are apart for
    # some seconds at a time.
    while rounds < least or passed < (seconds if all(together.values()) else 3 * seconds):
        for name, program in programs.items():
            began_apart = cores_are_apart()
            calls = _turn(program)
            times = apart if began_apart or cores_are_apart() else together
            times[name] += calls[len(calls) // 2 :]
        rounds += 1
        passed = time.perf_counter() - start
    return Medians(together, apart)


def _turn(program: Callable[[], object]) -> list[float]:
    """Seconds of every call, at least two, of about TURN seconds of calls."""
    calls: list[float] = []
    while len(calls) < 2 or sum(calls) < TURN:
        start = time.perf_counter()
        program()
        calls.append(time.perf_counter() - start)
    return calls


def ready(
    function: Callable[..., object], *args: object, few_rows: bool = False
) -> Callable[[], object]:
    """`function` jitted as the product does, as a program that waits for the result."""
    compiled = programs.jit(function, few_rows=few_rows)
    args = jax.tree.map(jnp.asarray, args)
    return lambda: jax.block_until_ready(compiled(*args))


def memory(name: str) -> int:
    """A line of this process's status on Linux, bytes: 'VmHWM' is its largest memory so far.

    `resource.getrusage` is no way to the latter: what it tells of a process that another one has
    started is at least the largest memory of the one that started it.
    """
    lines = pathlib.Path('/proc/self/status').read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f'{name}:'))


@functools.cache
def matmul_peak(sizes: tuple[int, ...] = (1024, 2048), rounds: int = 20) -> float:
    """FLOPs per second of the best float32 matrix product of NumPy, JAX and PyTorch here.

    The shortest call counts, not the median, so that no later measurement should exceed it, except
    convolutions that leave out multiplications which `Row.flops` counts.
    """
    import torch

    best = 0.0
    for size in sizes:
        x = np.random.default_rng(0).standard_normal((size, size)).astype(np.float32)
        x_torch = torch.from_numpy(x)
        programs = (lambda x=x: x @ x), ready(jnp.matmul, x, x), (lambda x=x_torch: x @ x)
        for program in programs:
            program()
            for _ in range(rounds):
                start = time.perf_counter()
                program()
                best = max(best, 2 * size**3 / (time.perf_counter() - start))
    return best
