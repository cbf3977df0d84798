"""Rendering a split in several processes: samples in their order, whichever process made them."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import signal
import sys
import types
from collections.abc import Iterator
from concurrent import futures
from concurrent.futures.process import BrokenProcessPool

import cv2

from capf_jax.allocator import keep_freed_memory
from data_pipeline.records import Record
from data_pipeline.synthetic.configuration import SyntheticConfig
from data_pipeline.synthetic.samples import make_sample

CHUNK = 16  # samples that a process renders between two deliveries


def render_split(config: SyntheticConfig, split: str) -> Iterator[Record]:
    """All samples of a split in order, rendered by `config.processes` processes.

    Raises:
      RuntimeError: a rendering process was ended from outside.
    """
    make = functools.partial(make_sample, config, split)
    if config.processes == 1:
        yield from map(make, range(config.size(split)))
        return
    # 'spawn': forking a process that runs JAX's threads may hang.
    context = multiprocessing.get_context('spawn')
    with futures.ProcessPoolExecutor(config.processes, context, _prepare_process) as pool:
        with _hidden_main():  # map() starts the processes
            rendered = pool.map(make, range(config.size(split)), chunksize=CHUNK)
        try:
            yield from rendered
        except BrokenProcessPool as error:
            raise RuntimeError(
                f'a process that rendered {split} images was ended from outside, perhaps for lack '
                'of memory; free some, or set config.data.builder.processes=1'
            ) from error


@contextlib.contextmanager
def _hidden_main() -> Iterator[None]:
    """Processes started within do not import the program that runs.

    They need none of it: training would bring JAX into each of them, and a script that lacks an
    `if __name__ == '__main__'` would start to build its dataset once more in each.
    """
    main = sys.modules['__main__']
    sys.modules['__main__'] = types.ModuleType('__main__')
    try:
        yield
    finally:
        sys.modules['__main__'] = main


def _prepare_process() -> None:
    """Makes a rendering process a quiet neighbour."""
    cv2.setNumThreads(1)  # the processes already share the cores
    keep_freed_memory()  # a fifth faster at 256x192: its pictures are large enough to be returned
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this one
