"""Motion of the built-in activities: poses of one person, so many a second.

A person moves from one possible pose of an activity to the next. Each movement turns every joint
along the shortest way with the timing of least jerk (Flash and Hogan, 1985), and takes longer the
farther a joint goes. A movement may begin before the last one has ended, and then the two add up
(Flash and Henis, 1991). In between the person sways a little. The foot that bears the weight stays
where it is. People who walk go through the strides of one gait, straight on or in a circle.

`benchmarks/motion.py` compares speeds and accelerations with those of motion capture.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from data_pipeline.datasets.synthetic import articulation, poses
from data_pipeline.datasets.synthetic import standing_activities as standing
from data_pipeline.datasets.synthetic.articulation import Articulation
from data_pipeline.datasets.synthetic.gestures import pick
from data_pipeline.datasets.synthetic.joint_limits import CLEARANCE
from data_pipeline.datasets.synthetic.kinematics import ANKLE, BodyProportions, Pose, rotation

# The chance of each activity: people who move walk more often than those of single pictures.
ACTIVITIES = {**poses.ACTIVITIES, 'walking': 0.6}
# Activities among which a person on both feet may change within a clip.
ON_FEET = ('standing', 'gesturing', 'handling', 'reaching', 'stepping', 'bending', 'crouching')
CHANGE = 0.25  # Chance that a person on both feet begins another activity.
SAME_LEGS = 0.4  # Chance that a person on both feet moves the upper body alone.
# Time of a movement in seconds: its least, and what a metre of the fastest joint's way adds; and
# the standard deviation of the logarithm of both.
LEAST_TIME, TIME_OF_METRE, SPREAD_OF_TIME = 0.25, 0.40, 0.25
OVERLAP = 0.45  # Largest share of a movement that is left when the next one begins.
REST, REST_TIME = 0.15, 0.4  # Chance of a rest after a movement, and its mean length in seconds.
SWAY = math.radians(1.5)  # Standard deviation of the sway of pelvis, chest and head.
SWAY_TIME = 0.3  # Time in which the sway changes, seconds.
CIRCLE = 0.7  # Chance that a person who walks goes in a circle.
VIGOUR = 0.6, 1.2  # Least and greatest vigour of a walk, see `standing_activities.walking`.
STRIDES = 0.60, 0.30  # Strides a second without vigour, and what vigour adds.
_TRIALS = 8  # Number of poses to try for a movement through which the body does not pass itself.
_SHARES = (0.2, 0.4, 0.6, 0.8)  # of a movement, where the body is looked at


@dataclasses.dataclass(frozen=True)
class Motion:
    """F poses of one person at equal distances in time.

    Attributes:
      activity: what the person does, or the name of the recording.
      poses: F poses, whose joints are in one world in mm, z up, near the floor z = 0.
      flies: whether the feet may leave the floor, as in recordings of jumps.
    """

    activity: str
    poses: tuple[Pose, ...]
    flies: bool = False

    @property
    def joints(self) -> Float[np.ndarray, 'F 17 3']:
        """The joints of all poses, mm, order of H36M17."""
        return np.stack([pose.joints for pose in self.poses])


def sample_motion(
    rng: np.random.Generator,
    proportions: BodyProportions,
    frames: int,
    fps: float,
    activity: str | None = None,
) -> Motion:
    """A random motion of a body, turned at random about the vertical; it begins at the origin.

    Args:
      rng: source of randomness.
      proportions: bone lengths of the person, mm.
      frames: F.
      fps: frames a second.
      activity: one of `poses.ACTIVITIES`; None draws one.

    Raises:
      NoPossiblePoseError: no pose of many was possible for these proportions.
    """
    activity = pick(rng, ACTIVITIES) if activity is None else activity
    heading, mirrored = rng.uniform(-180.0, 180.0), rng.random() < 0.5
    if activity == 'walking':
        motion = _walk(rng, proportions, frames, fps)
    else:
        motion = _movements(rng, activity, proportions, frames, fps)
    return Motion(activity, turned(motion, heading, mirrored))


def turned(motion: Sequence[Pose], degrees: float, mirrored: bool) -> tuple[Pose, ...]:
    """Poses that begin above the origin, mirrored or not, and then turned about the vertical."""
    about = rotation(0.0, 0.0, degrees)
    start = motion[0].joints[0] * (1, 1, 0)
    result = []
    for pose in motion:
        moved = dataclasses.replace(pose, joints=pose.joints - start)
        moved = poses.mirror(moved) if mirrored else moved
        pelvis, chest, head = (about @ part for part in (moved.pelvis, moved.chest, moved.head))
        joints, feet = moved.joints @ about.T, moved.feet @ about.T
        result.append(Pose(joints, pelvis, chest, head, feet, moved.support))
    return tuple(result)


# --- from pose to pose


@dataclasses.dataclass(frozen=True)
class _Movement:
    """What one movement turns: vectors of rotations of parts [3, 3] and of directions [19, 3]."""

    parts: np.ndarray
    directions: np.ndarray
    seconds: float


def _movements(
    rng: np.random.Generator, activity: str, proportions: BodyProportions, frames: int, fps: float
) -> list[Pose]:
    """Poses of a person who goes from one pose of an activity to others."""
    first = poses.possible_pose(rng, activity, proportions)
    lengths = articulation.bone_lengths(first)
    on_feet = activity in ON_FEET
    start = here = articulation.of_pose(first)
    height = None if on_feet else float(first.joints[0, 2])
    duration = frames / fps
    # A clip begins at any moment of a movement.
    onset, clip_start = 0.0, rng.uniform(0.0, 1.0)
    movements: list[tuple[float, _Movement]] = []
    while onset < clip_start + duration:
        following = _next(rng, activity, here, lengths, proportions, height)
        if following is None:  # The person waits.
            onset += rng.exponential(REST_TIME)
            continue
        movement, here = following
        movements.append((onset, movement))
        onset += movement.seconds * (1.0 - rng.uniform(0.0, OVERLAP))
        if rng.random() < REST:
            onset += movement.seconds * OVERLAP + rng.exponential(REST_TIME)
    times = clip_start + np.arange(frames) / fps
    parts, directions = _superposed(start, movements, times)
    sway = _smooth_noise(rng, (frames, 3, 3), fps)
    if not on_feet:
        sway[:, 0] = 0.0  # What bears the weight of a person who sits or lies rests.
    parts = parts @ articulation.rotations(SWAY * sway)
    joints, axes, feet = articulation.place(parts, directions, lengths)
    if on_feet:
        joints[..., :2] += _anchored(joints)[:, None]
        joints[..., 2] -= _smooth_minimum(joints[..., 2] - CLEARANCE)[:, None]
    else:
        joints[..., 2] += height
    feet = _level(feet, joints)
    return [
        Pose(joints[f], *_three(axes[f]), feet[f], first.support if on_feet else ())
        for f in range(frames)
    ]


def _next(
    rng: np.random.Generator,
    activity: str,
    here: Articulation,
    lengths: np.ndarray,
    proportions: BodyProportions,
    height: float | None,
) -> tuple[_Movement, Articulation] | None:
    """A movement to another pose and that pose; None if the body can make none of a few.

    A person who sits, kneels or lies stays in the same place, and moves the upper body.

    Args:
      rng: source of randomness.
      activity: of the clip.
      here: the pose before.
      lengths: of the bones, see `articulation.bone_lengths`.
      proportions: the same as the person's, mm.
      height: of the pelvis of a person who stays in place, mm; None of one on both feet.
    """
    on_feet = height is None
    for _ in range(_TRIALS):
        other = activity
        if on_feet and rng.random() < CHANGE:
            other = ON_FEET[rng.integers(len(ON_FEET))]
        with contextlib.suppress(poses.NoPossiblePoseError):
            pose = poses.possible_pose(rng, other, proportions)
            pose = poses.mirror(pose) if rng.random() < 0.5 else pose
            there = articulation.of_pose(pose)
            if not on_feet or rng.random() < SAME_LEGS:
                there = articulation.hips_and_legs_of(here, there)
            movement = _movement(rng, here, there, lengths)
            if _is_free(here, movement, lengths, height):
                return movement, there
    return None


def _movement(
    rng: np.random.Generator, here: Articulation, there: Articulation, lengths: np.ndarray
) -> _Movement:
    """The shortest turns of all joints, and the time that they take."""
    turned = here.parts.swapaxes(-1, -2) @ there.parts
    ends = [
        articulation.place(one.parts[None], one.directions[None], lengths)[0][0]
        for one in (here, there)
    ]
    way = np.linalg.norm(ends[1] - ends[0], axis=-1).max() / 1000
    seconds = (LEAST_TIME + TIME_OF_METRE * way) * math.exp(rng.normal(0, SPREAD_OF_TIME))
    return _Movement(
        articulation.vectors_of(turned),
        articulation.shortest_turns(here.directions, there.directions),
        seconds,
    )


def _is_free(
    here: Articulation, movement: _Movement, lengths: np.ndarray, height: float | None
) -> bool:
    """Whether the joints stay within their limits on the way, and no part enters another."""
    shares = np.array([*_SHARES, 1.0])
    parts, directions = _superposed(here, [(0.0, movement)], _times_of(shares) * movement.seconds)
    joints, axes, feet = articulation.place(parts, directions, lengths)
    lowest = (joints[..., 2] - CLEARANCE).min(-1)[:, None]
    joints[..., 2] += -lowest if height is None else height
    way = (Pose(joints[f], *_three(axes[f]), feet[f]) for f in range(len(shares)))
    return all(poses.violation(pose) is None for pose in way)


def _three(axes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Axes [3, 3, 3] of pelvis, chest and head, one by one."""
    return axes[0], axes[1], axes[2]


