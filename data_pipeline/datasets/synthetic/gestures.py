"""Gestures of the arms, by joint angles or by a point that the hand reaches for.

Lengths are in millimetres, angles in degrees, and a side is 0 for right and 1 for left.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from data_pipeline.datasets.synthetic.kinematics import (
    ANKLE,
    HEAD,
    HIP,
    KNEE,
    LATERAL,
    LEFT,
    NOSE,
    PELVIS,
    RIGHT,
    SHOULDER,
    THORAX,
    Figure,
)  # fmt: skip
from data_pipeline.datasets.synthetic.vectors import unit

# Mean and standard deviation, in degrees, of the shoulder's flexion, abduction and outward turn and
# of the bend of the elbow.
FREE_ARMS = {
    'relaxed': ((2.0, 9.0), (11.0, 4.0), (-15.0, 15.0), (22.0, 11.0)),
    'talking': ((22.0, 20.0), (17.0, 12.0), (-18.0, 26.0), (85.0, 26.0)),
    'pointing': ((72.0, 27.0), (18.0, 28.0), (-10.0, 35.0), (18.0, 13.0)),
    'raised': ((145.0, 22.0), (18.0, 14.0), (0.0, 28.0), (42.0, 30.0)),
    'spread': ((12.0, 25.0), (58.0, 22.0), (0.0, 40.0), (32.0, 24.0)),
    'flat': ((8.0, 4.0), (28.0, 18.0), (0.0, 18.0), (18.0, 12.0)),
    'lifted': ((62.0, 25.0), (24.0, 18.0), (-5.0, 35.0), (88.0, 28.0)),
}
# The place of the wrist and the direction of the elbow. The place is a part of the body, an offset
# forward, outward and up in the axes of that part, mm, and a standard deviation, mm. The direction
# is forward, outward and up in the axes of the chest.
TOUCHES = {
    'hip': (('hip', -20.0, 88.0, 75.0, 22.0), (-0.5, 1.0, 0.0)),
    'pocket': (('hip', 45.0, 92.0, -25.0, 20.0), (-0.9, 0.6, -0.1)),
    'belly': (('pelvis', 165.0, 40.0, 170.0, 45.0), (-0.3, 0.9, -0.4)),
    'back': (('pelvis', -150.0, 20.0, 110.0, 40.0), (-0.4, 0.9, 0.0)),
    'mouth': (('nose', 105.0, 60.0, -110.0, 28.0), (0.3, 0.5, -0.9)),
    'ear': (('nose', -10.0, 135.0, -10.0, 25.0), (0.3, 0.8, -0.6)),
    'scalp': (('head', -60.0, 120.0, -20.0, 35.0), (0.2, 1.0, 0.5)),
    'camera': (('nose', 190.0, 70.0, -35.0, 25.0), (0.1, 0.6, -0.8)),
    'chest': (('thorax', 200.0, -20.0, -160.0, 55.0), (0.2, 0.8, -0.7)),
    'carried': (('thorax', 300.0, 140.0, -290.0, 60.0), (-0.5, 0.6, -0.6)),
}
_PARTS = {'nose': NOSE, 'head': HEAD, 'thorax': THORAX, 'pelvis': PELVIS}
# Gestures that both arms make together.
BOTH = {'camera', 'carried', 'crossed'}


def pick(rng: np.random.Generator, weights: Mapping[str, float]) -> str:
    """A random key of `weights`, whose chance is proportional to its weight."""
    threshold = rng.random() * sum(weights.values())
    for name, weight in weights.items():
        threshold -= weight
        if threshold < 0.0:
            return name
    return name


def set_arms(
    rng: np.random.Generator, figure: Figure, weights: Mapping[str, float], pair: float = 0.5
) -> None:
    """Gives each arm a random gesture.

    Args:
      rng: source of randomness.
      figure: the figure, whose trunk and legs are set and whose arms this sets.
      weights: names of gestures with their weights.
      pair: chance that the second arm makes the gesture of the first.
    """
    first = pick(rng, weights)
    like = first in BOTH or rng.random() < pair
    second = first if like else pick(rng, {k: v for k, v in weights.items() if k not in BOTH})
    leader = RIGHT if rng.random() < 0.5 else LEFT
    shared = rng.standard_normal(4)
    for side, gesture in ((leader, first), (1 - leader, second)):
        # Two arms with one gesture are similar but never exactly alike.
        own = rng.standard_normal(4)
        draw = 0.8 * shared + 0.6 * own if like else own
        set_arm(figure, side, gesture, draw, leads=side == leader)


def set_arm(
    figure: Figure,
    side: int,
    gesture: str,
    draw: np.ndarray,
    leads: bool = True,
) -> None:
    """Gives one arm a gesture.

    Args:
      figure: the figure, whose trunk and legs are set and whose arm this sets.
      side: 0 for right, 1 for left.
      gesture: name of the gesture.
      draw: [4], standard normal numbers that vary the gesture.
      leads: whether this arm lies in front of the other where the arms are crossed.

    Raises:
      ValueError: there is no such gesture.
    """
    out = LATERAL[side]
    if gesture in FREE_ARMS:
        flexion, abduction, turn, elbow = (
            mean + spread * x for (mean, spread), x in zip(FREE_ARMS[gesture], draw, strict=True)
        )
        figure.set_arm(side, flexion, abduction, turn, max(elbow, 7.0))
        return
    chest = figure.chest
    pole = np.array((-0.3, 0.7, -0.6))
    if gesture in TOUCHES:
        (part, forward, outward, up, spread), pole = TOUCHES[gesture]
        pole = np.array(pole)
        axes = figure.head if part in ('nose', 'head') else chest
        if part in ('hip', 'pelvis'):
            axes = figure.pelvis
        origin = figure.joints[HIP[side] if part == 'hip' else _PARTS[part]]
        offset = np.array((forward, outward, up)) + spread * draw[:3]
        offset[1] *= out
        target = origin + axes @ offset
    elif gesture == 'crossed':
        # The leading arm lies in front of the other one.
        offset = np.array((200.0 if leads else 130.0, -95.0, -215.0 if leads else -235.0))
        offset += (8.0, 25.0, 20.0) * draw[:3]
        offset[1] *= out
        target = figure.joints[THORAX] + chest @ offset
        pole = np.array((-0.1, 1.0, -0.7))
    elif gesture == 'reach':
        # The hand reaches for a point in front, anywhere from the floor to above the head, and more
        # often to the outside than across the body.
        azimuth = math.radians(15.0 + 38.0 * draw[0])
        height = math.radians(-5.0 + 42.0 * draw[1])
        direction = np.array((
            math.cos(azimuth) * math.cos(height),
            math.sin(azimuth) * math.cos(height) * out,
            math.sin(height),
        ))  # fmt: skip
        share = 0.985 - 0.16 * abs(draw[2])
        length = share * (figure.body.upper_arm + figure.body.forearm)
        target = figure.joints[SHOULDER[side]] + chest @ direction * length
    elif gesture in ('thigh', 'knee'):
        share = 0.45 + 0.13 * draw[0] if gesture == 'thigh' else 0.92 + 0.06 * draw[0]
        hip, knee = figure.joints[HIP[side]], figure.joints[KNEE[side]]
        inward = figure.pelvis[:, 1] * (-out * (15.0 + 20.0 * draw[1]))
        target = hip + min(share, 1.0) * (knee - hip) + 100.0 * figure.knee_front[side] + inward
    elif gesture == 'shin':
        knee, ankle = figure.joints[KNEE[side]], figure.joints[ANKLE[side]]
        front = unit(figure.knee_front[side] + unit(knee - figure.joints[HIP[side]]))
        target = knee + (0.35 + 0.12 * draw[0]) * (ankle - knee) + 95.0 * front
    elif gesture == 'floor':
        # The hand rests on the floor beside the lowest part of the body, palm down.
        low = figure.joints[:7, 2].min() - 70.0
        shoulder = figure.joints[SHOULDER[side]]
        target = shoulder + figure.pelvis @ (70.0 * draw[0], out * (90.0 + 70.0 * draw[1]), 0.0)
        target[2] = low + 35.0
        pole = np.array((-0.4, 1.0, 0.0))
    elif gesture == 'prone':
        # The person lies on the belly; the hand is on the floor near the head and the elbow points
        # to the outside.
        angle = math.radians(20.0 + 35.0 * draw[0])
        length = (0.75 + 0.12 * draw[1]) * (figure.body.upper_arm + figure.body.forearm)
        ahead = (length * math.cos(angle), out * length * math.sin(angle), 0.0)
        target = figure.joints[SHOULDER[side]] + ahead
        target[2] = figure.joints[HIP[side], 2] - 65.0
        pole = np.array((0.3, 1.0, 0.0))
    else:
        raise ValueError(f'unknown gesture {gesture!r} in a list of arm weights')
    pole = pole + 0.25 * draw[3] * np.array((1.0, 0.0, 1.0))
    pole[1] *= out
    figure.reach_hand(side, target, chest @ pole)


def swing_arms(rng: np.random.Generator, figure: Figure, swing: tuple[float, float]) -> None:
    """Sets the arms of a person who walks.

    Args:
      rng: source of randomness.
      figure: the figure, whose trunk is set and whose arms this sets.
      swing: forward swing of the right and of the left arm, degrees.
    """
    abduction, elbow, turn = rng.normal(11.0, 3.0), rng.normal(22.0, 12.0), rng.normal(-15.0, 10.0)
    for side in (RIGHT, LEFT):
        bend = max(elbow + 0.5 * swing[side] + rng.normal(0.0, 4.0), 4.0)
        figure.set_arm(side, swing[side] + rng.normal(2.0, 3.0), abduction, turn, bend)
