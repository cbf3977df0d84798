"""Activities of people on their feet: each function samples a random figure of one activity.

Each function takes a random generator and the bone lengths of a person. It returns the figure,
whose pelvis is at the origin and faces along x, and the indices of the joints that support it.
Joints do not bend independently: thighs and knees follow one phase or one depth, the head
compensates for the trunk, and both arms often make one gesture. Lengths are in millimetres, angles
in degrees.
"""

from __future__ import annotations

import math

import numpy as np

from data_pipeline.datasets.synthetic.gestures import set_arms, swing_arms
from data_pipeline.datasets.synthetic.kinematics import (
    ANKLE,
    HIP,
    LATERAL,
    LEFT,
    RIGHT,
    BodyProportions,
    Figure,
    gaussians,
    rotation,
)  # fmt: skip

Draw = tuple[Figure, tuple[int, ...]]  # A figure and the joints that support it.
SIDES = (RIGHT, LEFT)
# Greatest distance on the floor between the centre of mass and the line between the feet, mm.
STEADY = 150.0
MOVING = 330.0

# Weights of the gestures of the arms by activity.
IDLE = {
    'relaxed': 4, 'hip': 1.5, 'pocket': 1.5, 'crossed': 1.2, 'back': 0.8, 'belly': 1, 'talking': 1,
}  # fmt: skip
TALK = {
    'talking': 4, 'lifted': 2.5, 'pointing': 2, 'raised': 1.2, 'spread': 1.2, 'relaxed': 1.5,
    'chest': 0.7, 'hip': 0.7, 'reach': 1,
}  # fmt: skip
DAILY = {
    'mouth': 3, 'ear': 3, 'camera': 2, 'carried': 2, 'scalp': 0.8, 'relaxed': 2, 'belly': 1.2,
    'talking': 1.5, 'pocket': 0.8, 'chest': 0.8,
}  # fmt: skip
WALK = {**DAILY, 'pocket': 1.5, 'pointing': 1, 'talking': 3}
STRIKE = {'reach': 6, 'pointing': 1.5, 'raised': 1.5, 'spread': 1, 'relaxed': 0.7, 'lifted': 1}
BALANCE = {'talking': 2, 'spread': 3, 'lifted': 2, 'pointing': 1.5, 'raised': 1.5, 'relaxed': 2}
STOOP = {
    'reach': 4, 'knee': 2, 'thigh': 1, 'shin': 2.5, 'relaxed': 1, 'talking': 1, 'pointing': 1,
    'hip': 0.5,
}  # fmt: skip
SQUAT = {
    'reach': 2, 'knee': 3, 'thigh': 1.5, 'talking': 2, 'lifted': 1, 'floor': 1, 'carried': 1,
    'mouth': 0.5,
}  # fmt: skip


def bend_trunk(
    rng: np.random.Generator,
    figure: Figure,
    flexion: float = 4.0,
    spread: float = 7.0,
    *,
    look: float = 0.0,
    turn: float = 1.0,
    tilt: float = 0.0,
) -> None:
    """Bends spine and neck at random.

    Args:
      rng: source of randomness.
      figure: the figure, whose trunk this sets.
      flexion: mean forward bend of the spine, degrees.
      spread: standard deviation of that bend, degrees.
      look: how much further down than usual the head looks, degrees.
      turn: factor of the twists and of the bends to the side.
      tilt: roll of the pelvis, degrees, most of which the spine compensates.
    """
    flexion, lateral, twist, nod, cant, gaze, shrug, lordosis = gaussians(
        rng, (flexion, spread), (-0.7 * tilt, 4.5 * turn), (0, 10 * turn), (7, 11), (0, 6), (0, 20),
        (0, 3), (4, 3),
    )  # fmt: skip
    # People keep looking at what is around them: the neck compensates a part of the trunk's bend.
    neck = (nod - 0.3 * flexion + look, cant - 0.3 * lateral, gaze + 0.3 * twist)
    figure.set_trunk((flexion, lateral, twist), neck, lordosis, (shrug, shrug))


