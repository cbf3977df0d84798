"""Activities of people off their feet: kneeling, sitting on a seat or on the floor, and lying.

The functions are like those of standing_activities.py: each returns a figure and the joints that
support it.
"""

from __future__ import annotations

import math

import numpy as np

from data_pipeline.datasets.synthetic.gestures import pick, set_arm, set_arms
from data_pipeline.datasets.synthetic.kinematics import (
    ANKLE,
    HIP,
    KNEE,
    LATERAL,
    LEFT,
    PELVIS,
    RIGHT,
    BodyProportions,
    Figure,
    gaussians,
    rotation,
)  # fmt: skip
from data_pipeline.datasets.synthetic.standing_activities import SIDES, Draw, bend_trunk

# Weights of the gestures of the arms by activity.
KNEEL = {
    'talking': 2, 'thigh': 2.5, 'reach': 2.5, 'lifted': 1, 'relaxed': 1.5, 'hip': 0.7,
    'mouth': 0.5, 'pointing': 1,
}  # fmt: skip
SIT = {
    'thigh': 4, 'knee': 1.5, 'talking': 3, 'lifted': 1, 'mouth': 1.5, 'ear': 1.3, 'pointing': 0.8,
    'reach': 1.2, 'crossed': 0.6, 'belly': 1, 'scalp': 0.4, 'camera': 0.4, 'relaxed': 0.7,
    'raised': 0.3,
}  # fmt: skip
FLOOR = {
    'thigh': 2, 'knee': 3, 'talking': 3, 'lifted': 1, 'mouth': 1.2, 'ear': 1, 'reach': 1.2,
    'belly': 1, 'relaxed': 0.5,
}  # fmt: skip
ON_BACK = {
    'flat': 5, 'belly': 2.5, 'scalp': 1.5, 'raised': 0.6, 'lifted': 1, 'ear': 0.7, 'chest': 1,
}  # fmt: skip
ON_SIDE = {'lifted': 2, 'talking': 2, 'relaxed': 3, 'belly': 1.5, 'mouth': 1, 'pointing': 1}
ON_BELLY = {'prone': 5, 'raised': 1}


def kneeling(rng: np.random.Generator, body: BodyProportions) -> Draw:
    """A person on both knees, upright or sitting on the heels, or on one knee and one foot."""
    lean, tilt, yaw = gaussians(rng, (8, 9), (0, 4), (0, 6))
    figure = Figure(body, rotation(lean, tilt, yaw))
    bend_trunk(rng, figure, 9.0, 10.0, turn=1.2, tilt=tilt)
    kind = pick(rng, {'one knee': 2, 'upright': 1, 'on heels': 1})
    low, high = {'one knee': (0, 15), 'upright': (-4, 22), 'on heels': (56, 68)}[kind]
    thigh = rng.uniform(low, high)
    down = RIGHT if rng.random() < 0.5 else LEFT
    for side in (down,) if kind == 'one knee' else SIDES:
        # The shank lies on the floor, so the bend of the knee follows from that of the hip.
        flexion, abduction, turn, knee = gaussians(
            rng, (lean + thigh, 1), (6, 5), (2, 6), (93 + thigh, 1.5)
        )
        figure.set_leg(side, flexion, abduction, turn, min(knee, 159.0))
    arms = KNEEL
    if kind == 'one knee':
        forward, aside, open_out = gaussians(rng, (0.95, 0.12), (30, 40), (0.2, 0.15))
        out = LATERAL[1 - down]
        floor = figure.joints[KNEE[down]][2] - 55.0
        foot = np.array((forward * body.thigh, out * (body.hip + abs(aside)), floor + 75.0))
        figure.reach_foot(1 - down, foot, np.array((1.0, out * open_out, 1.0)))
        arms = {**KNEEL, 'knee': 2.0}
    set_arms(rng, figure, arms)
    return figure, (KNEE[down],)


def sitting(rng: np.random.Generator, body: BodyProportions) -> Draw:
    """A person on a stool, with the feet in front of it or under it, or with crossed legs."""
    lean, tilt, yaw = gaussians(rng, (-6, 9), (0, 3), (0, 3))
    figure = Figure(body, rotation(lean, tilt, yaw))
    hunched = rng.random() < 0.25
    bend = rng.uniform(25.0, 55.0) if hunched else 14.0
    bend_trunk(rng, figure, bend, 9.0, look=-4.0, tilt=tilt)
    seat = body.shank * rng.uniform(0.86, 1.12)
    ahead, apart = gaussians(rng, (0.975 * body.thigh + 20, 110), (25, 70))
    for side in SIDES:
        y = LATERAL[side] * max(body.hip + apart, 60.0)
        foot = np.array((ahead + rng.normal(0.0, 45.0), y, -seat))
        figure.reach_foot(side, foot, np.array((0.6, LATERAL[side] * (0.1 + 0.0008 * apart), 1.0)))
    support: tuple[int, ...] = ANKLE
    if rng.random() < 0.2:
        over = RIGHT if rng.random() < 0.5 else LEFT
        support = (ANKLE[1 - over],)
        out = LATERAL[over]
        if rng.random() < 0.5:  # The ankle rests on the other knee.
            back, aside, up = gaussians(rng, (-60, 20), (-40, 25), (112, 6))
            ankle = figure.joints[KNEE[1 - over]] + (back, out * aside, up)
            figure.reach_foot(over, ankle, np.array((0.2, out, 0.35)))
        else:  # One thigh lies over the other.
            figure.set_leg(over, *gaussians(rng, (110 + lean, 3), (-12, 3), (4, 5), (88, 8)))
    set_arms(rng, figure, SIT)
    return figure, support


