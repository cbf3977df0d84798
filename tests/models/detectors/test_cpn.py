"""CPN-50: parity from the global net of a small one to the whole, its names and sizes."""

import numpy as np
import pytest

from capf_jax.models.detectors import catalog
from capf_jax.models.detectors.cpn import CPN
from converters.cpn_names import cpn_rules
from converters.engine import to_flax
from tests.goldens import manifests, recipe
from tests.models.detectors import published

SMALL = CPN(num_joints=3, blocks=(1, 1, 1), width=4, channels=6)


@pytest.fixture(scope='module')
def small():
    """Global net's features and Detection of the small network with the recipe's weights."""
    detection, intermediates = published.small_network(
        SMALL, cpn_rules(SMALL), lambda module, method: method == '_global_net'
    )
    return intermediates['_global_net'][0], detection


def state_dict(prefix):
    """State dict as of the published file; weights depend on the key and so on its prefix."""
    shapes = manifests.read('cpn50_coco')
    return recipe.state_dict({prefix + key: shape for key, shape in shapes.items()})


def variables_of(state, prefix):
    return to_flax(state, cpn_rules(CPN(), prefix), published.shapes_of(CPN()), 'CPN-50')


@pytest.mark.parity
@pytest.mark.parametrize('level', range(3))
def test_features_of_a_small_global_net_equal_pytorch(small, level):
    published.assert_like_small_network(f'cpn/feature{level}', small[0][level])


@pytest.mark.parity
@pytest.mark.parametrize('level', range(3))
def test_maps_of_a_small_refine_net_equal_pytorch(small, level):
    published.assert_like_small_network(f'cpn/map{level}', small[1].maps[level])


@pytest.mark.parity
def test_heatmaps_of_a_small_network_equal_pytorch(small):
    published.assert_like_small_network('cpn/heatmaps', small[1].heatmaps)


@pytest.mark.parity
def test_maps_equal_the_published():
    maps = published.detection('cpn50', variables_of(state_dict('backbone.'), 'backbone.')).maps
    assert len(maps) == 4
    for level, feature_map in enumerate(maps):
        published.assert_like_golden('cpn50', f'map{level}', feature_map)


@pytest.mark.parity
def test_heatmaps_equal_the_published():
    heatmaps = published.detection('cpn50', variables_of(state_dict(''), '')).heatmaps
    published.assert_like_golden('cpn50', 'heatmaps', heatmaps)


def test_number_of_parameters():
    assert published.number_of_parameters('cpn50') == 26_985_826


def test_table_drops_only_statistics_counts_and_heads_of_the_global_net():
    dropped = [rule.key for rule in cpn_rules(CPN()) if rule.path is None]
    heads = {k for k in manifests.read('cpn50_coco') if k.startswith('global_net.predict.')}
    assert heads <= set(dropped)
    assert all(key in heads or key.endswith('num_batches_tracked') for key in dropped)


def test_weights_go_back_as_they_came():
    state = state_dict('')
    published.assert_goes_back(state, variables_of(state, ''), cpn_rules(CPN()))


def test_images_are_not_divided():
    entry = catalog.get('cpn50')
    white = catalog.normalise_images(np.full((1, 1, 1, 3), 255, np.uint8), entry)
    expected = 1 - np.array([122.7717, 115.9465, 102.9801]) / 255
    np.testing.assert_allclose(white[0, 0, 0], expected, rtol=1e-5)
