"""Limits of the human body: the ranges of its joints, its balance, and parts that cannot overlap.

Angles are measured on the final pose, so that the limits hold for sampled and for recorded poses.
The ranges are those of the American Academy of Orthopaedic Surgeons, widened by a few degrees.
Lengths are in millimetres, angles in degrees, and a side is 0 for right and 1 for left.
"""

from __future__ import annotations

import math

import numpy as np

from data_pipeline.datasets.synthetic.kinematics import (
    ANKLE,
    ELBOW,
    HEAD,
    HIP,
    KNEE,
    LATERAL,
    LEFT,
    NOSE,
    PELVIS,
    RIGHT,
    SHOULDER,
    SPINE,
    THORAX,
    WRIST,
    Pose,
)  # fmt: skip
from data_pipeline.datasets.synthetic.vectors import unit

# Smallest and largest angle of each joint, degrees.
LIMITS = {
    'hip flexion': (-28.0, 132.0),
    'hip abduction': (-32.0, 62.0),
    'hip turn': (-48.0, 82.0),  # The largest turn is that of sitting with crossed legs.
    'knee': (0.0, 160.0),
    'elbow': (0.0, 152.0),
    'shoulder turn': (-85.0, 100.0),
    'spine flexion': (-32.0, 78.0),
    'spine lateral': (-36.0, 36.0),
    'spine twist': (-48.0, 48.0),
    'neck flexion': (-50.0, 58.0),
    'neck lateral': (-40.0, 40.0),
    'neck twist': (-78.0, 78.0),
}
# Largest elevation of the upper arm by the plane in which it is raised, degrees: the planes -180
# and 180 point inwards, -90 to the back, 0 to the outside and 90 to the front.
ELEVATION_PLANES = (-180.0, -120.0, -90.0, -45.0, -10.0, 100.0, 140.0, 180.0)
HIGHEST_ELEVATION = (10.0, 30.0, 62.0, 95.0, 178.0, 178.0, 115.0, 10.0)

# Smallest height of the centre of each joint above the floor, mm: half the thickness of the body
# there.
CLEARANCE = np.zeros(17)
CLEARANCE[list(HIP)] = 95.0
CLEARANCE[list(KNEE)] = 55.0
CLEARANCE[list(ANKLE)] = 75.0
CLEARANCE[list(SHOULDER)] = 65.0
CLEARANCE[list(ELBOW)] = 40.0
CLEARANCE[list(WRIST)] = 30.0
CLEARANCE[[PELVIS, SPINE, THORAX, NOSE, HEAD]] = 100.0, 95.0, 90.0, 30.0, 30.0

# Share of the mass of the body at each joint. Half of the mass of each segment, from the tables of
# Winter, "Biomechanics and Motor Control of Human Movement", counts at each of its ends.
MASS = np.array((
    0.14, 0.08, 0.073, 0.038, 0.08, 0.073, 0.038, 0.16, 0.11, 0.04, 0.041,
    0.028, 0.022, 0.0135, 0.028, 0.022, 0.0135,
))  # fmt: skip
MASS /= MASS.sum()

# The bones of the limbs as (upper joint, lower joint), and the smallest distance between every two
# of them, mm.
_LIMBS = {
    'forearm': (ELBOW, WRIST),
    'shank': (KNEE, ANKLE),
    'thigh': (HIP, KNEE),
    'arm': (SHOULDER, ELBOW),
}
_NAMES = tuple(_LIMBS)
_ENDS = np.array(
    [[(upper[s], lower[s]) for s in (RIGHT, LEFT)] for upper, lower in _LIMBS.values()]
)
_ENDS = _ENDS.reshape(-1, 2)
_NEAREST = np.zeros((len(_ENDS), len(_ENDS)))
for _first, _second, _same_side, _other_side in (
    ('forearm', 'forearm', 0.0, 62.0),
    ('shank', 'shank', 0.0, 82.0),
    ('thigh', 'thigh', 0.0, 100.0),
    ('shank', 'thigh', 0.0, 95.0),
    ('forearm', 'arm', 0.0, 65.0),
    ('forearm', 'thigh', 78.0, 78.0),
    ('forearm', 'shank', 68.0, 68.0),
):
    _a, _b = 2 * _NAMES.index(_first), 2 * _NAMES.index(_second)
    _NEAREST[_a : _a + 2, _b : _b + 2] = _other_side
    _NEAREST[(_a, _a + 1), (_b, _b + 1)] = _same_side
