"""Clips -> parts in many processes, with one progress bar for all of them.

Processes are spawned, since a fork of a process that runs JAX's threads may hang. They do not
import the program that started them, so that a training does not load JAX into each of them.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pathlib
import sys
import time
import types
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent import futures
from concurrent.futures.process import BrokenProcessPool
from typing import Any, NamedTuple

import cv2
import tensorflow_datasets as tfds
from tqdm import tqdm

from capf_jax.errors import StateError, UserError
from capf_jax.runtime import signals, worker_start
from data_pipeline.building import parts
from data_pipeline.building.clips import Clip
from data_pipeline.records import Record

_TO_LEAVE = 2.0  # seconds that processes have to leave their clips
_BETWEEN_LOOKS = 0.2  # seconds between two looks at how far the processes are
_FAILED_CLIPS = 20  # a build gives up when so many clips have something wrong in them
# With these variables of glibc a process keeps freed memory for its next picture. This avoids
# that the system clears every page again for each picture.
_MEMORY = {'MALLOC_MMAP_MAX_': '0', 'MALLOC_TRIM_THRESHOLD_': str(2**31 - 1)}


class Job(NamedTuple):
    """A clip that is to become a part."""

    clip: Clip
    part: pathlib.Path


class _Stopped(Exception):
    """This process was asked to leave its clip."""


class _Shared(NamedTuple):
    """What the processes of one build have in common."""

    done: Any  # Value: records made by all
    stop: Any  # Event: every worker leaves its clip unfinished


def run(
    jobs: Sequence[Job],
    features: tfds.features.FeaturesDict,
    processes: int,
    progress: tqdm,
) -> list[Any]:
    """Makes the parts.

    Args:
      jobs: in the order in which they are begun, on which the parts do not depend.
      features: of the dataset, see `records.features`.
      processes: how many work at once; with 1, this process works alone.
      progress: counts records.

    Returns:
      What is wrong with clips that failed; all others are parts now.

    Raises:
      OSError: the disk is full.
      RuntimeError: a process was ended from outside.
    """
    if processes == 1 or len(jobs) == 1:
        return _run_here(jobs, features, progress)
    context = multiprocessing.get_context('spawn')
    shared = _Shared(context.Value('q', 0), context.Event())
    waiting, problems, failed = deque(jobs), [], 0
    count = min(processes, len(jobs))
    beginning = worker_start.begin, (os.getpid(), shared)
    with _ending(futures.ProcessPoolExecutor(count, context, *beginning), shared) as pool:
        try:
            running: set[futures.Future] = set()
            while waiting or running:
                with _starting():  # submitting starts the processes
                    # Python finishes every job that is submitted, so that no job waits there.
                    while waiting and len(running) < count:
                        job = waiting.popleft()
                        running.add(pool.submit(_make_part, job.clip, job.part, features))
                finished, running = futures.wait(running, _BETWEEN_LOOKS, futures.FIRST_COMPLETED)
                progress.update(shared.done.value - progress.n + progress.initial)
                for future in finished:
                    problems += future.result()
                    failed += bool(future.result())
                if failed >= _FAILED_CLIPS:
                    break
        except BrokenProcessPool as error:
            raise StateError(
                'a process that made crops was ended from outside, perhaps for lack of memory; '
                'free some, or set config.data.builder.processes=1 (--processes=1), and give the '
                'same command again: clips that are finished are kept'
            ) from error
    return problems


@contextlib.contextmanager
def _ending(
    pool: futures.ProcessPoolExecutor, shared: _Shared
) -> Iterator[futures.ProcessPoolExecutor]:
    """Ends the processes of a pool; after an error or Ctrl-C nobody waits for unfinished clips."""
    others = set(multiprocessing.active_children())
    try:
        yield pool
        shared.stop.set()
        pool.shutdown()
    finally:
        shared.stop.set()
        pool.shutdown(wait=False, cancel_futures=True)
        workers = set(multiprocessing.active_children()) - others
        deadline = time.monotonic() + _TO_LEAVE
        for worker in workers:
            worker.join(max(0, deadline - time.monotonic()))
            worker.kill()  # The next build removes what it has left half-written.


def _run_here(
    jobs: Sequence[Job], features: tfds.features.FeaturesDict, progress: tqdm
) -> list[Any]:
    """As `run`, in this process."""
    problems, failed = [], 0
    for job in jobs:
        wrong = _problems_of(job, _counted(job.clip.records(), progress), features)
        problems += wrong
        failed += bool(wrong)
        if failed >= _FAILED_CLIPS:
            break
    return problems


def _counted(examples: Iterator[Record], progress: tqdm) -> Iterator[Record]:
    for record in examples:
        yield record
        progress.update()


def _problems_of(
    job: Job, examples: Iterator[Record], features: tfds.features.FeaturesDict
) -> list[Any]:
    """Writes a part; returns what is wrong with its clip, where it cannot be written."""
    try:
        parts.write(job.part, examples, features)
    except UserError as error:
        return list(getattr(error, 'problems', [str(error)]))
    return []


def _make_part(clip: Clip, part: pathlib.Path, features: tfds.features.FeaturesDict) -> list[Any]:
    """In a worker: one clip becomes one part; returns what is wrong with the clip."""

    shared: _Shared = worker_start.shared
    cv2.setNumThreads(1)  # the processes already share the cores

    def watched(examples: Iterator[Record]) -> Iterator[Record]:
        for record in examples:
            if shared.stop.is_set():
                raise _Stopped
            yield record
            with shared.done.get_lock():
                shared.done.value += 1

    with contextlib.suppress(_Stopped):
        return _problems_of(Job(clip, part), watched(clip.records()), features)
    return []


@contextlib.contextmanager
def _starting() -> Iterator[None]:
    """Processes started within do not import the program that runs, and keep freed memory.

    They need nothing of the program. A training would load JAX into each of them, and a script that
    lacks an `if __name__ == '__main__'` would start to build its dataset once more in each.
    """
    with signals.held_back(), _as_workers():
        yield


@contextlib.contextmanager
def _as_workers() -> Iterator[None]:
    """See `_starting`."""
    main, environment = sys.modules['__main__'], dict(os.environ)
    sys.modules['__main__'] = types.ModuleType('__main__')
    os.environ.update(_MEMORY | environment)  # what the user has set stays
    try:
        yield
    finally:
        sys.modules['__main__'] = main
        for name in _MEMORY.keys() - environment.keys():
            del os.environ[name]
