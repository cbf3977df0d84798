"""Renders examples/two_people.jpg: two people of the synthetic dataset in one room.

    python -m examples.render_two_people

The picture has 1000x1000 pixels, and its camera a focal length of 1150 pixels.
"""

from __future__ import annotations

import pathlib

import cv2
import numpy as np

from capf_jax.pose.cameras import Camera
from data_pipeline.datasets.synthetic import poses, samples, scenes
from data_pipeline.datasets.synthetic.bodies import build_body, lowest_point
from data_pipeline.datasets.synthetic.cameras import IMAGE_SIZE
from data_pipeline.datasets.synthetic.renderer import render

PATH = pathlib.Path(__file__).parent / 'two_people.jpg'
# Subject, activity, seed of the pose, place on the floor (metres).
PEOPLE = ((3, 'reaching', 5, (-0.2, -0.6)), (8, 'walking', 2, (0.6, 0.7)))
MIDDLE = 500  # column between the two people
FOCAL, HEIGHT, DISTANCE = 1150.0, 1.4, 3.6  # of the camera: pixels, metres, metres


def picture(supersample: int = 2) -> np.ndarray:
    """The picture [H, W, 3], uint8, RGB.

    Args:
      supersample: rays in each row and column of a pixel.
    """
    # The camera looks along the x axis of the world, whose z is up, and slightly down.
    tilt = np.radians(9)
    forward = np.array([np.cos(tilt), 0, -np.sin(tilt)])
    right = np.array([0.0, -1, 0])
    camera = Camera(
        'camera',
        np.stack([right, np.cross(forward, right), forward]),
        np.array([-DISTANCE, 0, HEIGHT]),
        np.array([FOCAL, FOCAL, 499.5, 499.5]),
    )
    bodies = []
    subjects = [samples.subject_of(0, 'test', number) for number, *_ in PEOPLE]
    for subject, (_, activity, seed, place) in zip(subjects, PEOPLE, strict=True):
        pose = poses.sample_pose(np.random.default_rng(seed), activity, subject.proportions)
        body = build_body(pose, subject)
        bodies.append(body.translate(np.array([*place, -lowest_point(body.primitives)])))
    scene = scenes.sample_scene(np.random.default_rng(4), 'overhead', forward)
    identity = np.eye(2, 3)
    # Both pictures show both bodies, and the same noise; each has the colours of one person.
    one, other = (
        render(
            np.random.default_rng(1), body.primitives.join(second.primitives), body, subject,
            camera, scene, identity, IMAGE_SIZE, supersample,
        )
        for body, second, subject in zip(bodies, bodies[::-1], subjects, strict=True)
    )  # fmt: skip
    return np.concatenate([other[:, :MIDDLE], one[:, MIDDLE:]], axis=1)


if __name__ == '__main__':
    pixels = cv2.cvtColor(picture(), cv2.COLOR_RGB2BGR)
    PATH.write_bytes(cv2.imencode('.jpg', pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())
