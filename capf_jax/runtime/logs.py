"""Logs of a run: TensorBoard, JSON lines and a progress line."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

import tqdm
from etils import epath
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog  # pyright: ignore[reportAttributeAccessIssue]
from tensorboardX.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]

from capf_jax.runtime import files, value_kinds
from capf_jax.runtime.growing_files import GrowingFolder

MEASURABLE = 0.5  # seconds; metrics may arrive in bursts, so that less tells nothing of the speed


class Logs:
    """Writes what is measured; a context manager.

    `log.jsonl` has one JSON object a line, each with its 'step'. A run that goes on from a
    checkpoint drops the lines of steps that will be done again.
    """

    def __init__(
        self, workdir: str | os.PathLike, start_step: int, total_steps: int, batch_size: int
    ) -> None:
        """Opens the logs.

        Args:
          workdir: folder of the run.
          start_step: steps already done.
          total_steps: steps at the end of the run.
          batch_size: samples a step, over all devices.

        Raises:
          OSError: a log cannot be written.
        """
        workdir = files.user_path(workdir)
        self.path = workdir / 'log.jsonl'
        self._batch_size = batch_size
        drop_later(self.path, start_step)
        self._folder = GrowingFolder(workdir, self.path.name)
        self._board = _Board(workdir / 'tensorboard', start_step)
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
        self._folder.close()

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

    def evaluation(self, step: int, scores: Mapping[str, float], skipped: int = 0) -> None:
        """Logs the scores of an evaluation and prints them above the progress line.

        Args:
          step: optimizer steps done.
          scores: name -> value.
          skipped: how many images did not decode, so that the scores are without them.
        """
        self._write(step, 'test', {**scores, **({'skipped_images': skipped} if skipped else {})})
        text = ', '.join(f'{name} {value:.2f}' for name, value in scores.items())
        if skipped:
            text += f' (images left out, since they do not decode: {skipped})'
        self.say(f'step {step}: {text}')
        self._last = (time.perf_counter(), step)  # the evaluation's time is not the training's

    def say(self, text: str) -> None:
        """Prints a line for the user above the progress line."""
        self._progress.write(text, file=sys.stderr)

    def _write(self, step: int, part: str, values: Mapping[str, float]) -> None:
        values = {name: float(value) for name, value in values.items()}
        with files.named(self.path):
            with (self._folder.local / self.path.name).open('a') as file:
                file.write(json.dumps({'step': step, 'part': part, **values}) + '\n')
            # Whoever draws the scores of an evaluation reads them from the file.
            self._folder.grown(at_once=part == 'test')
        self._board.write(step, part, values)


class _Board:
    """The file that TensorBoard shows of one start of a run.

    tensorboardX's SummaryWriter writes from a thread of its own, whose failure on a full disk would
    be a traceback. Its EventsWriter writes the same records in the calling thread.
    """

    def __init__(self, folder: epath.Path, start_step: int) -> None:
        """Begins a file in `folder`; TensorBoard hides what older files say of later steps."""
        self._folder = GrowingFolder(folder)
        with files.named(folder):
            path = os.fspath(self._folder.local / 'events')
            self._writer = EventsWriter(path, f'.{os.getpid()}')
        if start_step:
            start = SessionLog(status=SessionLog.START)
            self._add(Event(step=start_step + 1, session_log=start))

    def write(self, step: int, part: str, values: Mapping[str, float]) -> None:
        """Writes values of one step, under the heading `part`."""
        scalars = [
            Summary.Value(tag=f'{part}/{name}', simple_value=value)
            for name, value in values.items()
        ]
        self._add(Event(step=step, summary=Summary(value=scalars)))

    def close(self) -> None:
        """Closes the file; all that was written is on the disk already."""
        with contextlib.suppress(OSError):  # `write` has raised it before
            self._writer.close()
        self._folder.close()

    def _add(self, event: Event) -> None:
        event.wall_time = time.time()
        with files.named(self._folder.path):
            self._writer.write_event(event)
            self._writer.flush()  # so that a run that is killed leaves what it has logged
            self._folder.grown()


class SilentLogs(Logs):
    """Logs that write nothing, for all processes but the main one."""

    def __init__(
        self, workdir: str | os.PathLike, start_step: int, total_steps: int, batch_size: int
    ) -> None:
        del start_step, total_steps, batch_size
        self.path = files.user_path(workdir) / 'log.jsonl'

    def __exit__(self, *_: Any) -> None:
        pass

    def advance(self, steps: int = 1) -> None:
        """Does nothing."""

    def training(self, step: int, metrics: Mapping[str, float]) -> None:
        """Does nothing."""

    def evaluation(self, step: int, scores: Mapping[str, float], skipped: int = 0) -> None:
        """Does nothing."""

    def say(self, text: str) -> None:
        """Does nothing."""


def entries(path: str | os.PathLike) -> list[dict[str, Any]]:
    """The objects of a JSON-lines log; whatever else stands in it is left out.

    That is a last line cut short by a kill, and lines that were damaged since. An object has a
    'step', a 'part' and numbers.
    """
    path, objects = epath.Path(path), []
    is_file = path.is_file() and not files.is_device(path)  # To epath a pipe is a file.
    for line in path.read_bytes().splitlines() if is_file else ():
        try:
            entry = files.parse_json(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and _is_whole(entry):
            objects.append(entry)
    return objects


def _is_whole(entry: Mapping[str, Any]) -> bool:
    """Whether an object of the log says when and what, and else holds numbers."""
    named = type(entry.get('step')) is int and isinstance(entry.get('part'), str)
    return named and all(
        value_kinds.is_number(value) for name, value in entry.items() if name != 'part'
    )


def was_evaluated(workdir: str | os.PathLike, step: int) -> bool:
    """Whether the log of a workdir has the scores of this step."""
    lines = entries(files.user_path(workdir) / 'log.jsonl')
    return any(line['step'] == step and line['part'] == 'test' for line in lines)


def drop_later(path: str | os.PathLike, step: int) -> None:
    """Drops the lines of later steps than `step` from a JSON-lines file, if there is one.

    Lines that do not read, but for the last one, are told on stderr and dropped too; a folder or a
    device in the place of the file is renamed.
    """
    path = epath.Path(path)
    files.clear_the_way(path, wanted='file')
    if not path.exists():
        return
    lines = entries(path)
    damaged = len(path.read_bytes().splitlines()) - len(lines)
    if damaged > 1:
        print(f'WARNING: {damaged} lines of {path} do not read and are dropped', file=sys.stderr)
    with files.whole(path) as temporary:
        kept = (line for line in lines if line['step'] <= step)
        temporary.write_text(''.join(json.dumps(line) + '\n' for line in kept))
