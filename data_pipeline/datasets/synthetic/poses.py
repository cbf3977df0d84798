"""Samples random bone lengths, activities and poses that a human body can take."""

from __future__ import annotations

import math

import numpy as np

from capf_jax.errors import unknown
from capf_jax.pose.skeletons import H36M17
from data_pipeline.datasets.synthetic import resting_activities as resting
from data_pipeline.datasets.synthetic import standing_activities as standing
from data_pipeline.datasets.synthetic.gestures import pick
from data_pipeline.datasets.synthetic.joint_limits import (
    CLEARANCE,
    angle_violation,
    collision,
    imbalance,
)
from data_pipeline.datasets.synthetic.kinematics import (
    ANKLE,
    KNEE,
    LEFT,
    RIGHT,
    BodyProportions,
    Figure,
    Pose,
    rotation,
)  # fmt: skip
from data_pipeline.datasets.synthetic.vectors import unit

# The chance of each activity. The values are an estimate in which most people are upright; they
# sum to 1.
ACTIVITIES = {
    'walking': 0.18,
    'standing': 0.10,
    'gesturing': 0.17,
    'handling': 0.12,
    'reaching': 0.09,
    'stepping': 0.05,
    'bending': 0.05,
    'crouching': 0.05,
    'kneeling': 0.04,
    'sitting': 0.09,
    'sitting_on_floor': 0.04,
    'lying': 0.02,
}

_DRAW = {name: getattr(standing, name, None) or getattr(resting, name) for name in ACTIVITIES}
_MIRROR = np.array(H36M17.flip)
_ATTEMPTS = 500


class NoPossiblePoseError(RuntimeError):
    """No random pose of an activity was possible for a body."""


def sample_proportions(rng: np.random.Generator) -> BodyProportions:
    """Random bone lengths, mm, of a person of 1.5 to 1.95 m whose limbs vary around the average.

    The averages are shares of the stature. They agree with the segment lengths of Drillis and
    Contini, "Body Segment Parameters", and with the subjects of Human3.6M, whose skeleton defines
    the joints of hip and spine.
    """
    stature = float(np.clip(rng.normal(1715.0, 95.0), 1500.0, 1950.0))

    def bone(share: float, spread: float, common: float = 1.0) -> float:
        return stature * share * common * (1.0 + spread * min(max(float(rng.normal()), -2.2), 2.2))

    legs = bone(1.0, 0.022) / stature  # A person with long legs has a short trunk.
    trunk = bone(0.2905, 0.02, 2.0 - legs)
    lower = trunk * float(rng.normal(0.476, 0.012))
    return BodyProportions(
        stature=stature,
        hip=bone(0.077, 0.06),
        thigh=bone(0.2615, 0.018, legs),
        shank=bone(0.2595, 0.018, legs),
        lower_spine=lower,
        upper_spine=trunk - lower,
        neck=bone(0.068, 0.035),
        head=bone(0.0665, 0.03),
        shoulder=bone(0.0915, 0.07),
        upper_arm=bone(0.1625, 0.03),
        forearm=bone(0.1435, 0.03),
    )


def sample_activity(rng: np.random.Generator) -> str:
    """The name of a random activity, with the chances of ACTIVITIES."""
    return pick(rng, ACTIVITIES)


def sample_pose(rng: np.random.Generator, activity: str, proportions: BodyProportions) -> Pose:
    """A random pose on the floor that a body can take, turned at random about the vertical.

    Args:
      rng: source of randomness.
      activity: one of ACTIVITIES.
      proportions: bone lengths of the person, mm.

    Raises:
      UserError: `activity` is not one of ACTIVITIES.
      NoPossiblePoseError: no pose of many was possible for these proportions.
    """
    pose = possible_pose(rng, activity, proportions)
    if rng.random() < 0.5:
        pose = mirror(pose)
    return turn(pose, rng.uniform(-180.0, 180.0))