_STEPS = np.linspace(0.0, 1.0, 6)[:, None]

# The trunk is an elliptic tube. The half width of its upper part is this share of the distance
# from the thorax to a shoulder; its half depth and the half width of its lower part are in mm.
TRUNK_WIDTH, TRUNK_DEPTH, TRUNK_WAIST = 0.92, 105.0, 135.0
HEAD_RADIUS = 100.0  # Radius of the ball that stands for the head, mm.


def arm_angles(pose: Pose, side: int) -> tuple[float, float, float, float]:
    """Angles of one arm, degrees.

    Args:
      pose: the pose.
      side: 0 for right, 1 for left.

    Returns:
      The elevation of the upper arm; the plane in which it is raised, 0 to the outside and 90 to
      the front; its inward turn, relative to an arm that is raised without turning; and the bend
      of the elbow. The turn is 0 where the elbow is too straight or the arm too high to measure it.
    """
    joints, out = pose.joints, LATERAL[side]
    shoulder, elbow, wrist = joints[SHOULDER[side]], joints[ELBOW[side]], joints[WRIST[side]]
    upper = unit((elbow - shoulder) @ pose.chest)
    lower = unit((wrist - elbow) @ pose.chest)
    x, y, z = float(upper[0]), float(upper[1]) * out, float(upper[2])
    bend = math.degrees(math.acos(min(1.0, max(-1.0, float(upper.dot(lower))))))
    elevation = math.degrees(math.acos(min(1.0, max(-1.0, -z))))
    plane = math.degrees(math.atan2(x, y))
    if bend < 20.0 or elevation > 140.0:
        return elevation, plane, 0.0, bend
    # The smallest rotation that takes the direction down to that of the upper arm takes the
    # directions forward and inward to these two:
    k = 1.0 / (1.0 - z)
    forward = (1.0 - k * x * x, -k * x * y, x)
    inward = (k * x * y, k * y * y - 1.0, -y)
    fold = (float(lower[0]), float(lower[1]) * out, float(lower[2]))
    along = sum(a * b for a, b in zip(fold, forward, strict=True))
    across = sum(a * b for a, b in zip(fold, inward, strict=True))
    return elevation, plane, math.degrees(math.atan2(across, along)), bend


def leg_angles(pose: Pose, side: int) -> tuple[float, float, float, float]:
    """Angles of one leg, degrees.

    Args:
      pose: the pose.
      side: 0 for right, 1 for left.

    Returns:
      The flexion, abduction and outward turn of the hip, and the bend of the knee. The turn is 0
      where the knee is too straight to measure it.
    """
    joints, out = pose.joints, LATERAL[side]
    hip, knee, ankle = joints[HIP[side]], joints[KNEE[side]], joints[ANKLE[side]]
    upper = unit((knee - hip) @ pose.pelvis)
    lower = unit((ankle - knee) @ pose.pelvis)
    x, y, z = float(upper[0]), float(upper[1]) * out, float(upper[2])
    bend = math.degrees(math.acos(min(1.0, max(-1.0, float(upper.dot(lower))))))
    abduction = math.asin(min(1.0, max(-1.0, y)))
    flexion = math.atan2(x, -z)
    turn = 0.0
    if bend > 20.0:
        sf, cf, sa, ca = (
            math.sin(flexion), math.cos(flexion), math.sin(abduction), math.cos(abduction),
        )  # fmt: skip
        lx, ly, lz = float(lower[0]), float(lower[1]) * out, float(lower[2])
        along = -(lx * cf + lz * sf)
        across = -(-lx * sf * sa + ly * ca + lz * cf * sa)
        turn = math.degrees(math.atan2(across, along))
    return math.degrees(flexion), math.degrees(abduction), turn, bend


def bend_angles(lower: np.ndarray, upper: np.ndarray) -> tuple[float, float, float]:
    """Bend to the front, bend to the side and twist, degrees, between two parts of the body.

    Args:
      lower: [3, 3], axes of the lower part, whose columns are forward, left and up.
      upper: [3, 3], axes of the upper part in the same form.
    """
    relative = lower.T @ upper
    lateral = math.asin(min(1.0, max(-1.0, -float(relative[1, 2]))))
    flexion = math.atan2(relative[0, 2], relative[2, 2])
    twist = math.atan2(relative[1, 0], relative[1, 1])
    return math.degrees(flexion), math.degrees(lateral), math.degrees(twist)


