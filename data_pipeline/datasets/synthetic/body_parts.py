"""The parts of a human body as rounded cones: where each one is, how thick, and of what material.

Front and back differ as on people, by the face, the hair, kneecaps, calves, feet and the seat. Left
and right do not differ. Each function adds the shapes of one part to a list and returns the points
of H36M17_SURFACE that lie on that part, by their names. Lengths are in metres; the numbers are
those of a person of 1.75 m.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from data_pipeline.datasets.synthetic.primitives import PrimitiveList
from data_pipeline.datasets.synthetic.subjects import (
    HAIR,
    SHOES,
    SKIN,
    SLEEVES,
    SOLES,
    TORSO,
    TROUSERS,
    Subject,
)
from data_pipeline.datasets.synthetic.vectors import cross, unit

SIDES = ((-1, 'left'), (1, 'right'))  # Sign of each side along the unit vectors called right.
_ODD = np.array([0.3, 0.2, 0.9])  # An arbitrary direction that no arm has exactly.


@dataclasses.dataclass(frozen=True)
class Measures:
    """Where the joints of a person are, and how large the person is.

    Attributes:
      at: positions [3] of the joints of H36M17 by their names, metres.
      scale: size relative to a person of 1.75 m.
      thick: factor of the thickness of torso and limbs.
      subject: the person, whose build and clothes the parts have.
    """

    at: Mapping[str, np.ndarray]
    scale: float
    thick: float
    subject: Subject


def add_torso(
    shapes: PrimitiveList, measures: Measures, pelvis: np.ndarray, chest: np.ndarray
) -> dict[str, np.ndarray]:
    """Adds hips, belly, chest and shoulders.

    Args:
      shapes: the list.
      measures: joints and sizes of the person.
      pelvis: [4, 3], origin of the pelvis and its unit vectors right, forward and up.
      chest: [4, 3], origin of the chest and its unit vectors right, forward and up.
    """
    at, scale, thick, subject = measures.at, measures.scale, measures.thick, measures.subject
    right, forward, up = pelvis[1:]
    hips = at['right_hip'] - at['left_hip']
    middle = 0.5 * (at['right_hip'] + at['left_hip'])
    waist = at['spine']
    shapes.add(
        middle - 0.32 * hips + 0.02 * up,
        middle + 0.32 * hips + 0.02 * up,
        0.098 * thick,
        0.098 * thick,
        TROUSERS,
        forward,
        (0.92, 1.12),
    )
    marks = {}
    for sign, side in SIDES:
        seat = middle + sign * 0.3 * hips - 0.04 * forward * thick - 0.035 * up
        shapes.add(seat, seat, 0.08 * thick, 0.08 * thick, TROUSERS)
        marks[f'{side}_seat'] = seat - 0.08 * thick * forward
    belly = subject.belly * thick
    marks['belly'] = waist + 0.12 * belly * forward
    shapes.add(
        at['pelvis'] + 0.06 * up,
        waist + 0.012 * forward,
        0.12 * belly,
        0.116 * belly,
        TORSO,
        right,
        (1.16, 0.88),
    )
    chest_right, chest_forward, chest_up = chest[1:]
    breast = at['thorax'] - 0.13 * chest_up * scale + 0.008 * chest_forward
    shapes.add(waist, breast, 0.117 * thick, 0.128 * thick, TORSO, chest_right, (1.2, 0.86))
    shapes.add(
        breast,
        at['thorax'] - 0.035 * chest_up * scale - 0.012 * chest_forward,
        0.128 * thick,
        0.075 * thick,
        TORSO,
        chest_right,
        (1.25, 0.84),
    )
    for sign, side in SIDES:
        centre = breast + sign * 0.075 * thick * chest_right
        centre = centre + (0.045 * thick + subject.bust) * chest_forward
        shapes.add(centre, centre, 0.072 * thick, 0.072 * thick, TORSO)
        blade = breast + sign * 0.085 * thick * chest_right - 0.045 * thick * chest_forward
        shapes.add(blade, blade + 0.06 * chest_up, 0.065 * thick, 0.06 * thick, TORSO)
        marks[f'{side}_breast'] = centre + 0.072 * thick * chest_forward
        marks[f'{side}_shoulder_blade'] = blade - 0.065 * thick * chest_forward
        shoulder = at[f'{side}_shoulder']
        base = at['thorax'] + 0.02 * chest_up * scale - 0.01 * chest_forward
        shapes.add(base, shoulder, 0.058 * thick, 0.062 * thick, SLEEVES)
    return marks


def add_head(
    shapes: PrimitiveList, measures: Measures, head: np.ndarray, chest: np.ndarray
) -> dict[str, np.ndarray]:
    """Adds the neck, the skull, the jaw, the nose, the ears and the hair.

    Args:
      shapes: the list.
      measures: joints and sizes of the person.
      head: [4, 3], middle of the skull and its unit vectors right, forward and up.
      chest: [4, 3], origin of the chest and its unit vectors right, forward and up.
    """
    at, scale, thick, subject = measures.at, measures.scale, measures.thick, measures.subject
    centre, right, forward, up = head
    axes = head[1:]
    size = scale**0.5  # Heads vary less in size than bodies.
    shapes.add(
        at['thorax'] - 0.02 * chest[3],
        centre - 0.03 * up - 0.015 * forward,
        0.06 * thick,
        0.052 * thick,
        SKIN,
    )
    shapes.add_ellipsoid(centre, axes, np.array([0.075, 0.095, 0.112]) * size, SKIN)
    jaw = centre - 0.06 * size * up + 0.03 * size * forward
    shapes.add_ellipsoid(jaw, axes, np.array([0.052, 0.056, 0.06]) * size, SKIN)
    tip = centre + (0.103 * forward - 0.02 * up) * size
    shapes.add(
        centre + (0.085 * forward + 0.015 * up) * size, tip, 0.011 * size, 0.016 * size, SKIN
    )
    marks = {}
    for sign, side in SIDES:
        ear = centre + (sign * 0.076 * right - 0.005 * up - 0.005 * forward) * size
        shapes.add_ellipsoid(ear, axes, np.array([0.012, 0.022, 0.032]) * size, SKIN)
        marks[f'{side}_ear'] = ear
    crown = centre + (0.022 * up - 0.02 * forward) * size
    shapes.add_ellipsoid(crown, axes, np.array([0.083, 0.096, 0.105]) * size, HAIR)
    if subject.long_hair:
        nape = centre - (0.05 * forward + 0.01 * up) * size
        shapes.add(
            nape,
            nape - (0.02 * forward + 0.12 * up) * size,
            0.076 * size,
            0.05 * size,
            HAIR,
            right,
            (1.1, 0.7),
        )
    return marks


def _add_sleeve(
    shapes: PrimitiveList,
    points: tuple[np.ndarray, np.ndarray, np.ndarray],
    radii: np.ndarray,
    share: float,
    material: int,
    extra: float,
) -> None:
    """Adds a sleeve or the leg of trousers.

    Args:
      shapes: the list.
      points: the three joints [3] of the limb, metres.
      radii: [3], radius of the limb at each of them, metres.
      share: share of the limb that is covered, from its first joint on.
      material: index of the material.
      extra: how far the cloth is from the skin, metres.
    """
    reach = share * 2
    for bone in range(2):
        part = np.clip(reach - bone, 0.0, 1.0)
        if part > 0:
            a, b = points[bone], points[bone + 1]
            ra, rb = radii[bone], radii[bone + 1]
            shapes.add(a, a + part * (b - a), ra + extra, ra + part * (rb - ra) + extra, material)


def add_arm(shapes: PrimitiveList, measures: Measures, side: str) -> dict[str, np.ndarray]:
    """Adds one arm with its hand and sleeve.

    Args:
      shapes: the list.
      measures: joints and sizes of the person.
      side: 'left' or 'right'.
    """
    at, scale, thick, subject = measures.at, measures.scale, measures.thick, measures.subject
    shoulder, elbow, wrist = (at[f'{side}_{name}'] for name in ('shoulder', 'elbow', 'wrist'))
    radii = np.array([0.054, 0.041, 0.027]) * thick
    long_sleeves = subject.sleeve >= 1
    if not long_sleeves:
        shapes.add(shoulder, elbow, radii[0], radii[1], SKIN)
        shapes.add(elbow, wrist, radii[1], radii[2], SKIN)
    _add_sleeve(shapes, (shoulder, elbow, wrist), radii, subject.sleeve, SLEEVES, 0.009)
    along = unit(wrist - elbow)
    muscle = elbow + 0.07 * along
    shapes.add(muscle, muscle, 0.045 * thick, 0.045 * thick, SLEEVES if long_sleeves else SKIN)
    # The palm lies in the plane of the arm. A straight arm has no such plane, and an arbitrary one
    # replaces it.
    across = cross(elbow - shoulder, along)
    across = unit(across + 1e-3 * cross(along, _ODD))
    palm = wrist + 0.055 * scale * along
    shapes.add(wrist, palm, 0.029 * scale, 0.036 * scale, SKIN, across, (0.6, 1.1))
    curl = unit(along + 0.25 * cross(across, along))
    fingers = palm + 0.065 * scale * curl
    shapes.add(palm, fingers, 0.034 * scale, 0.02 * scale, SKIN, across, (0.5, 1))
    return {f'{side}_fingers': fingers}


def add_leg(
    shapes: PrimitiveList, measures: Measures, side: str, pelvis: np.ndarray, toes: np.ndarray
) -> dict[str, np.ndarray]:
    """Adds one leg with its foot, its shoe and its part of the trousers.

    Args:
      shapes: the list.
      measures: joints and sizes of the person.
      side: 'left' or 'right'.
      pelvis: [4, 3], origin of the pelvis and its unit vectors right, forward and up.
      toes: [3], unit vector from the ankle to the toes.
    """
    at, scale, thick, subject = measures.at, measures.scale, measures.thick, measures.subject
    hip, knee, ankle = (at[f'{side}_{name}'] for name in ('hip', 'knee', 'ankle'))
    shin = unit(ankle - knee)
    # A bent knee points to the front of the leg; the front of a straight leg is that of the pelvis.
    bend = knee - hip - ((knee - hip) @ unit(ankle - hip)) * unit(ankle - hip)
    front = bend / 0.08 + 0.5 * pelvis[2]
    front = unit(front - (front @ shin) * shin)
    radii = np.array([0.083, 0.056, 0.038]) * thick
    long_trousers = subject.leg >= 1
    skin = TROUSERS if long_trousers else SKIN
    loose = 0.01 if long_trousers else 0.0
    top = hip - 0.02 * pelvis[3]
    shapes.add(top, knee, radii[0] + loose, radii[1] + loose, skin)
    shapes.add(knee, ankle, radii[1] + loose, radii[2] + 1.3 * loose, skin)
    if not long_trousers:
        _add_sleeve(shapes, (top, knee, ankle), radii, subject.leg, TROUSERS, 0.016)
    calf = knee + 0.3 * (ankle - knee) - 0.022 * thick * front
    shapes.add(calf, calf + 0.08 * shin, (0.05 * thick) + loose, 0.042 * thick + loose, skin)
    cap = knee + 0.022 * thick * front
    shapes.add(cap, cap, 0.044 * thick + loose, 0.044 * thick + loose, skin)
    quad = hip + 0.35 * (knee - hip) + 0.02 * thick * front
    muscle = loose if long_trousers else 0.014
    shapes.add(
        quad,
        quad + 0.3 * (knee - hip),
        0.068 * thick + muscle,
        0.055 * thick + muscle,
        TROUSERS if subject.leg > 0.33 else skin,
    )
    side_axis = unit(cross(shin, toes) + 1e-3 * pelvis[1])
    down = cross(toes, side_axis)  # This direction is away from the shin, through the sole.
    heel = ankle + (0.045 * down - 0.035 * toes) * scale
    ball = ankle + (0.05 * down + 0.125 * toes) * scale
    shapes.add(ankle, heel, 0.041 * scale, 0.038 * scale, SHOES)
    shapes.add(ankle, ball, 0.042 * scale, 0.03 * scale, SHOES, side_axis, (1.15, 1.0))
    shapes.add(
        ball, ball + 0.035 * toes * scale, 0.03 * scale, 0.026 * scale, SHOES, side_axis, (1.3, 0.9)
    )
    shapes.add(
        heel + 0.02 * down * scale,
        ball + (0.018 * down + 0.03 * toes) * scale,
        0.026 * scale,
        0.022 * scale,
        SOLES,
        side_axis,
        (1.5, 0.8),
    )
    return {
        f'{side}_toe': ball + 0.06 * toes * scale,
        f'{side}_heel': heel - 0.03 * toes * scale,
        f'{side}_kneecap': cap + 0.044 * thick * front,
        f'{side}_calf': calf - 0.05 * thick * front,
    }
