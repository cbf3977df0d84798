"""What people do: a function per activity that draws one figure with its joints bent together.

Each takes a random generator and the body's proportions and returns the figure, pelvis at the
origin and heading along x, with the joints that carry it. Angles are degrees.
"""

from __future__ import annotations

import math

import numpy as np

from data_pipeline.synthetic.gestures import pick, set_arms, swing_arms
from data_pipeline.synthetic.kinematics import (
    ANKLE,
    HIP,
    KNEE,
    LATERAL,
    LEFT,
    PELVIS,
    RIGHT,
    BodyProportions,
    Figure,
    rotation,
)  # fmt: skip

Drawn = tuple[Figure, tuple[int, ...]]
SIDES = (RIGHT, LEFT)

IDLE = {
    'relaxed': 4,
    'hip': 1.5,
    'pocket': 1.5,
    'crossed': 1.2,
    'back': 0.8,
    'belly': 1.0,
    'talking': 1.0,
}
TALK = {
    'talking': 4, 'lifted': 2.5, 'pointing': 2, 'raised': 1.2, 'spread': 1.2, 'relaxed': 1.5,
    'chest': 0.7, 'hip': 0.7, 'reach': 1.0,
}  # fmt: skip
DAILY = {
    'mouth': 3, 'ear': 3, 'camera': 2, 'carried': 2, 'scalp': 0.8, 'relaxed': 2, 'belly': 1.2,
    'talking': 1.5, 'pocket': 0.8, 'chest': 0.8,
}  # fmt: skip


def _trunk(
    rng: np.random.Generator,
    figure: Figure,
    flexion: float = 4.0,
    spread: float = 7.0,
    look: float = 0.0,
    turn: float = 1.0,
) -> None:
    """Bend the spine by about `flexion`; the head makes up for part of it and looks about."""
    flexion = rng.normal(flexion, spread)
    twist = rng.normal(0.0, 10.0 * turn)
    lateral = rng.normal(0.0, 4.5 * turn)
    # People keep their eyes on the world: the neck undoes some of what the trunk does.
    neck = (
        rng.normal(14.0, 12.0) - 0.3 * flexion + look,
        rng.normal(0.0, 6.0) - 0.3 * lateral,
        rng.normal(0.0, 20.0) + 0.3 * twist,
    )
    shrug = max(rng.normal(0.0, 3.0), -5.0)
    figure.set_trunk((flexion, lateral, twist), neck, rng.normal(4.0, 3.0), (shrug, shrug))


def _feet(
    rng: np.random.Generator,
    figure: Figure,
    stretch: float,
    ahead: float = 0.0,
    stagger: float = 0.0,
    apart: float = 25.0,
    shift: float = 0.0,
    turn_out: float = 10.0,
) -> None:
    """Put both feet on one floor.

    Args:
      rng: random numbers.
      figure: its legs are set.
      stretch: length of the longer leg, hip to ankle, over its greatest.
      ahead: how far the feet are in front of the pelvis, mm.
      stagger: how far the left foot is in front of the right, mm.
      apart: how far each foot is outside its hip, mm.
      shift: how far both feet are to the left of the pelvis, mm.
      turn_out: direction of the knees to the outside.
    """
    body = figure.body
    length = stretch * (body.thigh + body.shank)
    targets = []
    for side in SIDES:
        half = 0.5 * stagger * LATERAL[side]
        y = LATERAL[side] * (body.hip + apart) + shift
        targets.append(np.array((ahead + half, y, 0.0)))
    floor = 0.0
    for side in SIDES:
        offset = targets[side] - figure.joints[HIP[side]]
        flat = min(offset[0] ** 2 + offset[1] ** 2, 0.9 * length**2)
        drop = math.sqrt(length**2 - flat) - figure.joints[HIP[side]][2]
        floor = drop if side == RIGHT else min(floor, drop)
    for side in SIDES:
        angle = math.radians(turn_out + rng.normal(0.0, 8.0))
        knee = np.array((math.cos(angle), LATERAL[side] * math.sin(angle), 0.0))
        targets[side][2] = -floor
        figure.reach_foot(side, targets[side], knee)


