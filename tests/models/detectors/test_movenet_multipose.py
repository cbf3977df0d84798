"""MoveNet MultiPose: the published graph's maps and people, from the converted weight file."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.inference.weight_files import load_weights
from capf_jax.models.detectors import catalog
from capf_jax.models.detectors.movenet_multipose import MoveNetMultiPose, people_of
from tests.goldens import movenet as recipe
from tests.models.detectors import published

WEIGHTS = pathlib.Path(__file__).parents[3] / 'pretrained' / 'movenet_multipose.safetensors'
PICTURE = recipe.multipose_picture()

pytestmark = pytest.mark.skipif(not WEIGHTS.is_file(), reason=f'there is no {WEIGHTS}')


@pytest.fixture(scope='module')
def maps():
    variables, _ = load_weights(WEIGHTS)
    images = catalog.normalise_images(PICTURE[None], catalog.get('movenet_thunder'))
    with jax.default_matmul_precision('highest'):
        return jax.jit(MoveNetMultiPose().apply)(variables, images)


@pytest.fixture(scope='module')
def people(maps):
    return people_of(jax.tree.map(lambda x: x[0], maps))


@pytest.fixture(scope='module')
def golden_people():
    return np.load(published.GOLDENS / 'movenet_multipose.npz')['people'][0]


def test_heads_are_those_of_the_published_graph(maps):
    published.assert_like_golden('movenet_multipose', 'centres', maps.centres[..., None])
    published.assert_like_golden('movenet_multipose', 'heatmaps', maps.heatmaps)


def test_people_are_those_of_the_published_graph(people, golden_people):
    height, width = PICTURE.shape[:2]
    joints = golden_people[:, :51].reshape(6, 17, 3)
    top, left, bottom, right, score = golden_people[:, 51:].T
    boxes = np.stack([left * width, top * height, (right - left) * width, (bottom - top) * height])
    np.testing.assert_allclose(people.scores, score, rtol=0, atol=1e-4)
    np.testing.assert_allclose(people.boxes, boxes.T, rtol=0, atol=1e-4 * width)
    np.testing.assert_allclose(people.confidence, joints[..., 2], rtol=0, atol=1e-4)
    expected = joints[..., 1::-1] * (width, height)
    np.testing.assert_allclose(people.joints, expected, rtol=0, atol=1e-4 * width)


def test_a_map_without_people_gives_scores_of_nearly_zero(maps):
    empty = jax.tree.map(lambda x: jnp.zeros_like(x[0]), maps)
    np.testing.assert_array_equal(people_of(empty).scores, 0)
