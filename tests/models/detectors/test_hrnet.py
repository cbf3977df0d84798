"""HRNet: parity with the published network, its names, shapes and training behaviour."""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.models.detectors import catalog
from capf_jax.models.detectors.catalog import normalise_images
from capf_jax.models.detectors.hrnet import HRNet, hrnet_from_settings
from capf_jax.models.detectors.initial import random_variables
from configs import base
from converters.engine import to_flax
from converters.hrnet_names import hrnet_rules
from tests.goldens import recipe

GOLDENS = pathlib.Path(__file__).parents[2] / 'goldens'
SMALL = HRNet(num_joints=5, width=4, stem_channels=4, bottlenecks=1, modules=(1, 1, 2), blocks=1)


def manifest():
    return json.loads((GOLDENS / 'manifests' / 'hrnet_w32_coco.json').read_text())


def shapes_of(model):
    images = jax.ShapeDtypeStruct((1, 256, 192, 3), jnp.float32)
    return jax.eval_shape(model.init, jax.random.key(0), images)


def published(prefix):
    """HRNet-W32 variables from the recipe; weights depend on the key and so on its prefix."""
    state = recipe.state_dict({prefix + key: shape for key, shape in manifest().items()})
    model = HRNet(num_joints=17)
    return to_flax(state, hrnet_rules(model, prefix), shapes_of(model), 'HRNet-W32')


@pytest.fixture(scope='module')
def detect():
    """HRNet-W32 on the recipe's two images, compiled once."""
    model = HRNet(num_joints=17)
    images = normalise_images(jnp.asarray(recipe.images(2)), catalog.get('hrnet_w32'))

    @jax.jit
    def run(variables):
        with jax.default_matmul_precision('highest'):
            return model.apply(variables, images)

    return run


@pytest.fixture(scope='module')
def small_variables():
    return jax.jit(lambda key: random_variables(SMALL, key))(jax.random.key(0))


def assert_like_golden(name, actual):
    # 1e-4 of the largest value: float32 sums in another order, through up to 60 layers.
    golden, actual = np.load(GOLDENS / 'hrnet_w32.npz'), np.asarray(actual)
    assert actual.shape == tuple(golden[f'{name}/shape'])
    tolerance = 1e-4 * golden[f'{name}/largest']
    values = actual.reshape(-1)[golden[f'{name}/index']]
    np.testing.assert_allclose(values, golden[f'{name}/value'], rtol=0, atol=tolerance)
    if f'{name}/channel_mean' in golden:
        mean = actual.mean(axis=(0, 1, 2))
        np.testing.assert_allclose(mean, golden[f'{name}/channel_mean'], rtol=0, atol=tolerance)


@pytest.mark.parity
def test_heatmaps_of_w32_equal_the_published(detect):
    assert_like_golden('heatmaps', detect(published('')).heatmaps)


@pytest.mark.parity
def test_maps_of_w32_equal_the_published(detect):
    maps = detect(published('backbone.')).maps
    assert len(maps) == 4
    for level, feature_map in enumerate(maps):
        assert_like_golden(f'map{level}', feature_map)


@pytest.mark.parametrize(('width', 'parameters'), [(32, 28_536_113), (48, 63_595_745)])
def test_number_of_parameters(width, parameters):
    params = shapes_of(HRNet(num_joints=17, width=width))['params']
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == parameters


def test_table_names_every_key_of_the_official_file():
    assert {rule.key for rule in hrnet_rules(HRNet(num_joints=17))} == set(manifest())


def test_small_network_gives_maps_of_four_strides():
    images = jax.ShapeDtypeStruct((2, 128, 96, 3), jnp.float32)
    variables = shapes_of(SMALL)
    detection = jax.eval_shape(SMALL.apply, variables, images)
    assert [feature_map.shape for feature_map in detection.maps] == [
        (2, 32, 24, 4),
        (2, 16, 12, 8),
        (2, 8, 6, 16),
        (2, 4, 3, 32),
    ]
    assert detection.heatmaps.shape == (2, 32, 24, 5)


def test_coarse_maps_do_not_depend_on_later_modules(small_variables):
    changed = jax.tree_util.tree_map_with_path(
        lambda path, leaf: 2 * leaf if 'stage4_module1' in jax.tree_util.keystr(path) else leaf,
        small_variables,
    )
    run = jax.jit(lambda variables: SMALL.apply(variables, jnp.ones((1, 32, 32, 3))).maps)
    before, after = run(small_variables), run(changed)
    for level in (1, 2, 3):
        np.testing.assert_array_equal(before[level], after[level])
    assert not np.array_equal(before[0], after[0])


def test_training_moves_every_statistic(small_variables):
    images = jax.random.normal(jax.random.key(1), (2, 32, 32, 3))
    _, moved = jax.jit(
        lambda variables: SMALL.apply(variables, images, train=True, mutable=['batch_stats'])
    )(small_variables)
    before, after = (jax.tree.leaves(v['batch_stats']) for v in (small_variables, moved))
    assert not any(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_crop_of_a_wrong_size_is_an_error():
    with pytest.raises(ValueError, match='multiples of 32, not 100x96'):
        SMALL.init(jax.random.key(0), jnp.ones((1, 100, 96, 3)))


def test_modules_need_three_numbers():
    settings = base.get_config().model.hrnet
    settings.modules = (1, 4)
    with pytest.raises(ValueError, match='three numbers'):
        hrnet_from_settings(17, settings=settings)