def walking(rng: np.random.Generator, body: BodyProportions) -> Drawn:
    """A stride at any phase, from strolling to a brisk step, arms opposite to the legs."""
    phase = rng.uniform(0.0, 2.0 * math.pi)
    vigour = rng.uniform(0.5, 1.35)
    sway, swing = math.sin(phase), rng.uniform(4.0, 26.0) * vigour
    figure = Figure(
        body,
        rotation(rng.normal(3.0, 3.0), 2.5 * math.cos(phase) + rng.normal(0.0, 1.0), 5.0 * sway),
    )
    twist = -9.0 * vigour * sway + rng.normal(0.0, 4.0)
    neck = (rng.normal(12.0, 10.0), rng.normal(0.0, 4.0), -0.5 * twist + rng.normal(0.0, 18.0))
    figure.set_trunk(
        (rng.normal(3.0, 4.0), rng.normal(0.0, 2.5), twist), neck, rng.normal(4.0, 3.0)
    )
    for side in SIDES:
        # Phase 0 is a thigh that passes the vertical forwards: the right leg lags half a stride.
        leg = phase if side == LEFT else phase + math.pi
        lift = (leg + 0.65 + math.pi) % (2.0 * math.pi) - math.pi
        load = (leg - 2.1 + math.pi) % (2.0 * math.pi) - math.pi
        knee = 6.0 + 52.0 * vigour**0.5 * math.exp(-((lift / 0.8) ** 2))
        knee += 10.0 * vigour * math.exp(-((load / 0.6) ** 2)) + abs(rng.normal(0.0, 3.0))
        thigh = 9.0 + 23.0 * vigour * math.sin(leg) + rng.normal(0.0, 2.0)
        figure.set_leg(side, thigh, rng.normal(-1.0, 2.5), rng.normal(6.0, 5.0), knee)
    if rng.random() < 0.6:
        swing_arms(rng, figure, (swing * sway, -swing * sway))
    else:
        set_arms(rng, figure, {**DAILY, 'pocket': 1.5, 'pointing': 1, 'talking': 3}, pair=0.35)
    return figure, ANKLE


def standing(
    rng: np.random.Generator, body: BodyProportions, arms=IDLE, turn: float = 1.0
) -> Drawn:
    """Upright on both feet, often with the weight on one of them."""
    hang = rng.normal(0.0, 4.0)
    figure = Figure(body, rotation(rng.normal(2.0, 4.0), hang, rng.normal(0.0, 6.0)))
    _trunk(rng, figure, 4.0, 6.0, turn=turn)
    shift = 12.0 * hang + rng.normal(0.0, 15.0)
    _feet(
        rng, figure, rng.uniform(0.975, 0.998), rng.normal(-10.0, 30.0), rng.normal(0.0, 90.0),
        rng.normal(5.0, 50.0), shift, rng.normal(12.0, 8.0),
    )  # fmt: skip
    set_arms(rng, figure, arms)
    return figure, ANKLE


def gesturing(rng: np.random.Generator, body: BodyProportions) -> Drawn:
    """Standing and talking with the hands: discussing, greeting, directing."""
    return standing(rng, body, TALK, turn=1.3)


def handling(rng: np.random.Generator, body: BodyProportions) -> Drawn:
    """Standing and phoning, eating, drinking, smoking, taking a photograph, carrying."""
    return standing(rng, body, DAILY)


def reaching(rng: np.random.Generator, body: BodyProportions) -> Drawn:
    """Reaching, pushing, serving or striking, with a step or a lunge towards it."""
    lean = abs(rng.normal(0.0, 12.0))
    figure = Figure(body, rotation(lean, rng.normal(0.0, 6.0), rng.normal(0.0, 12.0)))
    _trunk(rng, figure, 6.0, 10.0, turn=1.8)
    stretch = rng.uniform(0.9, 0.995)
    _feet(
        rng, figure, stretch, rng.normal(0.0, 40.0), rng.normal(0.0, 260.0), rng.normal(60.0, 80.0),
        rng.normal(0.0, 40.0), rng.normal(15.0, 10.0),
    )  # fmt: skip
    arms = {'reach': 6, 'pointing': 1.5, 'raised': 1.5, 'spread': 1, 'relaxed': 0.7, 'lifted': 1}
    set_arms(rng, figure, arms, pair=0.4)
    return figure, ANKLE


