"""Motion from motion-capture files: pieces of recordings at another rate, with a person's bones.

A recording is a curve through its poses (a piecewise cubic that does not
overshoot, as a kick that is recorded ten times a second would). Where a joint is farther from one
pose to the next than anybody moves, poses are missing, and no piece goes across.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy import interpolate

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
        knots = np.arange(first, last) / self.rate
        curve = interpolate.Akima1DInterpolator(knots, self.joints[first:last], method='makima')
        return curve(times)


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
                if len(piece) > 1
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
