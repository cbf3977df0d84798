"""A detector in chunks of images gives what it gives for all at once."""

import jax
import numpy as np
import pytest

from capf_jax.backends.cpu import chunks, folding, replacements
from capf_jax.models.detectors.cpn import CPN
from tests.models.detectors import published

DETECTOR = CPN(num_joints=3, blocks=(1, 1), width=4, channels=8)  # its ResNet is a detector too
FOUR = 4 * 256 * 192  # pixels of a chunk


@pytest.mark.parametrize('prepare', [lambda variables: variables, folding.prepared])
def test_chunks_change_nothing(prepare):
    images = np.random.default_rng(0).standard_normal((10, 256, 192, 3)).astype(np.float32)
    variables = prepare(published.random_variables(DETECTOR))
    assert chunks.chunk_size(images.shape) < len(images)
    with replacements.active():
        detection = jax.jit(lambda *arguments: DETECTOR.apply(*arguments))(variables, images)
    whole = DETECTOR.apply(variables, images)
    for a, b in zip(jax.tree.leaves(detection), jax.tree.leaves(whole), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * np.abs(b).max())


@pytest.mark.parametrize(
    ('batch', 'size'), [(1, 1), (4, 4), (16, 4), (6, 3), (10, 2), (13, 13), (64, 4)]
)
def test_a_chunk_is_the_largest_divisor_of_up_to_four_crops_unless_it_is_a_single_one(batch, size):
    assert chunks.chunk_size((batch, 256, 192, 3)) == size


def test_intermediates_are_those_of_the_whole_batch():
    images = np.zeros((8, 256, 192, 3), np.float32)
    with replacements.active():
        _, state = jax.eval_shape(
            lambda: DETECTOR.apply(
                published.random_variables(DETECTOR),
                images,
                mutable=['intermediates'],
                capture_intermediates=lambda module, method: method == '_global_net',
            )
        )
    assert state['intermediates']['_global_net'][0][0].shape[0] == 8
