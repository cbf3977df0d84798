"""ViTPose: parity from one block to the whole of B, names, and the sizes of all four."""

import jax
import jax.numpy as jnp
import pytest

from capf_jax.models.detectors.vitpose import ViTPose
from converters.engine import to_flax
from converters.vitpose_names import vitpose_rules
from tests.goldens import manifests, recipe
from tests.models.detectors import published

SMALL = ViTPose(num_joints=3, dimension=8, depth=1, heads=2, channels=4)


@pytest.fixture(scope='module')
def state():
    """State dict as of the published file of ViTPose-B."""
    return recipe.state_dict(manifests.read('vitpose_b_coco'))


@pytest.fixture(scope='module')
def variables(state):
    model = ViTPose()
    return to_flax(state, vitpose_rules(model), published.shapes_of(model), 'ViTPose-B')


@pytest.fixture(scope='module')
def detection(variables):
    return published.detection('vitpose_b', variables)


@pytest.mark.parity
def test_tokens_of_one_block_equal_pytorch():
    images = recipe.weight('images', (1, 64, 48, 3))
    shapes = published.shapes_of(SMALL, images.shape)
    variables = published.recipe_variables(vitpose_rules(SMALL), shapes)
    with jax.default_matmul_precision('highest'):
        tokens = jax.jit(SMALL.apply)(variables, images).maps[-1]
    published.assert_like_block('tokens', tokens)


@pytest.mark.parity
@pytest.mark.parametrize('level', range(3))
def test_maps_of_b_equal_the_published(detection, level):
    published.assert_like_golden('vitpose_b', f'map{level}', detection.maps[level])


@pytest.mark.parity
def test_heatmaps_of_b_equal_the_published(detection):
    published.assert_like_golden('vitpose_b', 'heatmaps', detection.heatmaps)


@pytest.mark.parametrize(
    ('size', 'parameters'),
    [('s', 24_290_577), ('b', 89_994_513), ('l', 308_544_785), ('h', 637_208_849)],
)
def test_number_of_parameters(size, parameters):
    assert published.number_of_parameters(f'vitpose_{size}') == parameters


def test_weights_go_back_as_they_came(state, variables):
    # Position embedding with its class-token slot included.
    published.assert_goes_back(state, variables, vitpose_rules(ViTPose()))


def test_crop_of_a_wrong_size_is_an_error():
    with pytest.raises(ValueError, match='multiples of 16, not 100x96'):
        SMALL.init(jax.random.key(0), jnp.ones((1, 100, 96, 3)))


def test_crops_of_another_size_than_the_position_embedding_are_an_error():
    variables = published.shapes_of(SMALL, (1, 64, 48, 3))
    images = jax.ShapeDtypeStruct((1, 128, 96, 3), jnp.float32)
    with pytest.raises(ValueError, match=r'is for crops of 12 patches of 16x16.* these have 8x6'):
        jax.eval_shape(SMALL.apply, variables, images)
