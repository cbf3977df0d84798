"""Rendering a split in several processes: samples in their order, whichever process made them."""

from __future__ import annotations

import collections
import itertools
import multiprocessing
import signal
from collections.abc import Iterator
from concurrent import futures
from concurrent.futures.process import BrokenProcessPool

import cv2

from capf_jax.backends.cpu.memory import keep_freed_memory
from data_pipeline.processes import hidden_main
from data_pipeline.records import Record
from data_pipeline.synthetic.configuration import SyntheticConfig
from data_pipeline.synthetic.samples import make_sample

CHUNK = 16  # samples that a process renders between two deliveries
AHEAD = 3  # chunks that wait or are being rendered, for each process


def render_split(config: SyntheticConfig, split: str) -> Iterator[Record]:
    """All samples of a split in order, rendered by `config.processes` processes.

    Raises:
      RuntimeError: a rendering process was ended from outside.
    """
    size = config.size(split)
    if config.processes == 1:
        yield from (make_sample(config, split, index) for index in range(size))
        return
    chunks = (range(start, min(start + CHUNK, size)) for start in range(0, size, CHUNK))
    # 'spawn': forking a process that runs JAX's threads may hang.
    context = multiprocessing.get_context('spawn')
    with futures.ProcessPoolExecutor(config.processes, context, _prepare_process) as pool:

        def submit(count: int) -> Iterator[futures.Future]:
            with hidden_main():  # submitting starts the processes
                for chunk in itertools.islice(chunks, count):
                    yield pool.submit(_render, config, split, chunk)

        try:
            # Few at a time: Python finishes what is submitted before it ends, on Ctrl-C too.
            pending = collections.deque(submit(AHEAD * config.processes))
            while pending:
                rendered = pending.popleft().result()
                pending.extend(submit(1))
                yield from rendered
        except BrokenProcessPool as error:
            raise RuntimeError(
                f'a process that rendered {split} images was ended from outside, perhaps for lack '
                'of memory; free some, or set config.data.builder.processes=1'
            ) from error


def _render(config: SyntheticConfig, split: str, indices: range) -> list[Record]:
    return [make_sample(config, split, index) for index in indices]


def _prepare_process() -> None:
    """Makes a rendering process a quiet neighbour."""
    cv2.setNumThreads(1)  # the processes already share the cores
    keep_freed_memory()  # a fifth faster at 256x192: its pictures are large enough to be returned
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this one
