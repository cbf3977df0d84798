"""SimpleBaseline: parity of its transposed convolution and of the whole, its names and sizes."""

import jax
import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.models.detectors.convolutions import DeconvNorm
from capf_jax.models.detectors.simplebaseline import MAPS, SimpleBaseline
from converters.engine import DECONV, Rule, batch_norm, to_flax
from converters.simplebaseline_names import simplebaseline_rules
from tests.goldens import manifests, recipe
from tests.models.detectors import published


@pytest.fixture(scope='module')
def state():
    """State dict as of the published file."""
    return recipe.state_dict(manifests.read('simplebaseline_res50_coco'))


@pytest.fixture(scope='module')
def variables(state):
    model = SimpleBaseline()
    return to_flax(state, simplebaseline_rules(model), published.shapes_of(model), 'res50')


@pytest.fixture(scope='module')
def detection(variables):
    return published.detection('simplebaseline_resnet50', variables)


@pytest.mark.parity
def test_transposed_convolution_equals_pytorch():
    layer, x = DeconvNorm(4), recipe.weight('x', (1, 3, 5, 6))
    shapes = jax.eval_shape(lambda key: layer.init(key, x, train=False), jax.random.key(0))
    rules = [
        Rule('deconv_layers.0.weight', ('params', 'conv', 'kernel'), DECONV),
        *batch_norm('deconv_layers.1', ('norm',)),
    ]
    variables = published.recipe_variables(rules, shapes)
    with jax.default_matmul_precision('highest'):
        published.assert_like_block('deconv', layer.apply(variables, x, train=False))


@pytest.mark.parity
@pytest.mark.parametrize('level', range(4))
def test_maps_equal_the_published(detection, level):
    published.assert_like_golden('simplebaseline_res50', f'map{level}', detection.maps[level])


@pytest.mark.parity
def test_heatmaps_equal_the_published(detection):
    published.assert_like_golden('simplebaseline_res50', 'heatmaps', detection.heatmaps)


def test_number_of_parameters():
    assert published.number_of_parameters('simplebaseline_resnet50') == 33_999_697


def test_weights_go_back_as_they_came(state, variables):
    published.assert_goes_back(state, variables, simplebaseline_rules(SimpleBaseline()))


def test_the_deconvolutions_are_the_published_maps_on_the_same_weights():
    small = {'blocks': (1, 1, 1, 1), 'width': 8, 'channels': 8, 'num_joints': 3}
    stages, deconvolutions = (SimpleBaseline(**small, maps=maps) for maps in MAPS)
    shapes = published.shapes_of(stages, (1, 64, 32, 3))
    assert shapes == published.shapes_of(deconvolutions, (1, 64, 32, 3))
    variables = published.random_variables(stages, (1, 64, 32, 3))
    images = recipe.images(1, 64, 32) / np.float32(255)
    one, other = (jax.jit(m.apply)(variables, images) for m in (stages, deconvolutions))
    np.testing.assert_array_equal(one.heatmaps, other.heatmaps)
    assert [one_map.shape[1:] for one_map in other.maps] == [(16, 8, 8), (8, 4, 8), (4, 2, 8)]
    # The finest one is what the head of heatmaps sees.
    head = variables['params']['head']
    heatmaps = np.asarray(other.maps[0]) @ head['kernel'][0, 0] + head['bias']
    np.testing.assert_allclose(heatmaps, other.heatmaps, rtol=1e-4, atol=1e-4)


def test_maps_of_another_name_are_an_error():
    with pytest.raises(UserError, match="nearest is 'deconvolutions'"):
        published.shapes_of(SimpleBaseline(maps='deconv'), (1, 64, 32, 3))
