"""Clips -> parts in many processes, with one bar for all of them.

Spawned, since forking a process that runs JAX's threads may hang; and without the program that
started them, so that training does not bring JAX into each (see `processes.hidden_main`).
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pathlib
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent import futures
from concurrent.futures.process import BrokenProcessPool
from typing import Any, NamedTuple

import cv2
from tqdm import tqdm

from data_pipeline.person_crops import parts
from data_pipeline.person_crops.clips import Clip
from data_pipeline.processes import hidden_main
from data_pipeline.records import Record

_BETWEEN_LOOKS = 0.2  # seconds between two looks at how far the processes are
_FAILED_CLIPS = 20  # clips with something wrong in them after which a build gives up


class Job(NamedTuple):
    """A clip that is to become a part."""

    clip: Clip
    part: pathlib.Path


class _Stopped(Exception):
    """This process was asked to leave its clip."""


class _Shared(NamedTuple):
    """What the processes of one build have in common."""

    done: Any  # Value: records made by all
    stop: Any  # Event: leave the clip in hand


_shared: _Shared  # of this process, if it is a worker


def run(
    jobs: Sequence[Job],
    shape: tuple[int, int, int],
    processes: int,
    progress: tqdm,
) -> list[str]:
    """Makes the parts.

    Args:
      jobs: in the order in which they are begun; it has no influence on what they give.
      shape: joints, height and width, as `records.features` takes them.
      processes: how many work at once; with 1, this one works alone.
      progress: counts records.

    Returns:
      What was wrong in clips that failed; all others are parts now.

    Raises:
      OSError: the disk is full.
      RuntimeError: a process was ended from outside.
    """
    if processes == 1 or len(jobs) == 1:
        return _run_here(jobs, shape, progress)
    context = multiprocessing.get_context('spawn')
    shared = _Shared(context.Value('q', 0), context.Event())
    waiting, problems = deque(jobs), []
    count = min(processes, len(jobs))
    with futures.ProcessPoolExecutor(count, context, _prepare, (shared,)) as pool:
        try:
            running: set[futures.Future] = set()
            while waiting or running:
                with hidden_main():  # submitting starts the processes
                    while waiting and len(running) < count:  # few: what is submitted is finished
                        job = waiting.popleft()
                        running.add(pool.submit(_make_part, job.clip, job.part, shape))
                finished, running = futures.wait(running, _BETWEEN_LOOKS, futures.FIRST_COMPLETED)
                progress.update(shared.done.value - progress.n + progress.initial)
                problems += _complaints(finished)
                if len(problems) >= _FAILED_CLIPS:
                    break
        except BrokenProcessPool as error:
            raise RuntimeError(
                'a process that cropped images was ended from outside, perhaps for lack of memory; '
                'free some, or set config.data.builder.processes=1, and give the same command '
                'again: clips that are finished are kept'
            ) from error
        finally:
            shared.stop.set()  # on an error or Ctrl-C nobody waits for the clips in hand
    return problems


def _run_here(jobs: Sequence[Job], shape: tuple[int, int, int], progress: tqdm) -> list[str]:
    problems: list[str] = []
    for job in jobs:
        try:
            parts.write(job.part, _counted(job.clip.records(), progress), shape)
        except ValueError as error:
            problems.append(str(error))
            if len(problems) >= _FAILED_CLIPS:
                break
    return problems


def _counted(examples: Iterator[Record], progress: tqdm) -> Iterator[Record]:
    for record in examples:
        yield record
        progress.update()


def _complaints(finished: set[futures.Future]) -> list[str]:
    """What was wrong in clips; any other error is raised."""
    problems = []
    for future in finished:
        try:
            future.result()
        except ValueError as error:
            problems.append(str(error))
    return problems


def _make_part(clip: Clip, part: pathlib.Path, shape: tuple[int, int, int]) -> None:
    """In a worker: one clip becomes one part."""

    def watched(examples: Iterator[Record]) -> Iterator[Record]:
        for record in examples:
            if _shared.stop.is_set():
                raise _Stopped
            yield record
            with _shared.done.get_lock():
                _shared.done.value += 1

    with contextlib.suppress(_Stopped):
        parts.write(part, watched(clip.records()), shape)


def _prepare(shared: _Shared) -> None:
    """Makes this process a worker that never outlives what it works for."""
    global _shared
    _shared = shared
    cv2.setNumThreads(1)  # the processes already share the cores
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which asks this to end
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