def stepping(rng: np.random.Generator, body: BodyProportions) -> Drawn:
    """One foot up: climbing, kicking, balancing, marching, dancing."""
    stand = RIGHT if rng.random() < 0.5 else LEFT
    lean = rng.normal(4.0, 10.0)
    figure = Figure(
        body, rotation(lean, -5.0 * LATERAL[stand] + rng.normal(0.0, 5.0), rng.normal(0, 8))
    )
    _trunk(rng, figure, 4.0 - 0.3 * lean, 9.0, turn=1.5)
    knee = abs(rng.normal(0.0, 20.0)) + 3.0
    figure.set_leg(
        stand,
        lean + 0.5 * knee + rng.normal(0.0, 4.0),
        rng.normal(-3.0, 4.0),
        rng.normal(8.0, 6.0),
        knee,
    )
    lift = rng.normal(40.0, 34.0)
    bend = max(5.0, 20.0 + 0.8 * abs(lift) + rng.normal(0.0, 30.0))
    figure.set_leg(1 - stand, lift, rng.normal(8.0, 10.0), rng.normal(8.0, 12.0), bend)
    set_arms(
        rng,
        figure,
        {'talking': 2, 'spread': 3, 'lifted': 2, 'pointing': 1.5, 'raised': 1.5, 'relaxed': 2},
    )
    return figure, (ANKLE[stand],)


def bending(rng: np.random.Generator, body: BodyProportions) -> Drawn:
    """Bending forward or sideways over straight or slightly bent legs: picking up, tying, bowing."""
    bend = rng.uniform(0.35, 1.0)
    figure = Figure(body, rotation(52.0 * bend + rng.normal(0.0, 6.0), rng.normal(0.0, 5.0)))
    _trunk(rng, figure, 36.0 * bend, 9.0, look=-8.0, turn=1.3)
    _feet(
        rng, figure, rng.uniform(0.88, 0.99), 150.0 * bend + rng.normal(0.0, 30.0),
        rng.normal(0.0, 140.0), rng.normal(30.0, 60.0), rng.normal(0.0, 25.0), rng.normal(12.0, 8.0),
    )  # fmt: skip
    arms = {
        'reach': 4,
        'knee': 2,
        'thigh': 1,
        'shin': 1.5,
        'relaxed': 1,
        'talking': 1,
        'pointing': 1,
        'hip': 0.5,
    }
    set_arms(rng, figure, arms, pair=0.6)
    return figure, ANKLE


def crouching(rng: np.random.Generator, body: BodyProportions) -> Drawn:
    """Half and full squats; hips, knees and trunk fold together."""
    depth = rng.uniform(0.0, 1.0)
    figure = Figure(
        body, rotation(12.0 + 26.0 * depth + rng.normal(0.0, 6.0), rng.normal(0.0, 4.0))
    )
    _trunk(rng, figure, 12.0 + 14.0 * depth, 9.0, look=-6.0)
    stretch = 0.86 - 0.44 * depth
    _feet(
        rng, figure, stretch, 110.0 + 60.0 * depth + rng.normal(0.0, 35.0), rng.normal(0.0, 90.0),
        rng.normal(40.0, 50.0), 0.0, rng.normal(18.0, 10.0),
    )  # fmt: skip
    arms = {
        'reach': 2,
        'knee': 3,
        'thigh': 1.5,
        'talking': 2,
        'lifted': 1,
        'floor': 1,
        'carried': 1,
        'mouth': 0.5,
    }
    set_arms(rng, figure, arms, pair=0.6)
    return figure, ANKLE


def kneeling(rng: np.random.Generator, body: BodyProportions) -> Drawn:
    """On both knees, upright or sitting on the heels, or on one knee with the other foot down."""
    lean = rng.normal(8.0, 9.0)
    figure = Figure(body, rotation(lean, rng.normal(0.0, 4.0), rng.normal(0.0, 6.0)))
    _trunk(rng, figure, 9.0, 10.0, turn=1.2)
    arms = {
        'talking': 2,
        'thigh': 2.5,
        'reach': 2.5,
        'lifted': 1,
        'relaxed': 1.5,
        'hip': 0.7,
        'mouth': 0.5,
        'pointing': 1,
    }
    down = RIGHT if rng.random() < 0.5 else LEFT
    one = rng.random() < 0.5
    sink = rng.uniform(0.0, 15.0) if one else pick(rng, {'up': 1, 'heels': 1}) == 'heels'
    for side in SIDES if not one else (down,):
        thigh = sink if one else (rng.uniform(56.0, 68.0) if sink else rng.uniform(-4.0, 22.0))
        # The shank lies on the floor: the knee folds by what the thigh leaves to the horizontal.
        knee = 93.0 + thigh + rng.normal(0.0, 1.5)
        figure.set_leg(
            side, lean + thigh, rng.normal(6.0, 5.0), rng.normal(2.0, 6.0), min(knee, 159.0)
        )
    if one:
        floor = figure.joints[KNEE[down]][2] - 55.0
        y = LATERAL[1 - down] * (body.hip + abs(rng.normal(30.0, 40.0)))
        foot = np.array((rng.normal(0.95, 0.12) * body.thigh, y, floor + 75.0))
        figure.reach_foot(
            1 - down, foot, np.array((1.0, LATERAL[1 - down] * rng.normal(0.2, 0.15), 1.0))
        )
        arms = {**arms, 'knee': 2.0}
    set_arms(rng, figure, arms)
    return figure, (KNEE[down],)


