"""A shaped human body around 17 joints, and the stool that it sits on.

Lengths are in metres.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from capf_jax.pose.skeletons import H36M17, H36M17_SURFACE
from data_pipeline.datasets.synthetic import body_parts
from data_pipeline.datasets.synthetic.body_parts import Measures
from data_pipeline.datasets.synthetic.kinematics import Pose
from data_pipeline.datasets.synthetic.primitives import PrimitiveList, Primitives
from data_pipeline.datasets.synthetic.subjects import SEAT, Subject
from data_pipeline.datasets.synthetic.vectors import unit

SURFACE = H36M17_SURFACE.joints[len(H36M17) :]


@dataclasses.dataclass(frozen=True)
class Body:
    """A person as primitives.

    A frame [4, 3] of a part has its origin and the unit vectors right, forward and up as rows.

    Attributes:
      primitives: the shapes, in the frame of the joints, metres; their materials are those of
        subjects.py.
      pelvis: [4, 3], frame of the pelvis.
      chest: [4, 3], frame of the chest, whose origin is the thorax joint.
      head: [4, 3], frame of the head, whose origin is the middle of the skull.
      scale: size relative to a person of 1.75 m.
      surface: [19, 3], the points that H36M17_SURFACE adds to the joints, in its order, metres.
    """

    primitives: Primitives
    pelvis: np.ndarray
    chest: np.ndarray
    head: np.ndarray
    scale: float
    surface: np.ndarray

    def translate(self, shift: np.ndarray) -> Body:
        """The body moved by `shift` [3], metres."""
        move = np.array([shift, np.zeros(3), np.zeros(3), np.zeros(3)])
        return dataclasses.replace(
            self,
            primitives=self.primitives.transform(np.eye(3), shift),
            pelvis=self.pelvis + move,
            chest=self.chest + move,
            head=self.head + move,
            surface=self.surface + shift,
        )


def build_body(pose: Pose, subject: Subject) -> Body:
    """The body of a subject in a pose.

    Args:
      pose: the pose, mm.
      subject: the person, whose build and clothes the body has.

    Returns:
      The body in the frame of the pose, but in metres.
    """
    joints = pose.joints / 1000
    at = {name: joints[j] for j, name in enumerate(H36M17.joints)}
    leg = np.linalg.norm(at['left_knee'] - at['left_hip']) + np.linalg.norm(
        at['left_ankle'] - at['left_knee']
    )
    scale = float(leg / 0.89)  # The leg of a person of 1.75 m is 0.89 m long.
    measures = Measures(at, scale, scale * subject.girth, subject)
    pelvis = _part_frame(at['pelvis'], pose.pelvis)
    chest = _part_frame(at['thorax'], pose.chest)
    head = _part_frame(at['head'], pose.head)
    # The middle of the skull is below the top of the head and a little behind the line down from
    # it.
    head[0] += scale**0.5 * (-0.108 * head[3] - 0.004 * head[2])
    shapes = PrimitiveList()
    marks = body_parts.add_torso(shapes, measures, pelvis, chest)
    marks |= body_parts.add_head(shapes, measures, head, chest)
    for side, toes in (('right', pose.feet[0]), ('left', pose.feet[1])):
        marks |= body_parts.add_arm(shapes, measures, side)
        marks |= body_parts.add_leg(shapes, measures, side, pelvis, toes)
    surface = np.stack([marks[name] for name in SURFACE])
    return Body(shapes.build(), pelvis, chest, head, scale, surface)


def _part_frame(origin: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """The frame [4, 3] of a part from its origin [3] and its axes [3, 3].

    The columns of `axes` are forward, left and up; the rows of the frame are the origin and the
    unit vectors right, forward and up.
    """
    return np.stack([origin, -axes[:, 1], axes[:, 0], axes[:, 2]])


def stool(body: Body) -> Primitives:
    """What a body that sits sits on, a round seat on a post that stands on the floor z = 0."""
    centre, _, forward, _ = body.pelvis
    ahead = unit(np.array([forward[0], forward[1], 0.0]))
    seat = centre + 0.05 * ahead
    seat[2] = centre[2] - 0.13 * body.scale
    shapes = PrimitiveList()
    shapes.add_ellipsoid(seat, np.eye(3), np.array([0.19, 0.19, 0.035]), SEAT)
    shapes.add(seat * [1, 1, 0], seat, 0.05, 0.03, SEAT)
    return shapes.build()


def lowest_point(primitives: Primitives) -> float:
    """The height of the lowest point of primitives, metres, in a frame whose z is up."""
    low = np.minimum(
        primitives.origin[:, 2] - primitives.reach * primitives.radius_a,
        primitives.end[:, 2] - primitives.reach * primitives.radius_b,
    )
    return float(low.min())
