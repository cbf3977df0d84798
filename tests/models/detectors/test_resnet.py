"""ResNet-50: parity from block to stages with PyTorch, its names and sizes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.models.detectors.convolutions import Bottleneck
from capf_jax.models.detectors.resnet import ResNet
from capf_jax.models.detectors.simplebaseline import SimpleBaseline
from converters.resnet_names import bottleneck, resnet_rules
from converters.simplebaseline_names import simplebaseline_rules
from tests.goldens import manifests, recipe
from tests.models.detectors import published

CLASSIFIER = {'fc.weight': (1000, 2048), 'fc.bias': (1000,)}


@pytest.mark.parity
def test_bottleneck_equals_pytorch():
    block = Bottleneck(3, expansion=2, stride=2, project=True)
    x = recipe.weight('x', (1, 6, 8, 5))
    shapes = jax.eval_shape(lambda key: block.init(key, x, train=False), jax.random.key(0))
    variables = published.recipe_variables(bottleneck('block', (), project=True), shapes)
    with jax.default_matmul_precision('highest'):
        published.assert_like_block('bottleneck', block.apply(variables, x, train=False))


@pytest.mark.parity
def test_stem_and_small_stages_equal_pytorch():
    model = ResNet(blocks=(1, 1), width=4)
    images = recipe.weight('images', (1, 64, 32, 3))
    rules = resnet_rules(model, classifier=False)
    variables = published.recipe_variables(rules, published.shapes_of(model, images.shape))
    with jax.default_matmul_precision('highest'):
        maps = jax.jit(model.apply)(variables, images).maps
    for level, feature_map in enumerate(maps):
        published.assert_like_block(f'resnet/map{level}', feature_map)


def test_it_is_the_network_in_simplebaseline_under_the_same_names():
    # SimpleBaseline's parity with the published stages is then its own.
    inside = {
        rule.key: rule.path and (rule.path[0], *rule.path[2:])
        for rule in simplebaseline_rules(SimpleBaseline())
        if not rule.key.startswith(('deconv_layers.', 'final_layer.'))
    }
    alone = {rule.key: rule.path for rule in resnet_rules(ResNet(), classifier=False)}
    assert alone == inside


def test_number_of_parameters():
    assert published.number_of_parameters('resnet50_imagenet') == 25_557_032 - 2_049_000


def test_table_names_every_key_of_torchvision():
    backbone = {
        key
        for key in manifests.read('simplebaseline_res50_coco')
        if not key.startswith(('deconv_layers', 'final_layer'))
    }
    assert {rule.key for rule in resnet_rules(ResNet())} == backbone | CLASSIFIER.keys()


def test_it_has_no_heatmaps():
    model = ResNet(blocks=(1, 1, 1, 1), width=4)
    shapes = published.shapes_of(model)
    detection = jax.eval_shape(
        model.apply, shapes, jax.ShapeDtypeStruct((2, 64, 96, 3), np.float32)
    )
    assert detection.heatmaps is None
    assert [m.shape for m in detection.maps] == [
        (2, 16, 24, 16),
        (2, 8, 12, 32),
        (2, 4, 6, 64),
        (2, 2, 3, 128),
    ]


def test_crop_of_a_wrong_size_is_an_error():
    with pytest.raises(ValueError, match='multiples of 32, not 100x96'):
        ResNet().init(jax.random.key(0), jnp.ones((1, 100, 96, 3)))
