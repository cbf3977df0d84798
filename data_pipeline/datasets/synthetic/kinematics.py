"""A figure with the bone lengths of a person that takes a pose by joint angles or by reaching.

Lengths are in millimetres and angles in degrees. All frames are right-handed: in the world and in
each part of the body, x points forward, y left and z up. Joints have the order of
`capf_jax.pose.skeletons.H36M17`. A side is 0 for right and 1 for left. The angles of a limb and of
its mirror image are equal.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from data_pipeline.datasets.synthetic.vectors import unit

# Indices of the joints; those of a limb are (right, left).
HIP, KNEE, ANKLE = (1, 4), (2, 5), (3, 6)
SHOULDER, ELBOW, WRIST = (14, 11), (15, 12), (16, 13)
PELVIS, SPINE, THORAX, NOSE, HEAD = 0, 7, 8, 9, 10
RIGHT, LEFT = 0, 1
LATERAL = (-1.0, 1.0)  # Sign of y on the right and on the left.

# The nose lies in front of the line up from the base of the neck, and the top of the head behind
# the line up from the nose.
NOSE_LEAN = math.radians(28.0)
HEAD_LEAN = math.radians(-12.0)


@dataclasses.dataclass(frozen=True)
class BodyProportions:
    """Lengths of the bones of H36M17 in mm, which are equal on the left and on the right.

    Attributes:
      stature: height of the upright person without shoes.
      hip: from the pelvis to a hip joint.
      thigh: from a hip joint to the knee.
      shank: from a knee to the ankle.
      lower_spine: from the pelvis to the spine joint.
      upper_spine: from the spine joint to the thorax joint, which is the base of the neck.
      neck: from the thorax joint to the nose.
      head: from the nose to the top of the head.
      shoulder: from the thorax joint to a shoulder joint.
      upper_arm: from a shoulder joint to the elbow.
      forearm: from an elbow to the wrist.
    """

    stature: float
    hip: float
    thigh: float
    shank: float
    lower_spine: float
    upper_spine: float
    neck: float
    head: float
    shoulder: float
    upper_arm: float
    forearm: float

    @property
    def bone_lengths(self) -> np.ndarray:
        """[17], length of the bone that ends in each joint, mm; 0 for the pelvis."""
        leg = [self.hip, self.thigh, self.shank]
        arm = [self.shoulder, self.upper_arm, self.forearm]
        trunk = [self.lower_spine, self.upper_spine, self.neck, self.head]
        return np.array([0.0, *leg, *leg, *trunk, *arm, *arm])


@dataclasses.dataclass(frozen=True)
class Pose:
    """The pose of one person in the world, where z is up and the floor is z = 0.

    Attributes:
      joints: [17, 3], mm, order of H36M17; the pelvis is above the origin.
      pelvis: [3, 3], axes of the pelvis, whose columns are the unit vectors forward, left and up.
      chest: [3, 3], axes of the chest in the same form.
      head: [3, 3], axes of the head in the same form.
      feet: [2, 3], unit vectors from the ankle to the toes, right and left.
      support: indices of the joints near which the body rests on something: ankles, knees or hips.
    """

    joints: np.ndarray
    pelvis: np.ndarray
    chest: np.ndarray
    head: np.ndarray
    feet: np.ndarray
    support: tuple[int, ...] = ()

    @property
    def forward(self) -> np.ndarray:
        """[3], unit vector to the front of the pelvis."""
        return self.pelvis[:, 0]

    @property
    def face(self) -> np.ndarray:
        """[3], unit vector in which the face looks."""
        return self.head[:, 0]


def rotation(pitch: float, roll: float = 0.0, yaw: float = 0.0) -> np.ndarray:
    """A rotation [3, 3] that applies yaw first, then roll and then pitch.

    Args:
      pitch: turn about y, which leans forward, degrees.
      roll: turn about x, which leans to the right, degrees.
      yaw: turn about z to the left, degrees.
    """
    p, r, y = math.radians(pitch), math.radians(roll), math.radians(yaw)
    cp, sp, cr, sr, cy, sy = (
        math.cos(p), math.sin(p), math.cos(r), math.sin(r), math.cos(y), math.sin(y),
    )  # fmt: skip
    return np.array(
        (
            (cp * cy + sp * sr * sy, sp * sr * cy - cp * sy, sp * cr),
            (cr * sy, cr * cy, -sr),
            (cp * sr * sy - sp * cy, sp * sy + cp * sr * cy, cp * cr),
        )
    )


def gaussians(rng: np.random.Generator, *moments: tuple[float, float]) -> list[float]:
    """One normally distributed number for each pair of a mean and a standard deviation."""
    draws = rng.standard_normal(len(moments)).tolist()
    return [mean + spread * x for (mean, spread), x in zip(moments, draws, strict=True)]


def limb_directions(
    flexion: float, abduction: float, turn: float, bend: float, side: int, hinge: float
) -> np.ndarray:
    """Directions of a limb in the axes of the pelvis (for a leg) or of the chest (for an arm).

    Args:
      flexion: forward swing of the upper bone, degrees; at 0 it hangs down.
      abduction: swing of the upper bone to the outside, degrees.
      turn: rotation of the upper bone about itself, which turns its front to the outside, degrees.
      bend: bend of the knee or the elbow, degrees; 0 is straight.
      side: 0 for right, 1 for left.
      hinge: +1 for an elbow, which folds to the front; -1 for a knee, which folds to the back.

    Returns:
      [3, 3], whose rows are unit vectors along the upper bone, along the lower bone and to the
      front of the upper bone.
    """
    f, a = math.radians(flexion), math.radians(abduction)
    r, b = math.radians(turn), math.radians(bend)
    sf, cf, sa, ca, cr, sr = (
        math.sin(f), math.cos(f), math.sin(a), math.cos(a), math.cos(r), math.sin(r),
    )  # fmt: skip
    out = LATERAL[side]
    upper = np.array((sf * ca, sa * out, -cf * ca))
    front = np.array((cr * cf - sr * sf * sa, sr * ca * out, cr * sf + sr * cf * sa))
    lower = math.cos(b) * upper + hinge * math.sin(b) * front
    return np.stack((upper, lower, front))


class Figure:
    """A body whose parts are placed one after the other.

    The pelvis is at the origin and faces along x. The trunk is set first, because the arms hang
    from it; legs and arms follow.

    Attributes:
      body: the bone lengths, mm.
      pelvis: [3, 3], axes of the pelvis, whose columns are the unit vectors forward, left and up.
      chest: [3, 3], axes of the chest in the same form.
      head: [3, 3], axes of the head in the same form.
      joints: [17, 3], mm, order of H36M17.
      knee_front: [2, 3], unit vectors to the front of the right and the left thigh.
      off_balance: greatest distance between the centre of mass and the feet at which the figure
        still stands, on the floor, mm.
    """

    def __init__(self, body: BodyProportions, pelvis: np.ndarray):
        self.body = body
        self.pelvis = pelvis
        self.chest = self.head = pelvis
        self.joints = np.zeros((17, 3))
        self.knee_front = np.zeros((2, 3))
        self.off_balance = math.inf
        left = pelvis[:, 1] * body.hip
        self.joints[HIP[RIGHT]] = -left
        self.joints[HIP[LEFT]] = left

    def set_trunk(
        self,
        spine: tuple[float, float, float] = (0.0, 0.0, 0.0),
        neck: tuple[float, float, float] = (0.0, 0.0, 0.0),
        lordosis: float = 4.0,
        shrug: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """Places spine, thorax, nose, head and shoulders.

        Args:
          spine: bend to the front, bend to the side and twist of the spine, degrees.
          neck: the same of the neck.
          lordosis: hollow of the lower back, degrees.
          shrug: lift of the right and of the left shoulder, degrees.
        """
        body, joints = self.body, self.joints
        flexion, lateral, twist = spine
        self.chest = chest = self.pelvis @ rotation(flexion, lateral, twist)
        # The spine joint is at 0.48 of the way from the pelvis to the thorax, and the lower half
        # of the spine bends less than the upper half.
        lower = self.pelvis @ rotation(0.35 * flexion + lordosis, 0.35 * lateral)[:, 2]
        upper = self.pelvis @ rotation(0.85 * flexion - lordosis, 0.85 * lateral)[:, 2]
        joints[SPINE] = lower * body.lower_spine
        joints[THORAX] = joints[SPINE] + upper * body.upper_spine
        flexion, lateral, twist = neck
        self.head = head = chest @ rotation(*neck)
        half = chest @ rotation(0.6 * flexion, 0.6 * lateral, 0.8 * twist)
        nose = half @ (math.sin(NOSE_LEAN), 0.0, math.cos(NOSE_LEAN))
        joints[NOSE] = joints[THORAX] + nose * body.neck
        top = head @ (math.sin(HEAD_LEAN), 0.0, math.cos(HEAD_LEAN))
        joints[HEAD] = joints[NOSE] + top * body.head
        for side in (RIGHT, LEFT):
            rise = math.radians(shrug[side] - 9.0)
            girdle = chest @ (0.0, LATERAL[side] * math.cos(rise), math.sin(rise))
            joints[SHOULDER[side]] = joints[THORAX] + girdle * body.shoulder

    def set_leg(
        self, side: int, flexion: float, abduction: float, turn: float, bend: float
    ) -> None:
        """Places knee and ankle by the angles of hip and knee; see `limb_directions`."""
        upper, lower, front = limb_directions(flexion, abduction, turn, bend, side, -1.0)
        joints = self.joints
        joints[KNEE[side]] = joints[HIP[side]] + self.pelvis @ upper * self.body.thigh
        joints[ANKLE[side]] = joints[KNEE[side]] + self.pelvis @ lower * self.body.shank
        self.knee_front[side] = self.pelvis @ front

    def set_arm(
        self, side: int, flexion: float, abduction: float, turn: float, bend: float
    ) -> None:
        """Places elbow and wrist by the angles of shoulder and elbow; see `limb_directions`."""
        upper, lower, _ = limb_directions(flexion, abduction, turn, bend, side, 1.0)
        joints = self.joints
        joints[ELBOW[side]] = joints[SHOULDER[side]] + self.chest @ upper * self.body.upper_arm
        joints[WRIST[side]] = joints[ELBOW[side]] + self.chest @ lower * self.body.forearm

    def reach_foot(self, side: int, target: np.ndarray, knee: np.ndarray) -> None:
        """Places the ankle as near to a point as the leg can reach.

        Args:
          side: 0 for right, 1 for left.
          target: [3], the point, mm.
          knee: [3], direction in which the knee points.
        """
        root, body = self.joints[HIP[side]], self.body
        middle, end, front = two_bones(root, target, knee, body.thigh, body.shank)
        self.joints[KNEE[side]], self.joints[ANKLE[side]] = middle, end
        self.knee_front[side] = front

    def reach_hand(self, side: int, target: np.ndarray, elbow: np.ndarray) -> None:
        """Places the wrist as near to a point as the arm can reach.

        Args:
          side: 0 for right, 1 for left.
          target: [3], the point, mm.
          elbow: [3], direction in which the elbow points.
        """
        root, body = self.joints[SHOULDER[side]], self.body
        middle, end, _ = two_bones(root, target, elbow, body.upper_arm, body.forearm, 0.99)
        self.joints[ELBOW[side]], self.joints[WRIST[side]] = middle, end


def two_bones(
    root: np.ndarray,
    target: np.ndarray,
    pole: np.ndarray,
    upper: float,
    lower: float,
    straight: float = 0.998,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places a chain of two bones that reaches for a point.

    Args:
      root: [3], start of the upper bone, mm.
      target: [3], point for the end of the lower bone, mm.
      pole: [3], direction in which the middle joint points.
      upper: length of the upper bone, mm.
      lower: length of the lower bone, mm.
      straight: greatest distance between the two ends over the sum of both lengths.

    Returns:
      The middle joint [3] and the end [3], mm, and the unit vector [3] in which the middle joint
      points.
    """
    reach = target - root
    distance = max(math.sqrt(reach.dot(reach)), 1e-6)
    along = reach / distance
    # A target that is too far leaves the limb almost straight, and one that is too near leaves it
    # bent as far as flesh allows.
    shortest = math.sqrt(upper**2 + lower**2 - 2 * upper * lower * math.cos(math.radians(37.0)))
    distance = min(max(distance, shortest), straight * (upper + lower))
    front = unit(pole - along * along.dot(pole))
    advance = (upper**2 - lower**2 + distance**2) / (2.0 * distance)
    height = math.sqrt(max(upper**2 - advance**2, 0.0))
    return root + along * advance + front * height, root + along * distance, front