def sitting(rng: np.random.Generator, body: BodyProportions) -> Drawn:
    """On a chair or stool: feet forward, under the seat or apart, one leg over the other."""
    lean = rng.normal(-6.0, 9.0)
    figure = Figure(body, rotation(lean, rng.normal(0.0, 3.0), rng.normal(0.0, 3.0)))
    forward = rng.random() < 0.25
    _trunk(rng, figure, rng.uniform(25.0, 55.0) if forward else 14.0, 9.0, look=-4.0)
    seat = body.shank * rng.uniform(0.86, 1.12)
    advance = body.thigh * rng.uniform(0.95, 1.0) + rng.normal(20.0, 110.0)
    apart = rng.normal(25.0, 70.0)
    for side in SIDES:
        x = advance + rng.normal(0.0, 45.0)
        foot = np.array((x, LATERAL[side] * max(body.hip + apart, 60.0), -seat))
        figure.reach_foot(side, foot, np.array((0.6, LATERAL[side] * (0.0008 * apart + 0.1), 1.0)))
    if rng.random() < 0.16:
        over = RIGHT if rng.random() < 0.5 else LEFT
        if rng.random() < 0.5:  # the ankle rests on the other knee
            figure.set_leg(
                over,
                98.0 + lean,
                rng.uniform(30.0, 42.0),
                rng.uniform(42.0, 58.0),
                rng.uniform(95.0, 112.0),
            )
        else:  # one thigh over the other
            figure.set_leg(
                over,
                108.0 + lean,
                rng.uniform(-16.0, -8.0),
                rng.uniform(-5.0, 12.0),
                rng.uniform(75.0, 100.0),
            )
        support: tuple[int, ...] = (ANKLE[1 - over],)
    else:
        support = ANKLE
    arms = {
        'thigh': 4, 'knee': 1.5, 'talking': 3, 'lifted': 1, 'mouth': 1.5, 'ear': 1.3, 'pointing': 0.8,
        'reach': 1.2, 'crossed': 0.6, 'belly': 1, 'scalp': 0.4, 'camera': 0.4, 'relaxed': 0.7, 'raised': 0.3,
    }  # fmt: skip
    set_arms(rng, figure, arms)
    return figure, support


def sitting_on_floor(rng: np.random.Generator, body: BodyProportions) -> Drawn:
    """Legs crossed, stretched, drawn up or folded to a side."""
    kind = pick(rng, {'crossed': 3, 'stretched': 2, 'drawn up': 3, 'aside': 1.5})
    lean = rng.normal(-18.0 if kind != 'crossed' else -8.0, 8.0)
    figure = Figure(body, rotation(lean, rng.normal(0.0, 3.0)))
    _trunk(rng, figure, 24.0, 10.0, look=-2.0)
    if kind == 'crossed':
        abduction, turn = rng.uniform(34.0, 46.0), rng.uniform(34.0, 46.0)
        for side in SIDES:
            knee = rng.uniform(112.0, 125.0) if side == RIGHT else rng.uniform(128.0, 140.0)
            figure.set_leg(side, 104.0 + lean + rng.normal(0.0, 4.0), abduction, turn, knee)
    elif kind == 'aside':
        near = RIGHT if rng.random() < 0.5 else LEFT
        figure.set_leg(
            near,
            95.0 + lean,
            rng.uniform(25.0, 45.0),
            rng.uniform(55.0, 66.0),
            rng.uniform(100.0, 125.0),
        )
        figure.set_leg(
            1 - near,
            88.0 + lean,
            rng.uniform(10.0, 30.0),
            rng.uniform(-44.0, -34.0),
            rng.uniform(100.0, 130.0),
        )
    else:
        far = rng.uniform(0.90, 0.99) if kind == 'stretched' else rng.uniform(0.42, 0.75)
        reach = (body.thigh + body.shank) * far
        for side in SIDES:
            y = LATERAL[side] * (body.hip + rng.normal(15.0, 50.0))
            foot = np.array((reach + rng.normal(0.0, 40.0), y, -25.0))
            figure.reach_foot(
                side, foot, np.array((0.1, LATERAL[side] * rng.normal(0.15, 0.15), 1.0))
            )
    arms = {
        'thigh': 2,
        'knee': 3,
        'talking': 3,
        'lifted': 1,
        'mouth': 1.2,
        'ear': 1,
        'reach': 1.2,
        'belly': 1,
        'relaxed': 0.5,
    }
    if kind == 'drawn up':
        arms = {**arms, 'shin': 3.0}
    if lean < -20.0:
        arms = {**arms, 'floor': 3.0}
    set_arms(rng, figure, arms, pair=0.6)
    return figure, (PELVIS, *HIP)