def angle_violation(pose: Pose) -> str | None:
    """The name of the first joint whose angle is outside its limits, or None."""
    measured = []
    for part, axes in (('spine', (pose.pelvis, pose.chest)), ('neck', (pose.chest, pose.head))):
        flexion, lateral, twist = bend_angles(*axes)
        measured += [
            (f'{part} flexion', flexion), (f'{part} lateral', lateral), (f'{part} twist', twist),
        ]  # fmt: skip
    for side in (RIGHT, LEFT):
        flexion, abduction, turn, knee = leg_angles(pose, side)
        elevation, plane, arm_turn, elbow = arm_angles(pose, side)
        if elevation > np.interp(plane, ELEVATION_PLANES, HIGHEST_ELEVATION):
            return 'shoulder elevation'
        measured += [
            ('hip flexion', flexion), ('hip abduction', abduction), ('hip turn', turn),
            ('knee', knee), ('shoulder turn', arm_turn), ('elbow', elbow),
        ]  # fmt: skip
    for name, angle in measured:
        low, high = LIMITS[name]
        if not low <= angle <= high:
            return name
    return None


def imbalance(pose: Pose) -> float:
    """Distance on the floor from the centre of mass to the line between the supporting feet, mm.

    At least one ankle is among `pose.support`.
    """
    centre = MASS @ pose.joints[:, :2]
    feet = [
        pose.joints[ANKLE[side], :2] + 60.0 * pose.feet[side, :2]
        for side in (RIGHT, LEFT)
        if ANKLE[side] in pose.support
    ]
    along = feet[-1] - feet[0]
    share = (centre - feet[0]).dot(along) / max(along.dot(along), 1e-6)
    gap = feet[0] + min(max(share, 0.0), 1.0) * along - centre
    return math.sqrt(gap.dot(gap))


def collision(pose: Pose) -> str | None:
    """What a part of the body overlaps, or None.

    Returns:
      'floor' where a joint is too low, 'limbs' where two limbs overlap, and 'trunk' or 'head' where
      a forearm overlaps it.
    """
    joints = pose.joints
    if (joints[:, 2] < CLEARANCE - 12.0).any():
        return 'floor'
    start = joints[_ENDS[:, 0], None]
    points = start + _STEPS * (joints[_ENDS[:, 1], None] - start)  # [8 bones, 6 points, 3]
    flat = points.reshape(-1, 3)
    squares = np.einsum('ij,ij->i', flat, flat)
    gaps = squares[:, None] + squares - 2.0 * (flat @ flat.T)
    # The distance of a limb from itself is zero except for rounding errors, hence the tolerance.
    if (gaps.reshape(8, 6, 8, 6).min((1, 3)) < _NEAREST**2 - 0.01).any():
        return 'limbs'
    forearms = flat[:12]
    if _trunk_hit(pose, forearms):
        return 'trunk'
    skull = forearms - (0.5 * (joints[NOSE] + joints[HEAD]) - 35.0 * pose.head[:, 0])
    if (np.einsum('ij,ij->i', skull, skull) < HEAD_RADIUS**2).any():
        return 'head'
    return None


def _trunk_hit(pose: Pose, points: np.ndarray) -> bool:
    """Whether any of the points [P, 3] is inside the trunk, mm."""
    joints = pose.joints
    width = TRUNK_WIDTH * np.linalg.norm(joints[SHOULDER[LEFT]] - joints[THORAX])
    for axes, low, high, half in (
        (pose.pelvis, joints[PELVIS] - 60.0 * pose.pelvis[:, 2], joints[SPINE], TRUNK_WAIST),
        (pose.chest, joints[SPINE], joints[THORAX], width),
    ):
        local = (points - low) @ axes
        length = float((high - low) @ axes[:, 2])
        share = local[:, 2] / max(length, 1.0)
        centre = (high - low) @ axes
        inside = ((local[:, 0] - share * centre[0]) / TRUNK_DEPTH) ** 2 + (
            (local[:, 1] - share * centre[1]) / half
        ) ** 2
        if ((inside < 1.0) & (share > 0.0) & (share < 1.0)).any():
            return True
    return False
