"""Profiling: the steps of a run that JAX's profiler watches, for xprof or TensorBoard to show."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import jax

from capf_jax.errors import UserError
from capf_jax.runtime import files

_FORM = re.compile(r'(\d+):(\d+)')


def steps_of(text: str) -> range:
    """The steps of 'FIRST:LAST', both of them watched; none for ''.

    Raises:
      UserError: the text has another form, or names no step.
    """
    if not text:
        return range(0)
    match = _FORM.fullmatch(text)
    steps = range(int(match[1]), int(match[2]) + 1) if match else range(0)
    if not steps or steps[0] < 1:
        raise UserError(
            f'--profile is {text!r}, and should name the first and the last step to watch, '
            'such as --profile=100:110'
        )
    return steps


class Profiler:
    """JAX's profiler, running during some steps of a run.

    Attributes:
      folder: where the profile goes, a folder that `xprof --logdir` and TensorBoard read.
    """

    def __init__(self, steps: range, folder: files.AnyPath):
        """A profiler of these steps; with none of them it never starts."""
        self._steps, self.folder = steps, folder
        self._runs = False

    @contextlib.contextmanager
    def step(self, number: int) -> Iterator[None]:
        """Surrounds the step of this number; the profiler starts before the first of its steps."""
        if number not in self._steps:
            yield
            return
        if not self._runs:
            jax.profiler.start_trace(str(self.folder))
            self._runs = True
        with jax.profiler.StepTraceAnnotation('train', step_num=number):
            yield

    def ends_after(self, number: int) -> bool:
        """Whether the step of this number is the last one that is watched."""
        return self._runs and number >= self._steps[-1]

    def stop(self) -> None:
        """Writes the profile, if one was begun; what the devices still do is cut off."""
        if self._runs:
            self._runs, self._steps = False, range(0)
            jax.profiler.stop_trace()
