"""Ctrl-C, SIGTERM and preemption as a request that the training loop answers between two steps."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any

from jax.experimental import multihost_utils

from capf_jax.runtime import processes, signals


class StopRequest:
    """While entered, Ctrl-C and SIGTERM end no step; `reached` says after which step to stop.

    A run of one process stops after the step under way, and a second signal ends it at once: what
    is on the disk is whole.

    In a run of several processes (`processes.join_processes`), all of them must stop after the same
    step. JAX's preemption service sees to that: it takes SIGTERM of any process, which is also how
    Slurm and cloud machines announce that they will be taken away, and finds a step that none has
    passed. Ctrl-C is passed on to it as SIGTERM. From then on, and once that step is reached, the
    next signal ends the process at once, and the others notice.

    Attributes:
      signal: number of the signal to stop for; None while there is none.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        # JAX has taken SIGTERM for its preemption service where there are several processes.
        alone = processes.process_count() == 1
        for number in (signal.SIGINT, signal.SIGTERM) if alone else (signal.SIGINT,):
            self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()

    def reached(self, step: int) -> bool:
        """Whether to save and stop after this step; the answer is the same in all processes.

        Args:
          step: optimizer steps done. Every process must ask after every step, in the same order.
        """
        if processes.process_count() == 1:
            return self.signal is not None
        processes.check()
        if not multihost_utils.reached_preemption_sync_point(step):
            return False
        self.signal = self.signal or signal.SIGTERM
        signals.end_at_once_from_now_on()
        return True

    def _receive(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.signal = number
        if processes.process_count() > 1:
            signal.raise_signal(signal.SIGTERM)
        signals.end_at_once_from_now_on()

    def _restore(self) -> None:
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)
