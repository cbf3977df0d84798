"""A rendered person at the border of a picture is lifted as well as one in the middle."""

import dataclasses

import numpy as np
import pytest

from capf_jax.inference import photographs, predictor
from capf_jax.inference.estimator import Estimator
from capf_jax.inference.photograph_camera import PhotographCamera
from capf_jax.inference.photograph_models import Models
from capf_jax.pose import cameras, metrics
from capf_jax.pose.cameras import Camera
from data_pipeline.datasets.synthetic import renderer, samples
from data_pipeline.datasets.synthetic.settings import Settings

FOCAL = 600.0  # pixels of a picture of 1000 pixels a side
WINDOW = 320  # pixels a side of the part of the picture that is rendered; the rest is not looked at


@pytest.fixture(scope='module')
def person():
    """Someone whom a camera of a photograph looks at."""
    settings = Settings(cameras='photographs', height=256, width=256)
    return samples.sample_person(np.random.default_rng(3), settings, 'test')


def turned(camera, degrees):
    """A wide camera at the same place, turned aside: what was in the middle is at a border."""
    angle = np.deg2rad(degrees)
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    wide = np.array([FOCAL, FOCAL, *camera.intrinsics[2:]])
    return dataclasses.replace(camera, rotation=turn @ camera.rotation, intrinsics=wide)


def world_joints(person):
    """[17, 3], metres."""
    return person.joints3d @ person.camera.rotation + person.camera.position


def error_of(person, camera, models):
    """MPJPE in mm, camera frame, of the person in the part of the picture that shows them."""
    truth = camera.to_camera(world_joints(person))
    places = cameras.project(truth, camera.intrinsics)
    first, last = places.min(0), places.max(0)
    scale = 0.7 * WINDOW / (last - first).max()
    corner = (first + last) / 2 * scale - WINDOW / 2
    affine = np.array([[scale, 0, -corner[0]], [0, scale, -corner[1]]])
    pixels = renderer.render(
        np.random.default_rng(0), person.solids, person.body, person.subject, camera,
        person.scene, affine, (WINDOW, WINDOW), 1,
    )  # fmt: skip
    numbers = camera.intrinsics * scale - [0, 0, *corner]
    seen = PhotographCamera(Camera('window', None, None, numbers), False, 'rendered')
    box = np.concatenate([first * scale - corner, (last - first) * scale])
    people = photographs.people_of(pixels, models, seen, boxes=box[None], flip_test=False)
    pose = 1000 * (people.pose - people.pose[:, :1])
    true = 1000 * (truth - truth[:1])[None]
    return float(metrics.mpjpe(pose, true)[0])


@pytest.mark.skipif(not predictor.LIFTER.is_file(), reason='the default lifter is not here')
def test_a_person_at_the_border_is_no_worse_than_one_in_the_middle(person):
    models = Models.of(Estimator.load(predictor.LIFTER, largest_batch=1))
    middle = error_of(person, turned(person.camera, 0), models)
    assert middle < 150
    for degrees in (-25, 25):
        camera = turned(person.camera, degrees)
        sideways, _, ahead = camera.to_camera(world_joints(person)).mean(0)
        assert abs(np.rad2deg(np.arctan2(sideways, ahead))) > 20
        assert error_of(person, camera, models) < middle + 8