def sitting_on_floor(rng: np.random.Generator, body: BodyProportions) -> Draw:
    """A person on the floor with legs crossed, stretched or drawn up, or with one leg of each."""
    kind = pick(rng, {'crossed': 3, 'stretched': 1.5, 'drawn up': 3, 'mixed': 1.5})
    lean, tilt = gaussians(rng, (-6 if kind == 'crossed' else -18, 8), (0, 3))
    figure = Figure(body, rotation(lean, tilt))
    bend_trunk(rng, figure, 24.0, 10.0, look=-2.0, tilt=tilt)
    legs = body.thigh + body.shank
    front = RIGHT if rng.random() < 0.5 else LEFT
    for side in SIDES:
        out = LATERAL[side]
        if kind == 'crossed':
            forward, inward = gaussians(rng, (0.33 if side == front else 0.46, 0.02), (55, 25))
            foot = np.array((forward * legs, -out * inward, -25.0))
            figure.reach_foot(side, foot, np.array((0.1, out, rng.normal(0.5, 0.15))))
            continue
        straight = kind == 'stretched' or (kind == 'mixed' and side == front)
        reach = legs * (rng.uniform(0.9, 0.99) if straight else rng.uniform(0.42, 0.75))
        aside, open_out = gaussians(rng, (body.hip + 15, 50), (0.15, 0.15))
        foot = np.array((reach, out * aside, -25.0))
        figure.reach_foot(side, foot, np.array((0.1, out * open_out, 1.0)))
    arms = {**FLOOR, 'shin': 3.0 * (kind == 'drawn up'), 'floor': 3.0 * (lean < -20.0)}
    set_arms(rng, figure, arms, pair=0.6)
    return figure, (PELVIS, *HIP)


def lying(rng: np.random.Generator, body: BodyProportions) -> Draw:
    """A person who lies on the back, on a side or on the belly, with straight or bent knees."""
    return _LYING[pick(rng, {'back': 5, 'side': 3, 'belly': 2})](rng, body)


def _on_back(rng: np.random.Generator, body: BodyProportions) -> Draw:
    pitch, yaw = gaussians(rng, (-90, 4), (0, 8))
    figure = Figure(body, rotation(pitch) @ rotation(0.0, 0.0, yaw))
    bend, tilt, twist, nod, lean, look = gaussians(
        rng, (6, 5), (0, 4), (0, 5), (8, 10), (0, 6), (0, 20)
    )
    figure.set_trunk((bend, tilt, twist), (nod, lean, look), 2.0)
    drawn_up = rng.random() < 0.55
    for side in SIDES:
        flexion, abduction, turn, slack = gaussians(
            rng, (45, 16) if drawn_up else (6, 3), (7, 5), (4, 6), (0, 2)
        )
        flexion = max(flexion, 4.0)
        # The knee bends so that the heel stays on the floor.
        fold = min(1.0, body.thigh * math.sin(math.radians(flexion)) / body.shank)
        knee = flexion + math.degrees(math.asin(fold)) + slack
        figure.set_leg(side, flexion, abduction, turn, min(max(knee, 2.0), 140.0))
    set_arms(rng, figure, ON_BACK, pair=0.5)
    return figure, (PELVIS, *HIP)


def _on_side(rng: np.random.Generator, body: BodyProportions) -> Draw:
    """A person on the right side; `poses.sample_pose` mirrors half of all poses."""
    roll, yaw = gaussians(rng, (90, 8), (0, 10))
    figure = Figure(body, rotation(0.0, roll) @ rotation(0.0, 0.0, yaw))
    bend, tilt, twist, nod, lean, look = gaussians(
        rng, (14, 10), (-3, 4), (0, 7), (14, 10), (6, 7), (0, 8)
    )
    figure.set_trunk((bend, tilt, twist), (nod, lean, look), 2.0)
    flexion = abs(rng.normal(35.0, 30.0))
    for side in SIDES:
        # The upper leg lies on the lower one or in front of it.
        hip, abduction, turn, knee = gaussians(
            rng, (flexion + 18 * side, 8), (3 if side == RIGHT else -13, 3), (0, 5),
            (8 + 1.2 * flexion, 10),
        )  # fmt: skip
        figure.set_leg(side, hip, abduction, turn, min(max(knee, 4.0), 140.0))
    # The arm at the bottom lies on the floor in front, straight or bent under the head.
    figure.set_arm(RIGHT, *gaussians(rng, (88, 16), (-6, 5), (-4, 5), (60, 38)))
    set_arm(figure, LEFT, pick(rng, ON_SIDE), rng.standard_normal(4))
    return figure, (PELVIS, *HIP)


def _on_belly(rng: np.random.Generator, body: BodyProportions) -> Draw:
    pitch, yaw = gaussians(rng, (90, 3), (0, 5))
    figure = Figure(body, rotation(pitch) @ rotation(0.0, 0.0, yaw))
    bend, tilt, twist, nod, lean, look = gaussians(
        rng, (-14, 8), (0, 4), (0, 5), (-18, 10), (0, 6), (0, 25)
    )
    figure.set_trunk((bend, tilt, twist), (nod, lean, look), 2.0)
    for side in SIDES:
        hip, abduction, turn, knee = gaussians(rng, (-2, 3), (8, 7), (6, 8), (4, 22))
        figure.set_leg(side, hip, abduction, turn, abs(knee))
    set_arms(rng, figure, ON_BELLY, pair=0.8)
    return figure, (PELVIS, *HIP)


_LYING = {'back': _on_back, 'side': _on_side, 'belly': _on_belly}
