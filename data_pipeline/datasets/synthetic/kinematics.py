"""Bone lengths of a person and a figure that is posed by joint angles or by reaching for points.

Frames: right-handed, millimetres. World and body axes are x forward (before the turn), y left,
z up. Joints are in the order of `capf_jax.pose.skeletons.H36M17`. Angles are degrees. Sides are
indexed 0 right, 1 left; limb angles are the same for mirrored limbs.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

HIP, KNEE, ANKLE = (1, 4), (2, 5), (3, 6)
SHOULDER, ELBOW, WRIST = (14, 11), (15, 12), (16, 13)
PELVIS, SPINE, THORAX, NOSE, HEAD = 0, 7, 8, 9, 10
RIGHT, LEFT = 0, 1
LATERAL = (-1.0, 1.0)  # y towards the outside of a side

NOSE_LEAN = math.radians(28.0)  # the nose lies this far in front of the line up from the neck base
HEAD_LEAN = math.radians(-12.0)  # and the top of the head this far behind the line up from the nose


@dataclasses.dataclass(frozen=True)
class BodyProportions:
    """Bone lengths in mm; left and right are equal. Paths of bones as in H36M17."""

    stature: float  # upright height without shoes
    hip: float  # pelvis to hip joint
    thigh: float
    shank: float
    lower_spine: float  # pelvis to spine
    upper_spine: float  # spine to thorax, the base of the neck
    neck: float  # thorax to nose
    head: float  # nose to top of the head
    shoulder: float  # thorax to shoulder joint
    upper_arm: float
    forearm: float

    @property
    def bone_lengths(self) -> np.ndarray:
        """Length of the bone that ends in each joint [17] mm, 0 for the pelvis."""
        leg = [self.hip, self.thigh, self.shank]
        arm = [self.shoulder, self.upper_arm, self.forearm]
        trunk = [self.lower_spine, self.upper_spine, self.neck, self.head]
        return np.array([0.0, *leg, *leg, *trunk, *arm, *arm])


@dataclasses.dataclass(frozen=True)
class Pose:
    """One person in the world (z up, floor z = 0, pelvis above the origin).

    Attributes:
      joints: [17, 3] mm, order of H36M17.
      pelvis, chest, head: [3, 3] axes, whose columns are the part's forward, left and up.
      feet: [2, 3] unit vectors ankle to toes, right and left.
      support: joints whose surroundings (foot, buttock, knee...) carry the person.
    """

    joints: np.ndarray
    pelvis: np.ndarray
    chest: np.ndarray
    head: np.ndarray
    feet: np.ndarray
    support: tuple[int, ...] = ()

    @property
    def forward(self) -> np.ndarray:
        """Unit vector [3] to the front of the pelvis."""
        return self.pelvis[:, 0]

    @property
    def face(self) -> np.ndarray:
        """Unit vector [3] in which the face looks."""
        return self.head[:, 0]


def rotation(pitch: float, roll: float = 0.0, yaw: float = 0.0) -> np.ndarray:
    """[3, 3] rotation in degrees: yaw to the left, then roll to the right, then pitch forward."""
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


def normals(rng: np.random.Generator, *wanted: tuple[float, float]) -> list[float]:
    """One normal number for each (mean, standard deviation)."""
    draws = rng.standard_normal(len(wanted)).tolist()
    return [mean + spread * x for (mean, spread), x in zip(wanted, draws, strict=True)]


def unit(vector: np.ndarray) -> np.ndarray:
    """A [3] vector at length 1 (a zero vector stays zero)."""
    length = math.sqrt(vector.dot(vector))
    return vector / length if length > 1e-9 else vector * 0.0


def limb_directions(
    flexion: float, abduction: float, turn: float, bend: float, side: int, hinge: float
) -> np.ndarray:
    """Directions of a limb in the axes of the part that it hangs from.

    Args:
      flexion: forward swing of the upper bone, 0 hangs down.
      abduction: swing to the outside.
      turn: rotation of the upper bone about itself, front to the outside.
      bend: knee or elbow, 0 is straight.
      side: 0 right, 1 left.
      hinge: +1 folds to the front (elbow), -1 to the back (knee).

    Returns:
      [3, 3] rows: upper bone, lower bone, front of the upper bone.
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
    """A body under construction: pelvis at the origin, heading along x.

    Set the trunk first (the arms hang from it), then legs and arms; joints [17, 3] are in mm.
    """

    def __init__(self, body: BodyProportions, pelvis: np.ndarray):
        self.body = body
        self.pelvis = pelvis
        self.chest = self.head = pelvis
        self.joints = np.zeros((17, 3))
        self.knee_front = np.zeros((2, 3))
        self.off_balance = math.inf  # how far the centre of mass may be off the feet, mm
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
        """Bend spine and neck by (flexion, lateral, twist); `lordosis` hollows the back."""
        body, joints = self.body, self.joints
        flexion, lateral, twist = spine
        self.chest = chest = self.pelvis @ rotation(flexion, lateral, twist)
        # The spine joint is at 0.48 of the arc: the lower half takes less than half of the bend.
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

    def set_leg(self, side: int, flexion: float, abduction: float, turn: float, bend: float):
        """Place knee and ankle by hip and knee angles."""
        upper, lower, front = limb_directions(flexion, abduction, turn, bend, side, -1.0)
        joints = self.joints
        joints[KNEE[side]] = joints[HIP[side]] + self.pelvis @ upper * self.body.thigh
        joints[ANKLE[side]] = joints[KNEE[side]] + self.pelvis @ lower * self.body.shank
        self.knee_front[side] = self.pelvis @ front

    def set_arm(self, side: int, flexion: float, abduction: float, turn: float, bend: float):
        """Place elbow and wrist by shoulder and elbow angles."""
        upper, lower, _ = limb_directions(flexion, abduction, turn, bend, side, 1.0)
        joints = self.joints
        joints[ELBOW[side]] = joints[SHOULDER[side]] + self.chest @ upper * self.body.upper_arm
        joints[WRIST[side]] = joints[ELBOW[side]] + self.chest @ lower * self.body.forearm

    def reach_foot(self, side: int, target: np.ndarray, knee: np.ndarray) -> None:
        """Put the ankle at `target` [3], or as near as it goes, the knee towards vector `knee`."""
        root, body = self.joints[HIP[side]], self.body
        middle, end, front = two_bones(root, target, knee, body.thigh, body.shank)
        self.joints[KNEE[side]], self.joints[ANKLE[side]] = middle, end
        self.knee_front[side] = front

    def reach_hand(self, side: int, target: np.ndarray, elbow: np.ndarray) -> None:
        """Put the wrist at `target` [3], or as near as it goes, elbow towards vector `elbow`."""
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
    """Middle and end joint [3] of two bones from `root` to `target`, and the bend's direction.

    `straight` is the greatest distance over the bones' sum.
    """
    reach = target - root
    distance = max(math.sqrt(reach.dot(reach)), 1e-6)
    along = reach / distance
    # Out of reach: stop short, the limb all but straight, or folded as far as flesh allows.
    folded = math.sqrt(upper**2 + lower**2 - 2 * upper * lower * math.cos(math.radians(37.0)))
    distance = min(max(distance, folded), straight * (upper + lower))
    front = unit(pole - along * along.dot(pole))
    advance = (upper**2 - lower**2 + distance**2) / (2.0 * distance)
    height = math.sqrt(max(upper**2 - advance**2, 0.0))
    return root + along * advance + front * height, root + along * distance, front
