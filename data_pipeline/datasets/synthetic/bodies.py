"""A shaped human body around 17 joints: which rounded cone goes where, and how thick it is.

Front and back differ as on people - face and hair, kneecaps and calves, feet, the seat - and left
and right do not. Thicknesses are for a person of 1.75 m and scale with the leg.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from capf_jax.pose.skeletons import H36M17, H36M17_SURFACE
from data_pipeline.datasets.synthetic.kinematics import Pose
from data_pipeline.datasets.synthetic.primitives import PrimitiveList, Primitives, cross
from data_pipeline.datasets.synthetic.subjects import (
    HAIR,
    SEAT,
    SHOES,
    SKIN,
    SLEEVES,
    SOLES,
    TORSO,
    TROUSERS,
    Subject,
)

J = {name: H36M17.index(name) for name in H36M17.joints}
SURFACE = H36M17_SURFACE.joints[len(H36M17) :]

SIDES = ((-1, 'left'), (1, 'right'))  # along the unit vectors called right
_ODD = np.array([0.3, 0.2, 0.9])  # a direction that no arm has exactly


@dataclasses.dataclass(frozen=True)
class Body:
    """A person as primitives.

    Attributes:
      primitives: metres, in the frame of the joints; materials are those of subjects.py.
      pelvis: [4, 3], origin at the pelvis, then unit vectors right, forward, up.
      chest: [4, 3], origin at the thorax, then unit vectors right, forward, up.
      head: [4, 3], origin at the head's middle, then unit vectors right, forward, up.
      scale: size relative to a person of 1.75 m.
      surface: [19, 3], what H36M17_SURFACE has beside the joints, in its order.
    """

    primitives: Primitives
    pelvis: np.ndarray
    chest: np.ndarray
    head: np.ndarray
    scale: float
    surface: np.ndarray

    def shifted(self, shift: np.ndarray) -> Body:
        """The body moved by `shift` [3], metres."""
        move = np.array([shift, np.zeros(3), np.zeros(3), np.zeros(3)])
        return dataclasses.replace(
            self,
            primitives=self.primitives.moved(np.eye(3), shift),
            pelvis=self.pelvis + move,
            chest=self.chest + move,
            head=self.head + move,
            surface=self.surface + shift,
        )


def unit(vector: np.ndarray) -> np.ndarray:
    """`vector` with length 1."""
    return vector / max(float(np.sqrt(vector @ vector)), 1e-9)


def _part_frame(origin: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """[4, 3]: origin and right, forward, up, from columns forward, left, up [3, 3]."""
    return np.stack([origin, -axes[:, 1], axes[:, 0], axes[:, 2]])


def build_body(pose: Pose, subject: Subject) -> Body:
    """The body of `subject` in a pose (mm), in metres, otherwise in the frame of the pose."""
    joints = pose.joints / 1000
    at = {name: joints[j] for name, j in J.items()}
    leg = np.linalg.norm(at['left_knee'] - at['left_hip']) + np.linalg.norm(
        at['left_ankle'] - at['left_knee']
    )
    scale = float(leg / 0.89)
    thick = scale * subject.girth
    pelvis = _part_frame(at['pelvis'], pose.pelvis)
    chest = _part_frame(at['thorax'], pose.chest)
    head = _part_frame(at['head'], pose.head)
    # The skull's middle lies below the crown and a little behind the line down from it.
    head[0] += scale**0.5 * (-0.108 * head[3] - 0.004 * head[2])
    shapes = PrimitiveList()
    marks = _torso(shapes, at, pelvis, chest, thick, scale, subject)
    marks |= _head(shapes, at, head, chest, scale, thick, subject)
    for side, toes in (('right', pose.feet[0]), ('left', pose.feet[1])):
        marks |= _arm(shapes, at, side, thick, scale, subject)
        marks |= _leg(shapes, at, side, pelvis, toes, thick, scale, subject)
    surface = np.stack([marks[name] for name in SURFACE])
    return Body(shapes.build(), pelvis, chest, head, scale, surface)


# Each part adds its shapes and returns the points of SURFACE that lie on it, by name.


def _torso(shapes, at, pelvis, chest, thick, scale, subject):
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
    for sign, side in SIDES:  # the seat
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


def _head(shapes, at, head, chest, scale, thick, subject):
    centre, right, forward, up = head
    axes = head[1:]
    size = scale**0.5  # heads vary less than bodies
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


def _sleeved(shapes, points, radii, share, material, extra):
    """A sleeve or trouser leg over the first `share` of a two-bone limb."""
    reach = share * 2
    for bone in range(2):
        part = np.clip(reach - bone, 0.0, 1.0)
        if part > 0:
            a, b = points[bone], points[bone + 1]
            ra, rb = radii[bone], radii[bone + 1]
            shapes.add(a, a + part * (b - a), ra + extra, ra + part * (rb - ra) + extra, material)


def _arm(shapes, at, side, thick, scale, subject):
    shoulder, elbow, wrist = (at[f'{side}_{name}'] for name in ('shoulder', 'elbow', 'wrist'))
    radii = np.array([0.054, 0.041, 0.027]) * thick
    covered = subject.sleeve >= 1
    if not covered:
        shapes.add(shoulder, elbow, radii[0], radii[1], SKIN)
        shapes.add(elbow, wrist, radii[1], radii[2], SKIN)
    _sleeved(shapes, (shoulder, elbow, wrist), radii, subject.sleeve, SLEEVES, 0.009)
    along = unit(wrist - elbow)
    muscle = elbow + 0.07 * along
    shapes.add(muscle, muscle, 0.045 * thick, 0.045 * thick, SLEEVES if covered else SKIN)
    # The palm lies in the plane of the arm; a straight arm has none, so any plane does.
    across = cross(elbow - shoulder, along)
    across = unit(across + 1e-3 * cross(along, _ODD))
    palm = wrist + 0.055 * scale * along
    shapes.add(wrist, palm, 0.029 * scale, 0.036 * scale, SKIN, across, (0.6, 1.1))
    curl = unit(along + 0.25 * cross(across, along))
    fingers = palm + 0.065 * scale * curl
    shapes.add(palm, fingers, 0.034 * scale, 0.02 * scale, SKIN, across, (0.5, 1))
    return {f'{side}_fingers': fingers}


def _leg(shapes, at, side, pelvis, toes, thick, scale, subject):
    hip, knee, ankle = (at[f'{side}_{name}'] for name in ('hip', 'knee', 'ankle'))
    shin = unit(ankle - knee)
    # A bent knee points forward; a straight one goes with the pelvis.
    bend = knee - hip - ((knee - hip) @ unit(ankle - hip)) * unit(ankle - hip)
    front = bend / 0.08 + 0.5 * pelvis[2]
    front = unit(front - (front @ shin) * shin)
    radii = np.array([0.083, 0.056, 0.038]) * thick
    covered = subject.leg >= 1
    skin = TROUSERS if covered else SKIN
    loose = 0.01 if covered else 0.0
    top = hip - 0.02 * pelvis[3]
    shapes.add(top, knee, radii[0] + loose, radii[1] + loose, skin)
    shapes.add(knee, ankle, radii[1] + loose, radii[2] + 1.3 * loose, skin)
    if not covered:
        _sleeved(shapes, (top, knee, ankle), radii, subject.leg, TROUSERS, 0.016)
    calf = knee + 0.3 * (ankle - knee) - 0.022 * thick * front
    shapes.add(calf, calf + 0.08 * shin, (0.05 * thick) + loose, 0.042 * thick + loose, skin)
    cap = knee + 0.022 * thick * front
    shapes.add(cap, cap, 0.044 * thick + loose, 0.044 * thick + loose, skin)
    quad = hip + 0.35 * (knee - hip) + 0.02 * thick * front
    muscle = loose if covered else 0.014
    shapes.add(
        quad,
        quad + 0.3 * (knee - hip),
        0.068 * thick + muscle,
        0.055 * thick + muscle,
        TROUSERS if subject.leg > 0.33 else skin,
    )
    side_axis = unit(cross(shin, toes) + 1e-3 * pelvis[1])
    down = cross(toes, side_axis)  # away from the shin, through the sole
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


def stool(body: Body) -> Primitives:
    """What a sitting `body` sits on, down to the floor z = 0: a round seat on a post."""
    centre, _, forward, _ = body.pelvis
    ahead = unit(np.array([forward[0], forward[1], 0.0]))
    seat = centre + 0.05 * ahead
    seat[2] = centre[2] - 0.13 * body.scale
    shapes = PrimitiveList()
    shapes.add_ellipsoid(seat, np.eye(3), np.array([0.19, 0.19, 0.035]), SEAT)
    shapes.add(seat * [1, 1, 0], seat, 0.05, 0.03, SEAT)
    return shapes.build()


def lowest_point(primitives: Primitives) -> float:
    """Height of the body's lowest point, metres; z is up."""
    low = np.minimum(
        primitives.origin[:, 2] - primitives.reach * primitives.radius_a,
        primitives.end[:, 2] - primitives.reach * primitives.radius_b,
    )
    return float(low.min())
