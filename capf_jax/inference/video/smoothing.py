"""Smoothing of a person's numbers over time: causal for live use, zero-phase for whole videos.

- `none`: as predicted.
- `one_euro`: the 1 EUR filter (Casiez, Roussel and Vogel, CHI 2012), a low pass of first order
  whose cutoff rises with the speed. It sees no later frame, so that it serves live; it delays.
- `butterworth`: a low pass of second order, run forwards and backwards by SciPy, so that it does
  not delay (zero phase). The usual filter of motion capture.
- `savgol`: Savitzky and Golay's running polynomials of second degree, by SciPy; no delay.

A person who is absent from a frame begins anew: nothing is smoothed across a gap.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from capf_jax.errors import UserError, unknown

NAMES = ('none', 'one_euro', 'butterworth', 'savgol')
CUTOFF = 3.0  # Hz; the poses of one picture at a time jitter more than people move above it
WINDOW = 0.6  # seconds, of the polynomials of savgol at this cutoff
USUAL_SPEED = 0.5  # metres per second, at which one_euro's cutoff is twice that at rest
LONGEST_STEP = 2.5  # usual steps between two frames from which on they are no neighbours,
LEAST_GAP = 0.3  # if they are so many seconds apart, too
_ORDER = 2


@dataclasses.dataclass(frozen=True)
class Smoothing:
    """Which filter smooths, and how much.

    Attributes:
      name: one of `NAMES`.
      cutoff: Hz, where the filter begins to let nothing through; of savgol, the larger it is the
        shorter are its windows; of one_euro, that at rest is a third of it.
    """

    name: str = 'butterworth'
    cutoff: float = CUTOFF

    def __post_init__(self) -> None:
        """Raises UserError for an unknown filter or a cutoff that is none."""
        if self.name not in NAMES:
            raise unknown('smoothing', self.name, NAMES)
        if not (np.isfinite(self.cutoff) and self.cutoff > 0):
            raise UserError(f'a cutoff of {self.cutoff} Hz is none; give one above 0, such as 3')

    def values(
        self,
        values: Float[np.ndarray, 'T ...'],
        times: Float[np.ndarray, ' T'],
        present: Bool[np.ndarray, ' T'],
        metre: float = 1.0,
    ) -> Float[np.ndarray, 'T ...']:
        """One person's numbers, smoothed within each stretch of frames without a gap.

        Args:
          values: of each frame, in any unit.
          times: seconds, increasing.
          present: whether the numbers of each frame count; the others stay as they are.
          metre: about how many units of the values a metre is; only one_euro asks for it.
        """
        if self.name == 'none':
            return values
        smooth = {'butterworth': _butterworth, 'savgol': _savgol}.get(self.name)
        out = np.array(values, np.float64)
        for stretch in stretches(present, times):
            flat = out[stretch].reshape(stretch.stop - stretch.start, -1)
            if smooth is None:
                keep = self.live(metre)
                flat = np.stack([keep(x, t) for x, t in zip(flat, times[stretch], strict=True)])
            else:
                flat = smooth(flat, times[stretch], self.cutoff)
            out[stretch] = flat.reshape(out[stretch].shape)
        return out

    def live(self, metre: float = 1.0) -> OneEuro:
        """The 1 EUR filter of this cutoff, for numbers of which so many are a metre."""
        return OneEuro(self.cutoff / 3, self.cutoff / 3 / (USUAL_SPEED * metre))


def stretches(
    present: Bool[np.ndarray, ' T'], times: Float[np.ndarray, ' T'] | None = None
) -> Iterator[slice]:
    """The longest stretches of neighbouring frames in which somebody is present.

    Args:
      present: of each frame.
      times: seconds; two frames that are further apart than `LONGEST_STEP` usual steps and
        `LEAST_GAP` are no neighbours. None: all are.
    """
    breaks = np.diff(np.concatenate([[False], np.asarray(present, bool), [False]]).astype(int))
    for start, stop in zip(np.flatnonzero(breaks == 1), np.flatnonzero(breaks == -1), strict=True):
        inner: Any = ()
        if times is not None and stop - start > 1:
            steps = np.diff(times)
            longest = max(LONGEST_STEP * float(np.median(steps)), LEAST_GAP)
            far = np.diff(times[start:stop]) > longest
            inner = start + 1 + np.flatnonzero(far)
        edges = [int(start), *map(int, inner), int(stop)]
        yield from (slice(a, b) for a, b in itertools.pairwise(edges))


class OneEuro:
    """The 1 EUR filter of one array, frame by frame."""

    def __init__(self, cutoff: float = 1.0, slope: float = 0.0, speed_cutoff: float = 1.0) -> None:
        """A filter that has seen nothing yet.

        Args:
          cutoff: Hz at rest.
          slope: Hz by which the cutoff rises with each unit per second of speed.
          speed_cutoff: Hz, of the low pass of the speed.
        """
        self.cutoff, self.slope, self.speed_cutoff = cutoff, slope, speed_cutoff
        self._time: float | None = None
        self._value: Any = None
        self._speed: Any = 0.0

    def __call__(self, value: np.ndarray, time: float) -> np.ndarray:
        """The smoothed value at a time, seconds, that is later than all before."""
        if self._time is None or time <= self._time:
            self._time, self._value, self._speed = time, np.array(value, np.float64), 0.0 * value
            return self._value
        step = time - self._time
        speed = (value - self._value) / step
        self._speed = self._speed + _share(self.speed_cutoff, step) * (speed - self._speed)
        share = _share(self.cutoff + self.slope * np.abs(self._speed), step)
        self._value = self._value + share * (value - self._value)
        self._time = time
        return self._value


def _share(cutoff: Any, step: float) -> Any:
    """How much of a new value counts in a low pass of first order."""
    turn = 2 * np.pi * cutoff * step
    return turn / (turn + 1)


def _butterworth(values: np.ndarray, times: np.ndarray, cutoff: float) -> np.ndarray:
    import scipy.signal  # It takes long to import, and photographs do without it.

    def smooth(even: np.ndarray, rate: float) -> np.ndarray:
        if cutoff >= 0.45 * rate or len(even) < 3:
            return even
        # Two runs together have a gain of 1/sqrt(2) at the cutoff if that of each is higher by
        # this factor (Winter, Biomechanics and Motor Control of Human Movement, 2009).
        corrected = min(cutoff / 0.802, 0.49 * rate)
        sections = scipy.signal.butter(_ORDER, corrected, fs=rate, output='sos')
        pad = min(len(even) - 1, int(np.ceil(rate / cutoff)) + 6)
        return scipy.signal.sosfiltfilt(sections, even, axis=0, padlen=pad)

    return _evenly(values, times, smooth)


def _savgol(values: np.ndarray, times: np.ndarray, cutoff: float) -> np.ndarray:
    import scipy.signal  # It takes long to import, and photographs do without it.

    def smooth(even: np.ndarray, rate: float) -> np.ndarray:
        window = 2 * round(WINDOW * CUTOFF / cutoff * rate / 2) + 1
        window = min(window, len(even) - 1 + len(even) % 2)
        if window <= _ORDER:
            return even
        return np.asarray(scipy.signal.savgol_filter(even, window, _ORDER, axis=0))

    return _evenly(values, times, smooth)


def _evenly(values: np.ndarray, times: np.ndarray, smooth: Any) -> np.ndarray:
    """What a filter for evenly spaced frames gives at these times, which may vary."""
    if len(values) < 3:
        return values
    steps = np.diff(times)
    rate = 1 / steps.mean()
    if np.allclose(steps, steps.mean(), rtol=0.02):
        return smooth(values, rate)
    # The even frames lie as densely as the densest real ones, so that none is lost.
    number = min(int(np.ceil((times[-1] - times[0]) / steps.min())) + 1, 8 * len(times))
    even = np.linspace(times[0], times[-1], number)
    columns = np.stack([np.interp(even, times, column) for column in values.T], axis=1)
    smoothed = smooth(columns, (number - 1) / (times[-1] - times[0]))
    return np.stack([np.interp(times, even, column) for column in smoothed.T], axis=1)