def _times_of(shares: np.ndarray) -> np.ndarray:
    """Times, 0 to 1, at which a movement of least jerk has gone these shares of its way, about."""
    times = np.linspace(0, 1, 101)
    return np.interp(shares, least_jerk(times), times)


def least_jerk(time: np.ndarray) -> np.ndarray:
    """The share of its way that a movement of least jerk has gone at times 0 to 1."""
    t = np.clip(time, 0.0, 1.0)
    return t**3 * (10.0 - 15.0 * t + 6.0 * t**2)


def _superposed(
    start: Articulation, movements: list[tuple[float, _Movement]], times: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rotations [F, 3, 3, 3] of the parts and directions [F, 19, 3] at times, seconds.

    Args:
      start: the pose before the first movement.
      movements: each with the time at which it begins, seconds, in their order.
      times: [F].
    """
    parts = np.repeat(start.parts[None], len(times), axis=0)
    directions = np.repeat(start.directions[None], len(times), axis=0)
    for onset, movement in movements:
        share = least_jerk((times - onset) / movement.seconds)[:, None, None]
        parts = parts @ articulation.rotations(share * movement.parts)
        turns = articulation.rotations(share * movement.directions)
        directions = np.einsum('fnab,fnb->fna', turns, directions)
    return parts, directions


# --- on the floor


def _anchored(joints: np.ndarray) -> np.ndarray:
    """Ways [F, 2] of the pelvis on the floor, mm, that keep the foot with the weight in place.

    Args:
      joints: [F, 17, 3], mm, with z up, relative to the pelvis in the axes of the world.
    """
    ankles = joints[:, list(ANKLE)]
    low = np.exp(-(ankles[..., 2] - ankles[..., 2].min(1, keepdims=True)) / 20.0)
    weight = low / low.sum(1, keepdims=True)
    weight = (weight[1:] + weight[:-1]) / 2
    steps = -(weight[..., None] * np.diff(ankles[..., :2], axis=0)).sum(1)
    return np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])


def _smooth_minimum(values: np.ndarray, width: float = 6.0) -> np.ndarray:
    """About the smallest of values [F, N], [F], without the corners of a minimum."""
    least = values.min(-1, keepdims=True)
    return least[..., 0] - width * np.log(np.exp(-(values - least) / width).sum(-1))


def _level(feet: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Feet [F, 2, 3] that are level near the floor, and whose toes stay above it."""
    height = joints[:, list(ANKLE), 2] - CLEARANCE[list(ANKLE)]
    feet = feet.copy()
    feet[..., 2] *= np.clip(height / 60.0, 0.0, 1.0)
    feet[..., 2] = np.maximum(feet[..., 2], -np.maximum(height + 50.0, 0.0) / 150.0)
    return feet / np.linalg.norm(feet, axis=-1, keepdims=True)


def _smooth_noise(rng: np.random.Generator, shape: tuple[int, ...], fps: float) -> np.ndarray:
    """Noise of standard deviation 1 that changes in SWAY_TIME along its first axis."""
    reach = max(1, math.ceil(3 * SWAY_TIME * fps))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (SWAY_TIME * fps)) ** 2)
    kernel /= np.linalg.norm(kernel)
    white = rng.normal(size=(shape[0] + 2 * reach, math.prod(shape[1:])))
    smooth = [np.convolve(column, kernel, 'valid') for column in white.T]
    return np.stack(smooth, axis=1).reshape(shape)


