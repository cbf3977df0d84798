"""Checkpoints to resume from: the only file that imports Orbax.

A run keeps two: `latest`, to go on from, and `best`, the one with the lowest score (MPJPE in mm for
a lifter, mean 2D error in pixels for a detector). Each is a folder with one numbered checkpoint. A
new checkpoint is written beside the old one and takes its place only when it is whole.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import math
import os
import shutil
import sys
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from orbax.checkpoint.checkpoint_managers import preservation_policy

from capf_jax.runtime import files

_MARGIN = 1_000_000  # bytes of a checkpoint beside its arrays


def begun(workdir: str | os.PathLike) -> bool:
    """Whether a workdir has a checkpoint to go on from; the question makes no folder there."""
    return any((files.user_path(workdir) / 'checkpoints' / 'latest').glob('[0-9]*'))


@contextlib.contextmanager
def _silent_threads() -> Iterator[None]:
    """Keeps the threads of Orbax and TensorStore from printing what a failed save raises anyway.

    They would print hundreds of lines, among which the one sentence for the user is lost.
    """
    loggers, hook = [logging.getLogger(name) for name in ('absl', 'asyncio')], sys.unraisablehook

    def keep(record: logging.LogRecord) -> bool:
        return record.exc_info is None

    for logger in loggers:
        logger.addFilter(keep)
    sys.unraisablehook = lambda _: None
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(keep)
        sys.unraisablehook = hook


class Checkpoints:
    """The checkpoints of one workdir; a context manager."""

    def __init__(self, workdir: str | os.PathLike, *, clean: bool = False) -> None:
        """Opens the folder `checkpoints` of a workdir, or makes it.

        Args:
          workdir: folder of the run.
          clean: whether to remove what a killed run has left half-written.
        """
        self.folder = files.user_path(workdir).resolve() / 'checkpoints'

        def score(metrics: dict[str, float]) -> float:
            return metrics['score']

        latest = preservation_policy.LatestN(1)
        best = preservation_policy.BestN(get_metric_fn=score, reverse=True, n=1)
        self._managers = {
            name: ocp.CheckpointManager(
                self.folder / name,
                options=ocp.CheckpointManagerOptions(
                    preservation_policy=policy,
                    best_fn=score if name == 'best' else None,  # Orbax stores no scores without it
                    best_mode='min',
                    enable_async_checkpointing=False,  # so that an error rises from its own save
                    cleanup_tmp_directories=clean,
                    create=True,
                ),
            )
            for name, policy in {'latest': latest, 'best': best}.items()
        }

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(self, *_: Any) -> None:
        for manager in self._managers.values():
            manager.close()

    def step(self, name: str = 'latest') -> int | None:
        """The step of the checkpoint `name` ('latest' or 'best'); None if there is none."""
        return self._managers[name].latest_step()

    def path(self, name: str = 'latest') -> epath.Path | None:
        """The folder of the checkpoint `name`; None if there is none."""
        step = self.step(name)
        return None if step is None else self.folder / name / str(step)

    @property
    def best_score(self) -> float | None:
        """The score of the checkpoint 'best'; None if there is none."""
        step = self.step('best')
        metrics = None if step is None else self._managers['best'].metrics(step)
        return None if metrics is None else metrics['score']

    def save_latest(self, step: int, state: Any) -> None:
        """Saves the state to go on from. The step is also the position in the data.

        Raises:
          OSError: it could not be written; the checkpoint before it is still there.
        """
        if self.step('latest') != step:
            self._save('latest', step, state, None)

    def save_best(self, step: int, state: Any, score: float) -> bool:
        """Saves the state if its score is the lowest so far; returns whether it was.

        Raises:
          OSError: as `save_latest`.
        """
        if not np.isfinite(score) or (self.best_score is not None and score >= self.best_score):
            return False
        if self.step('best') == step:  # the same state scored again, on other devices
            return False
        self._save('best', step, state, {'score': float(score)})
        return True

    @_silent_threads()
    def _save(self, name: str, step: int, state: Any, metrics: dict[str, float] | None) -> None:
        manager, folder = self._managers[name], self.folder / name
        # Arrays on the host, so that a run of many processes saves what a run of one would.
        state = jax.tree.map(np.asarray, state)
        needed = sum(array.nbytes for array in jax.tree.leaves(state)) + _MARGIN
        try:
            # Asking beforehand spares other programs a disk that is full for a while.
            if _free(folder) < needed:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            manager.save(step, args=ocp.args.StandardSave(state), metrics=metrics, force=True)
            manager.wait_until_finished()
        except Exception as error:
            full = files.disk_is_full(error)
            if not isinstance(error, OSError) and not full:
                raise
            for unfinished in folder.glob('*.orbax-checkpoint-tmp*'):
                # Threads may still write there; the next start removes the rest.
                shutil.rmtree(unfinished, ignore_errors=True)
            manager.reload()
            before = self.path(name)
            rest = f'the checkpoint before it is whole at {before}' if before else 'none was before'
            free = _free(folder)
            advice = f'make room ({needed / 1e6:.1f} MB are needed, {free / 1e6:.1f} MB are free)'
            raise OSError(
                f'the checkpoint of step {step} could not be written to {folder}, '
                f'{"the disk is full" if full else error}; {rest}: '
                f'{advice if full else "mend that"} and run the same command again'
            ) from error

    def restore(self, abstract_state: Any, name: str = 'latest') -> Any:
        """Restores a checkpoint into the layout of this run, on however many devices.

        Args:
          abstract_state: the state's shapes, types and layout, from `devices.abstract`.
          name: 'latest' or 'best'.

        Raises:
          FileNotFoundError: there is no such checkpoint.
        """
        step = self.step(name)
        if step is None:
            raise FileNotFoundError(
                f'no checkpoint {name!r} in {self.folder}: train first, with this --workdir'
            )
        return self._managers[name].restore(step, args=ocp.args.StandardRestore(abstract_state))


def _free(folder: epath.Path) -> float:
    """Bytes that may be written to a folder; a store such as `gs://` has no end."""
    return math.inf if files.is_remote(folder) else shutil.disk_usage(folder).free
