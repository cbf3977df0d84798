"""MoveNet Thunder: the published graph's maps and joints, from the converted weight file."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.inference.estimator import Estimator
from capf_jax.inference.weight_files import load_weights
from capf_jax.models.detectors import catalog
from capf_jax.models.detectors.heatmaps import joints_of
from capf_jax.pose.flip import flip_joints
from tests.goldens import movenet as recipe
from tests.models.detectors import published

WEIGHTS = pathlib.Path(__file__).parents[3] / 'pretrained' / 'movenet_thunder.safetensors'
ENTRY = catalog.get('movenet_thunder')
CROP = recipe.thunder_picture()

pytestmark = pytest.mark.skipif(not WEIGHTS.is_file(), reason=f'there is no {WEIGHTS}')


def detect(images, dtype=jnp.float32):
    variables, _ = load_weights(WEIGHTS)
    module = ENTRY.build(17, dtype=dtype)
    with jax.default_matmul_precision('highest'):
        run = jax.jit(lambda images: module.apply(variables, images))
        return run(catalog.normalise_images(jnp.asarray(images), ENTRY))


@pytest.fixture(scope='module')
def detection():
    return detect(CROP[None])


@pytest.fixture(scope='module')
def golden_people():
    return np.load(published.GOLDENS / 'movenet_thunder.npz')['people'].reshape(17, 3)


@pytest.mark.parametrize('level', range(4))
def test_maps_are_those_of_the_published_graph(detection, level):
    published.assert_like_golden('movenet_thunder', f'map{level}', detection.maps[level])


def test_heatmaps_are_those_of_the_published_graph(detection):
    published.assert_like_golden('movenet_thunder', 'heatmaps', detection.heatmaps)


def test_joints_and_confidences_are_those_of_the_published_graph(detection, golden_people):
    joints, confidence = joints_of(detection, ENTRY)
    expected = golden_people[:, 1::-1] * 256  # the graph gives y and x, as shares of the crop
    np.testing.assert_allclose(joints[0], expected, rtol=0, atol=1e-4 * 256)
    np.testing.assert_allclose(confidence[0], golden_people[:, 2], rtol=0, atol=1e-4)


def test_every_crop_of_a_batch_is_decoded_by_itself(detection):
    """The published graph decodes the first alone."""
    shifted = np.roll(CROP, (8, -12), (0, 1))
    both = joints_of(detect(np.stack([shifted, CROP])), ENTRY)
    np.testing.assert_allclose(both[0][1], joints_of(detection, ENTRY)[0][0], rtol=0, atol=1e-3)
    np.testing.assert_allclose(
        both[0][0], joints_of(detect(shifted[None]), ENTRY)[0][0], rtol=0, atol=1e-3
    )


def test_an_estimator_knows_the_size_of_its_crops_and_gives_these_joints(golden_people):
    estimator = Estimator.load(WEIGHTS)
    assert estimator.crop_size == ENTRY.crop
    joints, confidence = estimator.joints(CROP[None])
    np.testing.assert_allclose(joints[0], golden_people[:, 1::-1] * 256, rtol=0, atol=1e-4 * 256)
    np.testing.assert_allclose(confidence[0], golden_people[:, 2], rtol=0, atol=1e-4)


def test_the_flip_test_is_the_same_for_a_mirrored_crop():
    estimator = Estimator.load(WEIGHTS)
    joints, confidence = estimator.joints(CROP[None], flip_test=True)
    mirrored, _ = estimator.joints(CROP[None, :, ::-1], flip_test=True)
    back = flip_joints(mirrored, CROP.shape[1] - 1, estimator.skeleton)
    np.testing.assert_allclose(back, joints, rtol=0, atol=1e-2)
    assert (confidence > 0.1).all()


@pytest.mark.slow  # test_compute_type has bfloat16 of a smaller network
def test_half_precision_finds_the_same_joints(golden_people):
    joints, _ = joints_of(detect(CROP[None], jnp.bfloat16), ENTRY)
    distance = np.linalg.norm(joints[0] - golden_people[:, 1::-1] * 256, axis=-1)
    assert distance.max() < 4, distance  # pixels of 256, one of the heatmaps
