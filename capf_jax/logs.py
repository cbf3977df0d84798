"""Logs of a run: TensorBoard, JSON lines and a progress line."""

from __future__ import annotations

import json
import os
import pathlib
import sys
import time
from collections.abc import Mapping
from typing import Any

import tensorboardX
import tqdm

MEASURABLE = 0.5  # seconds; metrics may arrive in bursts, so that less says nothing of the speed


class Logs:
    """Writes what is measured; a context manager.

    `log.jsonl` has one JSON object a line, each with its 'step'. A run that goes on from a
    checkpoint drops the lines of steps that will be done again.
    """

    def __init__(
        self, workdir: pathlib.Path, start_step: int, total_steps: int, batch_size: int
    ) -> None:
        """Opens the logs.

        Args:
          workdir: folder of the run.
          start_step: steps already done.
          total_steps: steps at the end of the run.
          batch_size: samples a step, over all devices.
        """
        self.path = workdir / 'log.jsonl'
        self._batch_size = batch_size
        drop_later(self.path, start_step)
        self._lines = open(self.path, 'a', buffering=1)  # noqa: SIM115, closed in __exit__
        self._board = tensorboardX.SummaryWriter(
            str(workdir / 'tensorboard'), purge_step=start_step + 1 if start_step else None
        )
        self._progress = tqdm.tqdm(
            total=total_steps,
            initial=start_step,
            unit='step',
            dynamic_ncols=True,
            mininterval=0.5 if sys.stderr.isatty() else 20,
            file=sys.stderr,
        )
        self._last = (time.perf_counter(), start_step)  # when and where the speed was last measured
        self._rate = 0.0  # samples a second

    def __enter__(self) -> Logs:
        return self

    def __exit__(self, *_: Any) -> None:
        self._progress.close()
        self._board.close()
        self._lines.close()

    def advance(self, steps: int = 1) -> None:
        """Moves the progress line."""
        self._progress.update(steps)

    def training(self, step: int, metrics: Mapping[str, float]) -> None:
        """Logs the metrics of a training step and the samples a second since the last call."""
        now = time.perf_counter()
        since, before = self._last
        if now - since > MEASURABLE or not self._rate:
            self._rate = (step - before) * self._batch_size / max(now - since, 1e-9)
            self._last = (now, step)
        self._write(step, 'train', {**metrics, 'samples_per_second': self._rate})
        text = f'loss {metrics["loss"]:.4f}, {self._rate:.0f} samples/s'
        self._progress.set_postfix_str(text, refresh=False)

    def evaluation(self, step: int, scores: Mapping[str, float]) -> None:
        """Logs the scores of an evaluation and says them above the progress line."""
        self._write(step, 'test', scores)
        text = ', '.join(f'{name} {value:.2f}' for name, value in scores.items())
        self.say(f'step {step}: {text}')
        self._last = (time.perf_counter(), step)  # the evaluation's time is not the training's

    def say(self, text: str) -> None:
        """A line for the user, above the progress line."""
        self._progress.write(text, file=sys.stderr)

    def _write(self, step: int, part: str, values: Mapping[str, float]) -> None:
        values = {name: float(value) for name, value in values.items()}
        self._lines.write(json.dumps({'step': step, 'part': part, **values}) + '\n')
        for name, value in values.items():
            self._board.add_scalar(f'{part}/{name}', value, step)
        self._board.flush()


class SilentLogs(Logs):
    """Writes nothing: for all processes but the main one."""

    def __init__(
        self, workdir: pathlib.Path, start_step: int, total_steps: int, batch_size: int
    ) -> None:
        del start_step, total_steps, batch_size
        self.path = workdir / 'log.jsonl'

    def __exit__(self, *_: Any) -> None:
        pass

    def advance(self, steps: int = 1) -> None:
        """Does nothing."""

    def training(self, step: int, metrics: Mapping[str, float]) -> None:
        """Does nothing."""

    def evaluation(self, step: int, scores: Mapping[str, float]) -> None:
        """Does nothing."""

    def say(self, text: str) -> None:
        """Does nothing."""


def entries(path: pathlib.Path) -> list[dict[str, Any]]:
    """The objects of a JSON-lines file; a last line cut short by a kill is left out."""
    found = []
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return found


def was_evaluated(workdir: pathlib.Path, step: int) -> bool:
    """Whether the log of a workdir has the scores of this step."""
    lines = entries(workdir / 'log.jsonl')
    return any(line['step'] == step and line['part'] == 'test' for line in lines)


def drop_later(path: pathlib.Path, step: int) -> None:
    """Drops the lines of later steps than `step` from a JSON-lines file."""
    if not path.exists():
        return
    kept = [line for line in entries(path) if line['step'] <= step]
    temporary = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    temporary.write_text(''.join(json.dumps(line) + '\n' for line in kept))
    os.replace(temporary, path)