def place_feet(
    rng: np.random.Generator,
    figure: Figure,
    stretch: float,
    ahead: float = 0.0,
    stagger: float = 0.0,
    apart: float = 25.0,
    shift: float = 0.0,
    turn_out: float = 10.0,
) -> None:
    """Places both feet at the same height.

    Args:
      rng: source of randomness.
      figure: the figure, whose legs this sets.
      stretch: distance from hip to ankle of the straighter leg over the length of the leg.
      ahead: how far the feet are in front of the pelvis, mm.
      stagger: how far the left foot is in front of the right, mm.
      apart: how far each foot is outside its hip, mm.
      shift: how far both feet are to the left of the pelvis, mm.
      turn_out: mean angle from the front to the outside in which the knees point, degrees.
    """
    body = figure.body
    length = stretch * (body.thigh + body.shank)
    targets, floors = [], []
    for side in SIDES:
        x = ahead + 0.5 * stagger * LATERAL[side]
        y = LATERAL[side] * (body.hip + apart) + shift
        hip = figure.joints[HIP[side]]
        flat = min((x - hip[0]) ** 2 + (y - hip[1]) ** 2, 0.9 * length**2)
        targets.append((x, y))
        floors.append(hip[2] - math.sqrt(length**2 - flat))
    for side in SIDES:
        angle = math.radians(turn_out + rng.normal(0.0, 8.0))
        knee = np.array((math.cos(angle), LATERAL[side] * math.sin(angle), 0.0))
        figure.reach_foot(side, np.array((*targets[side], max(floors))), knee)


def walking(
    rng: np.random.Generator,
    body: BodyProportions,
    stride: tuple[float, float] | None = None,
) -> Draw:
    """A person who walks, slowly or fast, at any phase of a stride; arms swing against the legs.

    Args:
      rng: source of randomness.
      body: bone lengths of the person, mm.
      stride: phase of the stride, radians, and vigour, from 0.45 for slow to 1.3 for fast; None
        draws both. The same `rng` with other phases gives other moments of one walk.
    """
    drawn = rng.uniform(0.0, 2.0 * math.pi), rng.uniform(0.45, 1.3)
    phase, vigour = drawn if stride is None else stride
    sway, swing = math.sin(phase), rng.uniform(4.0, 26.0) * vigour
    lean, tilt, twist = gaussians(rng, (3, 3), (2.5 * math.cos(phase), 1), (-9 * vigour * sway, 4))
    figure = Figure(body, rotation(lean, tilt, 5.0 * sway))
    figure.off_balance = MOVING
    bend, lateral, nod, cant, gaze, lordosis = gaussians(
        rng, (3, 4), (-0.7 * tilt, 2.5), (6, 10), (0, 4), (-0.5 * twist, 18), (4, 3)
    )
    figure.set_trunk((bend, lateral, twist), (nod, cant, gaze), lordosis)
    for side in SIDES:
        # At phase 0, the left thigh passes the vertical on its way forward. The right leg is half a
        # stride behind.
        leg = phase if side == LEFT else phase + math.pi
        lift = (leg + 0.2 + math.pi) % (2.0 * math.pi) - math.pi
        load = (leg - 2.1 + math.pi) % (2.0 * math.pi) - math.pi
        knee = 48.0 * vigour**0.5 * math.exp(-((lift / 0.85) ** 2))
        knee += 10.0 * vigour * math.exp(-((load / 0.6) ** 2))
        thigh, abduction, turn, slack = gaussians(
            rng, (8 + 21 * vigour * math.sin(leg), 2), (-1, 2.5), (6, 5), (0, 3)
        )
        figure.set_leg(side, thigh + lean, abduction, turn, 6.0 + knee + abs(slack))
    if rng.random() < 0.6:
        swing_arms(rng, figure, (swing * sway, -swing * sway))
    else:
        set_arms(rng, figure, WALK, pair=0.35)
    return figure, ANKLE


def standing(
    rng: np.random.Generator, body: BodyProportions, arms: dict = IDLE, turn: float = 1.0
) -> Draw:
    """A person who stands upright on both feet, often with the weight on one of them.

    Args:
      rng: source of randomness.
      body: bone lengths of the person, mm.
      arms: weights of the gestures of the arms.
      turn: factor of the twists and the bends to the side of the trunk.
    """
    lean, tilt, yaw = gaussians(rng, (2, 4), (0, 4), (0, 6))
    figure = Figure(body, rotation(lean, tilt, yaw))
    figure.off_balance = STEADY
    bend_trunk(rng, figure, 4.0, 6.0, turn=turn, tilt=tilt)
    feet = gaussians(rng, (-10, 30), (0, 90), (5, 50), (12 * tilt, 15), (12, 8))
    place_feet(rng, figure, 0.999 - 0.012 * abs(rng.normal()), *feet)
    set_arms(rng, figure, arms)
    return figure, ANKLE


