"""A finished training of a row of a table, and what its folder tells of it: commits and times."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax

from capf_jax.errors import UserError
from capf_jax.runtime import commands, files, logs
from capf_jax.runtime.value_checks import LARGEST_SEED

_AVERAGED = 'averaged_'  # begins the names of scores of averaged weights in a run's log
Start = Callable[[Sequence[str]], object]  # runs `python -m MODULE ...`, from MODULE on


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished training of a row.

    Attributes:
      row: the row's name.
      seed: of the weights and the order of the data.
      command: what has trained it, without the folder of the run.
      scores: metric -> score after the last step.
      commit: of the code.
      machine: in words.
      seconds: of training and evaluation, of all starts whose time is known; None where that of
        none is.
      starts: how often it was begun or gone on with; 0 where nobody has counted.
      unknown: of how many of these the time is not known, since they were killed.
    """

    row: str
    seed: int
    command: str
    scores: Mapping[str, float]
    commit: str
    machine: str
    seconds: float | None
    starts: int = 0
    unknown: int = 0

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON holds them."""
        return dataclasses.asdict(self)

    @property
    def time(self) -> str:
        """The seconds in words, such as '40 s in 2 starts'."""
        if self.seconds is None:
            return 'time not known'
        words = f'{self.seconds:.0f} s'
        if self.unknown:
            return f'{words} and the unknown time of {self.unknown} of {self.starts} starts'
        return f'{words} in {self.starts} starts' if self.starts > 1 else words


def start(arguments: Sequence[str]) -> None:
    """Runs a command of the product in this process, so that JAX starts once for all runs.

    Args:
      arguments: of `python -m`, from the module on.

    Raises:
      UserError: the command was stopped by a signal, or has its own reason.
    """
    print('+ python -m', shlex.join(arguments), file=sys.stderr, flush=True)
    code = importlib.import_module(arguments[0]).main(arguments)
    jax.clear_caches()  # The programs of a row are of no use to the next one.
    if code:
        raise UserError('stopped; the same command goes on from there')


def seeds_of(text: str) -> list[int]:
    """The seeds that `--seeds` names, each once.

    Raises:
      UserError: they are no seeds.
    """
    words = text.split(',')
    if not all(word.isdecimal() and int(word) <= LARGEST_SEED for word in words):
        raise UserError(
            f'--seeds is {text!r}; give whole numbers from 0 to {LARGEST_SEED}, such as 0,1'
        )
    return list(dict.fromkeys(map(int, words)))


def folder_of(text: str) -> files.AnyPath:
    """The type of an argument that is a folder, which may be missing yet.

    Raises:
      argparse.ArgumentTypeError: no folder is named; argparse adds the name of the argument.
    """
    if not text:
        raise argparse.ArgumentTypeError('it is empty; name a folder')
    path = commands.any_path(text)
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f'{path} is a file; name a folder')
    return path


def this_machine() -> str:
    """This machine in words."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    return f'{cores} CPU cores, {platform.machine()}, {platform.system()}'


def starts_of(folder: files.AnyPath) -> list[dict[str, Any]]:
    """What a training has written of each of its starts; [] where there is none."""
    path = folder / 'versions.json'
    return files.read_json(path) if path.exists() else []


def commits_of(folder: files.AnyPath) -> str:
    """The commits that a run was trained at; one that was interrupted may have several."""
    return ' and '.join(dict.fromkeys(entry['git_commit'] for entry in starts_of(folder)))


def last_scores(folder: files.AnyPath) -> dict[str, float]:
    """The scores after the last step, which the run's log has: of the averaged weights, if any."""
    line = [line for line in logs.entries(folder / 'log.jsonl') if line['part'] == 'test'][-1]
    scores = {name: value for name, value in line.items() if name not in ('step', 'part')}
    of_average = {
        name.removeprefix(_AVERAGED): value
        for name, value in scores.items()
        if name.startswith(_AVERAGED)
    }
    return of_average or scores


@contextlib.contextmanager
def timed(folder: files.AnyPath, row: str) -> Iterator[None]:
    """Adds the time of its body to those of a row, also where it raises: see `times_of`.

    Args:
      folder: of the training; rows that train the same share it.
      row: the row's name.
    """
    path = _times(folder, row)
    before = files.read_json(path) if path.exists() else []
    folder.mkdir(parents=True, exist_ok=True)
    trains = not list(folder.glob('*.safetensors'))
    of_this = {'seconds': None, 'trains': trains}
    files.write_json(path, [*before, of_this])  # A process that is killed leaves this.
    began = time.monotonic()
    try:
        yield
    finally:
        seconds = round(time.monotonic() - began, 1)
        files.write_json(path, [*before, {**of_this, 'seconds': seconds}])


def times_of(folder: files.AnyPath, row: str) -> dict[str, Any]:
    """The fields seconds, starts and unknown of a row's `Run`.

    A training that was started more often than `timed` has seen, by older code or by hand, has
    starts of unknown time.
    """
    path = _times(folder, row)
    seen = files.read_json(path) if path.exists() else []
    known = [entry['seconds'] for entry in seen if entry['seconds'] is not None]
    trains = sum(entry['trains'] for entry in seen)
    others = max(len(starts_of(folder)) - trains, 0) if trains or not seen else 0
    return {
        'seconds': round(sum(known), 1) if known else None,
        'starts': len(seen) + others,
        'unknown': len(seen) - len(known) + others,
    }


def _times(folder: files.AnyPath, row: str) -> files.AnyPath:
    return folder / f'times_{row}.json'
