"""The catalog: each entry says what its network does."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.inference import model_settings
from capf_jax.models.detectors import catalog
from capf_jax.pose import skeletons
from configs import base


@pytest.mark.parametrize('name', catalog.names())
def test_entry_tells_maps_and_heatmaps_of_its_network(name):
    entry = catalog.get(name)
    height, width = entry.crop
    images = jax.ShapeDtypeStruct((1, height, width, 3), jnp.float32)
    detector = entry.build(17)
    detection, _ = jax.eval_shape(detector.init_with_output, jax.random.key(0), images)
    assert [feature_map.shape for feature_map in detection.maps] == [
        (1, height // stride, width // stride, channels)
        for stride, channels in zip(entry.strides, entry.channels, strict=True)
    ]
    if entry.heatmaps is None:
        assert detection.heatmaps is None
    else:
        assert detection.heatmaps.shape == (1, height // 4, width // 4, 17)


@pytest.mark.parametrize('name', catalog.names())
def test_name_alone_gives_the_lifter_all_maps(name):
    config = base.get_config()
    config.model.detector = name
    assert model_settings.lifter(config.model, skeletons.H36M17).levels == tuple(
        range(len(catalog.get(name).channels))
    )


def test_levels_of_a_config_are_kept():
    config = base.get_config()
    config.model.lifter.levels = (1, 3)
    assert model_settings.lifter(config.model, skeletons.H36M17).levels == (1, 3)


def test_unknown_name_is_an_error_with_the_nearest():
    with pytest.raises(ValueError, match=r"'hrnet_48'.* nearest is 'hrnet_w48'"):
        catalog.get('hrnet_48')


@pytest.mark.parametrize(
    ('heatmaps', 'decode'), [('gaussian', 'parabola'), ('probability', 'mean')]
)
def test_entry_of_ones_own_size_follows_the_config(heatmaps, decode):
    model = base.get_config().model
    model.detector = 'hrnet'
    model.hrnet.update(width=4, heatmaps=heatmaps)
    entry = model_settings.detector_entry(model)
    assert entry.channels == (4, 8, 16, 32)
    assert entry.decode == decode
    assert entry.build(17).width == 4


OWN = {  # a name of OWN_SIZES -> its smallest sizes, and its maps' channels
    'hrnet': (
        {'width': 4, 'stem_channels': 4, 'bottlenecks': 1, 'modules': (1, 1, 1), 'blocks': 1},
        (4, 8, 16, 32),
    ),
    'vitpose': (
        {'dimension': 8, 'depth': 1, 'heads': 2, 'channels': 4, 'crop': (64, 32)},
        (4, 4, 8),
    ),
    'simplebaseline': (
        {'width': 2, 'blocks': (1, 1, 1, 1), 'channels': 4, 'maps': 'stages'},
        (8, 16, 32, 64),
    ),
}


@pytest.mark.parametrize('name', catalog.OWN_SIZES)
def test_a_network_of_ones_own_size_is_what_its_entry_says(name):
    model = base.get_config().model
    fields, channels = OWN[name]
    model.detector = name
    model[name].update(**fields, heatmaps='probability', skeleton='h36m17')
    entry = model_settings.detector_entry(model)
    assert (entry.channels, entry.joints) == (channels, 'h36m17')
    images = jax.ShapeDtypeStruct((1, 64, 32, 3), jnp.float32)
    network = entry.build(17)
    detection, _ = jax.eval_shape(network.init_with_output, jax.random.key(0), images)
    assert [(*m.shape[1:3], m.shape[3]) for m in detection.maps] == [
        (64 // stride, 32 // stride, width)
        for stride, width in zip(entry.strides, channels, strict=True)
    ]
    assert detection.heatmaps.shape == (1, 16, 8, 17)
    assert network.heatmaps == 'probability'


@pytest.mark.parametrize(
    ('name', 'field', 'value'),
    [
        ('vitpose', 'heads', 5),
        ('vitpose', 'heatmaps', 'gauss'),
        ('simplebaseline', 'maps', 'stage'),
    ],
)
def test_a_section_that_describes_no_network_names_its_field(name, field, value):
    model = base.get_config().model
    model.detector, model[name][field] = name, value
    with pytest.raises(ValueError, match=rf'model\.{name}\.{field} is'):
        model_settings.detector_entry(model)


def test_unknown_kind_of_heatmaps_is_an_error():
    model = base.get_config().model
    model.detector, model.hrnet.heatmaps = 'hrnet', 'gauss'
    with pytest.raises(ValueError, match=r"model\.hrnet\.heatmaps is 'gauss'"):
        model_settings.detector_entry(model)


def test_images_are_normalised_as_by_imagenet():
    white = np.full((1, 1, 1, 3), 255, np.uint8)
    normalised = catalog.normalise_images(white, catalog.get('hrnet_w32'))
    np.testing.assert_allclose(normalised[0, 0, 0], [2.2489083, 2.4285715, 2.64], rtol=1e-5)