def lying(rng: np.random.Generator, body: BodyProportions) -> Drawn:
    """On the back, on a side or on the belly; knees straight, bent or drawn up."""
    kind = pick(rng, {'back': 5, 'side': 3, 'belly': 2})
    if kind == 'back':
        figure = Figure(
            body, rotation(-90.0 + rng.normal(0.0, 4.0)) @ rotation(0.0, 0.0, rng.normal(0.0, 8.0))
        )
        figure.set_trunk(
            (rng.normal(6.0, 5.0), rng.normal(0, 4), rng.normal(0, 5)),
            (rng.normal(8, 10), rng.normal(0, 6), rng.normal(0, 20)),
            2.0,
        )
    elif kind == 'side':
        figure = Figure(
            body,
            rotation(0.0, 90.0 + rng.normal(0.0, 10.0)) @ rotation(0.0, 0.0, rng.normal(0.0, 12.0)),
        )
        figure.set_trunk(
            (rng.normal(12, 10), rng.normal(-4, 5), rng.normal(0, 8)),
            (rng.normal(14, 10), rng.normal(-8, 7), rng.normal(0, 8)),
            2.0,
        )
    else:
        figure = Figure(
            body, rotation(90.0 + rng.normal(0.0, 3.0)) @ rotation(0.0, 0.0, rng.normal(0.0, 5.0))
        )
        figure.set_trunk(
            (rng.normal(-14, 8), rng.normal(0, 4), rng.normal(0, 5)),
            (rng.normal(-18, 10), rng.normal(0, 6), rng.normal(0, 20)),
            2.0,
        )
    up = rng.random() < 0.55
    for side in SIDES:
        if kind == 'belly':
            figure.set_leg(
                side,
                rng.normal(-2, 3),
                abs(rng.normal(8, 8)),
                rng.normal(5, 8),
                abs(rng.normal(5, 12)) if up else 5.0,
            )
            continue
        flexion = max(rng.normal(45.0, 16.0), 5.0) if up else abs(rng.normal(5.0, 4.0))
        if kind == 'back':
            # The heel stays on the floor.
            knee = flexion + math.degrees(
                math.asin(min(1.0, body.thigh * math.sin(math.radians(flexion)) / body.shank))
            )
            knee += rng.normal(0.0, 2.0)
        else:
            knee = max(4.0, 1.2 * flexion + rng.normal(0.0, 12.0))
        figure.set_leg(
            side,
            flexion,
            rng.normal(6.0, 5.0) * (kind == 'back') + (3 if kind == 'side' else 2),
            rng.normal(4.0, 6.0),
            min(knee, 140.0),
        )
    if kind == 'back':
        arms = {
            'flat': 5,
            'belly': 2.5,
            'scalp': 1.5,
            'raised': 0.8,
            'lifted': 1,
            'ear': 0.7,
            'chest': 1,
        }
    elif kind == 'side':
        arms = {'lifted': 3, 'pointing': 2, 'talking': 2, 'scalp': 1, 'mouth': 1, 'raised': 1}
    else:
        arms = {'lifted': 2, 'raised': 2, 'pointing': 1, 'spread': 1}
    set_arms(rng, figure, arms, pair=0.4)
    return figure, (PELVIS, *HIP)