def possible_pose(rng: np.random.Generator, activity: str, proportions: BodyProportions) -> Pose:
    """A random pose on the floor that a body can take, whose pelvis faces about along x.

    Args and errors are those of `sample_pose`.
    """
    if activity not in ACTIVITIES:
        raise unknown('activity', activity, ACTIVITIES)
    for _ in range(_ATTEMPTS):
        figure, support = _DRAW[activity](rng, proportions)
        pose = settle(figure, support)
        if violation(pose, figure.off_balance) is None:
            return pose
    raise NoPossiblePoseError(
        f'no possible pose of {activity!r} in {_ATTEMPTS} draws; check {proportions}'
    )


def violation(pose: Pose, off_balance: float = math.inf) -> str | None:
    """Why a body cannot take a pose, or None if it can.

    Args:
      pose: the pose.
      off_balance: greatest distance on the floor between the centre of mass and the feet, mm.

    Returns:
      'support' where the supporting joints are above the floor, 'balance' where the person would
      fall, or what `joint_limits.angle_violation` or `joint_limits.collision` returns.
    """
    support = list(pose.support)
    if support and (pose.joints[support, 2] - CLEARANCE[support]).min() > 50.0:
        return 'support'
    if off_balance < math.inf and imbalance(pose) > off_balance:
        return 'balance'
    return angle_violation(pose) or collision(pose)


def settle(figure: Figure, support: tuple[int, ...]) -> Pose:
    """Lowers a figure until it touches the floor z = 0, and chooses the directions of its feet.

    Args:
      figure: the figure, whose joints are overwritten.
      support: indices of the joints near which the body rests on something.
    """
    joints = figure.joints
    joints[:, 2] -= (joints[:, 2] - CLEARANCE).min()
    feet = np.stack(
        [foot_direction(joints, figure.knee_front[side], side) for side in (RIGHT, LEFT)]
    )
    return Pose(joints, figure.pelvis, figure.chest, figure.head, feet, support)


def foot_direction(joints: np.ndarray, knee_front: np.ndarray, side: int) -> np.ndarray:
    """Unit vector [3] from the ankle to the toes: level near the floor, else hanging a little.

    Args:
      joints: [17, 3], mm, order of H36M17, world with the floor z = 0.
      knee_front: [3], unit vector to the front of the thigh.
      side: 0 for right, 1 for left.
    """
    ankle = joints[ANKLE[side]]
    shank = unit(ankle - joints[KNEE[side]])
    front = unit(knee_front - shank * shank.dot(knee_front))
    height = ankle[2] - CLEARANCE[ANKLE[side]]
    drop = 14.0 + 0.1 * max(height, 0.0)
    if height < 60.0:
        # The foot is level at the angle a where cos(a) * front_z + sin(a) * shank_z = 0.
        drop = math.degrees(math.atan2(-front[2], shank[2]))
        drop = (drop + 90.0) % 180.0 - 90.0
    # An ankle bends by up to 30 degrees towards the shin and by up to 50 away from it.
    angle = math.radians(min(max(drop, -30.0), 50.0))
    foot = math.cos(angle) * front + math.sin(angle) * shank
    # The toes are 150 mm from the ankle and stay above the floor.
    foot[2] = max(foot[2], -max(ankle[2] - 25.0, 0.0) / 150.0)
    return unit(foot)


def mirror(pose: Pose) -> Pose:
    """The mirror image of a pose in the plane y = 0; left and right joints are exchanged."""
    flip = np.array((1.0, -1.0, 1.0))
    pelvis, chest, head = (
        part * flip[:, None] * flip for part in (pose.pelvis, pose.chest, pose.head)
    )
    support = tuple(int(_MIRROR[joint]) for joint in pose.support)
    feet = pose.feet[::-1] * flip
    return Pose(pose.joints[_MIRROR] * flip, pelvis, chest, head, feet, support)


def turn(pose: Pose, degrees: float) -> Pose:
    """The pose turned to the left about the vertical by an angle, its pelvis above the origin."""
    about = rotation(0.0, 0.0, degrees)
    joints = pose.joints @ about.T
    joints[:, :2] -= joints[0, :2]
    pelvis, chest, head = (about @ part for part in (pose.pelvis, pose.chest, pose.head))
    feet = pose.feet @ about.T
    return Pose(joints.astype(np.float32), pelvis, chest, head, feet, pose.support)