def gesturing(rng: np.random.Generator, body: BodyProportions) -> Draw:
    """A person who stands and moves the hands: who talks, greets or shows the way."""
    return standing(rng, body, TALK, turn=1.3)


def handling(rng: np.random.Generator, body: BodyProportions) -> Draw:
    """A person who stands and phones, eats, drinks, takes a photograph or carries a thing."""
    return standing(rng, body, DAILY)


def reaching(rng: np.random.Generator, body: BodyProportions) -> Draw:
    """A person who reaches, pushes, serves or strikes and takes a step or a lunge towards it."""
    lean, tilt, yaw = gaussians(rng, (0, 13), (0, 6), (0, 12))
    figure = Figure(body, rotation(abs(lean), tilt, yaw))
    figure.off_balance = MOVING
    bend_trunk(rng, figure, 6.0, 10.0, turn=1.8, tilt=0.5 * tilt)
    feet = gaussians(rng, (0, 40), (0, 260), (60, 80), (0, 40), (15, 10))
    place_feet(rng, figure, rng.uniform(0.9, 0.995), *feet)
    set_arms(rng, figure, STRIKE, pair=0.4)
    return figure, ANKLE


def stepping(rng: np.random.Generator, body: BodyProportions) -> Draw:
    """A person with one foot off the floor, who climbs, kicks, balances, marches or dances."""
    stand = RIGHT if rng.random() < 0.5 else LEFT
    lean, tilt, yaw, slack = gaussians(rng, (4, 9), (3 * LATERAL[stand], 4), (0, 8), (0, 20))
    figure = Figure(body, rotation(lean, tilt, yaw))
    figure.off_balance = STEADY
    bend_trunk(rng, figure, 4.0 - 0.3 * lean, 9.0, turn=1.5, tilt=tilt)
    knee = abs(slack) + 3.0
    # The foot is below the middle of the body, so the leg leans to the inside.
    thigh, abduction, turn = gaussians(rng, (lean + 0.5 * knee, 4), (-7, 4), (8, 6))
    figure.set_leg(stand, thigh, abduction, turn, knee)
    lift, abduction, turn, slack = gaussians(rng, (40, 34), (8, 10), (8, 12), (20, 30))
    figure.set_leg(1 - stand, lift, abduction, turn, max(5.0, 0.8 * abs(lift) + slack))
    set_arms(rng, figure, BALANCE)
    return figure, (ANKLE[stand],)


def bending(rng: np.random.Generator, body: BodyProportions) -> Draw:
    """A person who bends over almost straight legs: who picks up a thing, ties shoes or bows."""
    bend = rng.uniform(0.35, 1.0)
    lean, tilt = gaussians(rng, (52 * bend, 6), (0, 5))
    figure = Figure(body, rotation(lean, tilt))
    figure.off_balance = STEADY + 50.0
    bend_trunk(rng, figure, 36.0 * bend, 9.0, look=-8.0, turn=1.3)
    feet = gaussians(rng, (150 * bend, 30), (0, 140), (30, 60), (0, 25), (12, 8))
    place_feet(rng, figure, rng.uniform(0.88, 0.995), *feet)
    set_arms(rng, figure, STOOP, pair=0.6)
    return figure, ANKLE


def crouching(rng: np.random.Generator, body: BodyProportions) -> Draw:
    """A person in a half or a full squat, whose hips, knees and trunk bend together."""
    depth = rng.uniform(0.0, 1.0)
    lean, tilt = gaussians(rng, (12 + 26 * depth, 6), (0, 4))
    figure = Figure(body, rotation(lean, tilt))
    figure.off_balance = STEADY + 50.0
    bend_trunk(rng, figure, 12.0 + 14.0 * depth, 9.0, look=-6.0)
    feet = gaussians(rng, (120 + 60 * depth, 35), (0, 90), (60, 50), (0, 0), (22, 10))
    place_feet(rng, figure, 0.86 - 0.44 * depth, *feet)
    set_arms(rng, figure, SQUAT, pair=0.6)
    return figure, ANKLE
