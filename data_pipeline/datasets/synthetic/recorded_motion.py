"""Motion from motion-capture files: pieces of recordings at another rate, with a person's bones.

A recording is a curve through its poses: a piecewise cubic that does not overshoot where a kick is
recorded ten times a second. Where a joint is farther from one pose to the next than anybody moves,
poses are missing, and no piece goes across.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from capf_jax.errors import UserError
from data_pipeline.datasets.synthetic.kinematics import BodyProportions
from data_pipeline.datasets.synthetic.motion import Motion, turned
from data_pipeline.datasets.synthetic.motion_capture import (
    MotionCapture,
    pose_from_joints,
    retarget,
)

RATE = 60.0  # Poses a second that are read of files which have more.
FASTEST = 12_000.0  # Largest speed of a joint, mm a second.
_BEYOND = 3  # Number of poses before and after a piece that its curve is made from.


@dataclasses.dataclass(frozen=True)
class Recording:
    """Poses of one recording without a gap.

    Attributes:
      name: of the recording.
      joints: [N, 17, 3], mm, order of H36M17, world with z up.
      rate: poses a second.
    """

    name: str
    joints: np.ndarray
    rate: float

    @property
    def seconds(self) -> float:
        """Time from the first pose to the last."""
        return (len(self.joints) - 1) / self.rate

    def at(self, times: Float[np.ndarray, ' F']) -> Float[np.ndarray, 'F 17 3']:
        """The joints at times within the recording, seconds."""
        first = max(int(times[0] * self.rate) - _BEYOND, 0)
        last = min(int(times[-1] * self.rate) + 2 + _BEYOND, len(self.joints))
        return curve(self.joints[first:last], times * self.rate - first)


def curve(
    values: Float[np.ndarray, 'N ...'], times: Float[np.ndarray, ' F']
) -> Float[np.ndarray, 'F ...']:
    """A smooth curve through values at times 0 to N - 1 (modified Akima interpolation).

    The slope at a value is a mean of the slopes on both sides that favours the steadier one, so
    that the curve does not overshoot where a movement changes at once. SciPy's is the same; its
    import would cost every process that makes a dataset more time than a clip.

    Args:
      values: N of them, at least 3.
      times: F of them.
    """
    values = np.asarray(values, np.float64)
    steps = np.diff(values, axis=0)
    before = [3 * steps[0] - 2 * steps[1], 2 * steps[0] - steps[1]]
    after = [2 * steps[-1] - steps[-2], 3 * steps[-1] - 2 * steps[-2]]
    steps = np.concatenate([before, steps, after])  # [N + 3, ...]
    change = np.abs(np.diff(steps, axis=0)) + np.abs(steps[1:] + steps[:-1]) / 2
    left, right = change[2:] + 1e-12, change[:-2] + 1e-12  # weights of the slopes on each side
    slopes = (left * steps[1:-2] + right * steps[2:-1]) / (left + right)
    knot = np.clip(times.astype(int), 0, len(values) - 2)
    t = (times - knot).reshape(-1, *[1] * (values.ndim - 1))
    rise = values[knot + 1] - values[knot]
    bend = (1 - t) * (slopes[knot] - rise) - t * (slopes[knot + 1] - rise)
    return values[knot] + t * rise + t * (1 - t) * bend


def recordings_of(captures: Sequence[MotionCapture]) -> tuple[Recording, ...]:
    """All recordings, cut where poses are missing.

    Raises:
      UserError: a file does not say how many poses a second it has.
    """
    recordings = []
    for capture in captures:
        for name in np.unique(capture.clips):
            if name not in capture.rates:
                raise UserError(
                    f'the motion capture of {name!r} does not say how many poses a second it has: '
                    'add an array fps to the file of config.data.builder.poses, or set '
                    'config.data.builder.clip_frames=0'
                )
            rate, joints = capture.rates[name], capture.joints[capture.clips == name]
            ways = np.linalg.norm(np.diff(joints, axis=0), axis=-1).max(-1, initial=0)
            cuts = np.flatnonzero(ways * rate > FASTEST) + 1
            recordings += [
                Recording(str(name), piece, rate)
                for piece in np.split(joints, cuts)
                if len(piece) > 2  # `curve` needs three
            ]
    return tuple(recordings)


def sample(
    rng: np.random.Generator,
    recordings: Sequence[Recording],
    proportions: BodyProportions,
    frames: int,
    fps: float,
) -> Motion:
    """A random piece of a random recording, turned and mirrored at random.

    All recordings that are long enough have equal chances.

    Args:
      rng: source of randomness.
      recordings: see `recordings_of`.
      proportions: bone lengths of the person, mm.
      frames: F.
      fps: frames a second.

    Raises:
      UserError: no recording is long enough.
    """
    seconds = (frames - 1) / fps
    names = sorted({one.name for one in recordings if one.seconds >= seconds})
    if not names:
        longest = max((one.seconds for one in recordings), default=0.0)
        raise UserError(
            f'clips of {frames} frames at {fps:g} a second last {seconds:.2f} s, and the longest '
            f'recording of config.data.builder.poses lasts {longest:.2f} s: lower '
            'config.data.builder.clip_frames, or name other files'
        )
    name = names[rng.integers(len(names))]
    pieces = [one for one in recordings if one.name == name and one.seconds >= seconds]
    recording = pieces[rng.integers(len(pieces))]
    start = rng.uniform(0.0, recording.seconds - seconds)
    joints = retarget(recording.at(start + np.arange(frames) / fps), proportions)
    posed = []
    for one in joints.astype(np.float64):
        # Axes and feet are found on the floor; the place in the air is that of the recording.
        posed.append(dataclasses.replace(pose_from_joints(one), joints=one))
    heading, mirrored = rng.uniform(-180.0, 180.0), rng.random() < 0.5
    return Motion(name, turned(posed, heading, mirrored), flies=True)