# --- walking


def _walk(
    rng: np.random.Generator, proportions: BodyProportions, frames: int, fps: float
) -> list[Pose]:
    """Poses of a person who walks."""
    seed, first_phase = int(rng.integers(2**32)), rng.uniform(0.0, 2.0 * math.pi)
    vigour = rng.uniform(*VIGOUR)

    def moment(phase: float) -> Pose:
        figure, support = standing.walking(
            np.random.default_rng(seed), proportions, (phase, vigour)
        )
        return poses.settle(figure, support)

    for _ in range(_TRIALS):
        if all(poses.violation(moment(phase)) is None for phase in np.arange(0, 6.2, 0.7)):
            break
        seed, vigour = int(rng.integers(2**32)), rng.uniform(*VIGOUR)
    strides = STRIDES[0] + STRIDES[1] * vigour
    phases = first_phase + 2.0 * math.pi * strides / fps * np.arange(frames)
    walk = [moment(phase) for phase in phases]
    joints = np.stack([pose.joints - pose.joints[0] * (1, 1, 0) for pose in walk])
    # The gait is straight, and its way is then bent into a circle.
    steps = np.diff(_anchored(joints), axis=0)
    radius = rng.uniform(900.0, 1800.0) * (1 if rng.random() < 0.5 else -1)
    curvature = 1.0 / radius if rng.random() < CIRCLE else 0.0
    heading = np.concatenate([[0.0], np.cumsum(np.linalg.norm(steps, axis=1)) * curvature])
    result, place = [], np.zeros(3)
    for frame, pose in enumerate(walk):
        about = rotation(0.0, 0.0, math.degrees(heading[frame]))
        if frame:
            place = place + about[:, :2] @ steps[frame - 1]
        pelvis, chest, head = (about @ part for part in (pose.pelvis, pose.chest, pose.head))
        moved, feet = joints[frame] @ about.T + place, pose.feet @ about.T
        result.append(Pose(moved, pelvis, chest, head, feet, pose.support))
    return result
