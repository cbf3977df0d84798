"""Checkpoints to resume from: the only file that imports Orbax.

Process 0 alone saves, so that the others need not see its disk until they resume.

A run keeps two in `latest`, to go on from, and one in `best`, that with the lowest score (MPJPE in
mm for a lifter, mean 2D error in pixels for a detector). Each is a numbered folder. A new one is
written beside the old ones, and an old one goes only when the new one is whole. A checkpoint that
was damaged since gives way to the one before it.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import json
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

from capf_jax.errors import UserError
from capf_jax.runtime import checkpoint_checks, files, processes
from capf_jax.runtime.checkpoint_checks import DamagedError

LATEST_KEPT = 2  # so that a damaged one has another before it
_DAMAGED = 'damaged'  # folder for what a training cannot go on from
_MARGIN = 1_000_000  # bytes of a checkpoint beside its arrays


def begun(workdir: str | os.PathLike) -> bool:
    """Whether a workdir has a checkpoint to go on from; the question makes no folder there."""
    checkpoints = Checkpoints(workdir)
    return any(checkpoints.steps(name) for name in ('latest', 'best'))


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
        """Opens the folder `checkpoints` of a workdir; the first save makes it.

        Args:
          workdir: folder of the run.
          clean: whether to remove what a killed run has left half-written, and to put damaged
            checkpoints aside.
        """
        self.folder = files.absolute(workdir) / 'checkpoints'
        self._clean = clean

    @functools.cached_property
    def _managers(self) -> dict[str, ocp.CheckpointManager]:
        """Orbax's parts that save; they read nothing, since they stop at anything damaged."""

        def score(metrics: dict[str, float]) -> float:
            return metrics['score']

        latest = preservation_policy.LatestN(LATEST_KEPT)
        best = preservation_policy.BestN(get_metric_fn=score, reverse=True, n=1)
        others = ocp.options.MultiprocessingOptions()
        if processes.process_count() > 1:
            others = ocp.options.MultiprocessingOptions(
                active_processes={0}, barrier_sync_key_prefix='process_0'
            )
        for name in ('latest', 'best'):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self._mend_scores()
        return {
            name: ocp.CheckpointManager(
                self.folder / name,
                options=ocp.CheckpointManagerOptions(
                    preservation_policy=policy,
                    best_fn=score if name == 'best' else None,  # Orbax stores no scores without it
                    best_mode='min',
                    enable_async_checkpointing=False,  # so that an error rises from its own save
                    cleanup_tmp_directories=self._clean,
                    create=False,
                    multiprocessing_options=others,
                ),
            )
            for name, policy in {'latest': latest, 'best': best}.items()
        }

    def __enter__(self) -> Checkpoints:
        if self._clean and processes.is_main_process():
            _ = self._managers  # A folder that cannot be written is an error now, not hours later.
        return self

    def __exit__(self, *_: Any) -> None:
        for manager in self.__dict__.get('_managers', {}).values():
            manager.close()

    def steps(self, name: str = 'latest') -> list[int]:
        """The steps of all checkpoints `name` ('latest' or 'best'), the newest first."""
        folder = self.folder / name
        if not folder.is_dir():
            return []
        entries = [entry for entry in folder.iterdir() if entry.name.isdecimal()]
        numbers = [int(entry.name) for entry in entries if entry.is_dir()]
        return sorted((n for n in numbers if (folder / str(n)).is_dir()), reverse=True)

    def step(self, name: str = 'latest') -> int | None:
        """The step of the newest checkpoint `name` ('latest' or 'best'); None if there is none."""
        return next(iter(self.steps(name)), None)

    def path(self, name: str = 'latest') -> epath.Path | None:
        """The folder of the newest checkpoint `name`; None if there is none."""
        step = self.step(name)
        return None if step is None else self.folder / name / str(step)

    @property
    def best_score(self) -> float | None:
        """The score of the checkpoint 'best'; None if there is none, or its file is damaged."""
        step = self.step('best')
        return None if step is None else self._score(step)

    def _score(self, step: int) -> float | None:
        try:
            score = files.read_json(self._metrics(step))['score']
            return float(score) if math.isfinite(score) else None
        except (OSError, UserError, KeyError, TypeError):
            return None

    def _metrics(self, step: int) -> epath.Path:
        return self.folder / 'best' / str(step) / 'metrics' / 'metrics'

    def _mend_scores(self) -> None:
        """Gives the best checkpoint an infinite score where its own does not read.

        Orbax would stop at it. The next evaluation is then better.
        """
        for step in self.steps('best'):
            path = self._metrics(step)
            if self._score(step) is None and self._clean and processes.is_main_process():
                files.clear_the_way(path.parent, wanted='folder')
                path.parent.mkdir(parents=True, exist_ok=True)
                files.clear_the_way(path, wanted='file')
                path.write_text(json.dumps({'score': math.inf}))

    def save_latest(self, step: int, state: Any) -> None:
        """Saves the state to go on from, in the main process. The step is the position in the data.

        Raises:
          OSError: it could not be written; the checkpoint before it is still there.
        """
        if processes.is_main_process() and self.step('latest') != step:
            self._save('latest', step, state, None)

    def save_best(self, step: int, state: Any, score: float) -> bool:
        """Saves the state if its score is the lowest so far; returns whether this process did.

        Raises:
          OSError: as `save_latest`.
        """
        if not processes.is_main_process():
            return False
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
            checkpoint_checks.note_checksums(self.folder, f'{name}/{step}')
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

    def restore(self, abstract_state: Any, name: str = 'latest', step: int | None = None) -> Any:
        """Restores a checkpoint into the layout of this run, on however many devices.

        Args:
          abstract_state: the state's shapes, types and layout, from `devices.abstract`.
          name: 'latest' or 'best'.
          step: of the checkpoint; the newest one of the name if it is None.

        Raises:
          FileNotFoundError: there is no such checkpoint.
          UserError: it is of another model.
          DamagedError: its files were cut, changed or removed, or a number in it is not finite.
        """
        step = self.step(name) if step is None else step
        if step is None:
            raise FileNotFoundError(
                f'no checkpoint {name!r} in {self.folder}: train first, with this --workdir'
            )
        folder = self.folder / name / str(step)
        checkpoint_checks.check_files(self.folder, f'{name}/{step}')
        try:
            with _silent_threads():
                # No file of the checkpoint says by which code it is read.
                handler, arrays = ocp.StandardCheckpointHandler(), folder / 'default'
                shapes: Any = handler.metadata(arrays)
                checkpoint_checks.check_shapes(folder, shapes.tree, abstract_state)
                state = handler.restore(arrays, args=ocp.args.StandardRestore(abstract_state))
        except UserError:
            raise
        except Exception as error:  # Orbax and TensorStore raise any error at damaged files.
            if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM):
                raise
            raise DamagedError(folder, _first_line(error)) from error
        checkpoint_checks.check_numbers(folder, state)
        return state

    def restore_newest(self, abstract_state: Any, names: tuple[str, ...]) -> tuple[Any, int, str]:
        """Restores the newest checkpoint that is whole; each damaged one is named on stderr.

        A training that is opened with `clean` puts the damaged ones aside.

        Args:
          abstract_state: as `restore`.
          names: where to look, such as ('latest', 'best'), which is also the order.

        Returns:
          (state, its step, its name).

        Raises:
          FileNotFoundError: there is no checkpoint at all.
          DamagedError: none is whole.
          UserError: as `restore`.
        """
        candidates = [(name, step) for name in names for step in self.steps(name)]
        if not candidates:
            return self.restore(abstract_state, names[0]), 0, names[0]
        for place, (name, step) in enumerate(candidates):
            try:
                return self.restore(abstract_state, name, step), step, name
            except DamagedError as error:
                now = [(one, number) for one in names for number in self.steps(one)]
                if now and (name, step) not in now:  # A training has replaced it meanwhile.
                    return self.restore_newest(abstract_state, names)
                rest = candidates[place + 1 :]
                if not rest:
                    raise
                following = self.folder / rest[0][0] / str(rest[0][1])
                aside = self._put_aside(name, step)
                where = f'; it was put aside as {aside}' if aside else ''
                print(f'WARNING: {error.short}{where}; trying {following}', file=sys.stderr)
        raise AssertionError('the last candidate is returned or raises')

    def _put_aside(self, name: str, step: int) -> epath.Path | None:
        """Moves a damaged checkpoint out of the way of the next save; returns where it is."""
        if not self._clean or not processes.is_main_process():
            return None
        target = self.folder / _DAMAGED / f'{name}-{step}'
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            target.rmtree()
        (self.folder / name / str(step)).rename(target)
        for manager in self.__dict__.get('_managers', {}).values():
            manager.reload()
        return target


def _first_line(error: BaseException) -> str:
    """The beginning of what a library says, in one line."""
    text = ' '.join(str(error).split()) or type(error).__name__
    return text if len(text) <= 120 else f'{text[:120]}...'


def _free(folder: epath.Path) -> float:
    """Bytes that may be written to a folder; a store such as `gs://` has no end."""
    return math.inf if files.is_remote(folder) else shutil.disk_usage(folder).free
