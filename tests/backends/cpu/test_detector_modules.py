"""Whole detectors with the CPU's methods, prepared and not, give what the plain modules give."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from capf_jax.backends.cpu import folding, replacements
from capf_jax.models.detectors import catalog
from capf_jax.models.detectors.convolutions import ConvNorm, DeconvNorm
from capf_jax.models.detectors.cpn import CPN
from capf_jax.models.detectors.hrnet import HRNet
from capf_jax.models.detectors.mobilenet import DepthwiseConv
from capf_jax.models.detectors.resnet import ResNet
from capf_jax.models.detectors.simplebaseline import SimpleBaseline
from capf_jax.models.detectors.vitpose import ViTPose
from tests.models.detectors import published

CROPS = (2, 64, 64, 3)
# Of the largest value: the same sums, rounded at other places, in up to 60 layers.
ROUNDING = 1e-5
# MoveNet's heatmaps are sigmoids of the random weights' large logits: against float64, float32 is
# 1.4e-5 off with JAX 0.10, and 2.7e-5 with JAX 0.12, the plain modules as the CPU's.
ROUNDING_OF_LARGE_LOGITS = 5e-5
SMALL = {'blocks': (2, 1, 1), 'width': 8}
SMALL_NETWORKS = (
    HRNet(3, width=8, stem_channels=8, bottlenecks=1, modules=(1, 1, 1), blocks=1),
    ResNet(**SMALL),
    SimpleBaseline(**SMALL, num_joints=3, channels=16),
    CPN(**SMALL, num_joints=3, channels=16),
    ViTPose(num_joints=3, dimension=16, depth=2, heads=2, channels=16),
)


def crops(shape=CROPS):
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def replaced(module, *arguments, **keywords):
    """`module.apply` with the CPU's methods."""
    with replacements.active():
        return module.apply(*arguments, **keywords)


def assert_near(results, expected, of_largest):
    for a, b in zip(jax.tree.leaves(results), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=of_largest * np.abs(b).max())


@pytest.mark.parametrize('name', published.CATALOG)
def test_whole_detector_gives_what_the_plain_one_gives(name):
    """All of ViTPose but two of its blocks are left out: the blocks are alike."""
    detector = catalog.get(name).build(17)
    if isinstance(detector, ViTPose):
        detector = detector.clone(depth=2)
    variables, images = published.random_variables(detector, CROPS), crops()
    expected = detector.apply(variables, images)
    of_largest = ROUNDING_OF_LARGE_LOGITS if name == 'movenet_thunder' else ROUNDING
    assert_near(replaced(detector, variables, images), expected, of_largest)
    assert_near(replaced(detector, folding.prepared(variables), images), expected, of_largest)


# SimpleBaseline has the blocks of ResNet, and CPN and ViTPose compile longest; the forward passes
# of all are compared in every run, below and above.
@pytest.mark.parametrize(
    'detector',
    [
        pytest.param(one, marks=() if type(one) in (HRNet, SimpleBaseline) else pytest.mark.slow)
        for one in SMALL_NETWORKS
    ],
    ids=lambda detector: type(detector).__name__,
)
def test_gradients_and_statistics_of_training_are_the_plain_ones(detector):
    """1e-4 of a parameter's largest gradient: BatchNorms of few pixels magnify what is rounded.

    Gradients that are zero but for rounding, such as that of a bias before a BatchNorm, have 1e-6
    of the largest gradient of all.
    """
    variables, images = published.random_variables(detector, CROPS), crops()

    def loss(params, run):
        detection, moved = run(
            {**variables, 'params': params}, images, train=True, mutable=['batch_stats']
        )
        leaves = jax.tree.leaves(detection)
        return sum(jnp.square(leaf).mean() for leaf in leaves), moved

    def gradients_by(run):
        return jax.jit(jax.grad(lambda params: loss(params, run), has_aux=True))

    gradients, moved = gradients_by(lambda *a, **k: replaced(detector, *a, **k))(
        variables['params']
    )
    expected, expected_moved = gradients_by(detector.apply)(variables['params'])
    zero = 1e-6 * max(np.abs(b).max() for b in jax.tree.leaves(expected))
    for a, b in zip(jax.tree.leaves(gradients), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-4 * np.abs(b).max() + zero)
    assert_near(moved, expected_moved, 1e-5)


@pytest.mark.parametrize('detector', SMALL_NETWORKS, ids=lambda d: type(d).__name__)
def test_a_detector_is_initialised_with_the_same_names_and_shapes(detector):
    images = jax.ShapeDtypeStruct(CROPS, jnp.float32)
    with replacements.active():
        shapes = jax.eval_shape(lambda *a: detector.init(*a), jax.random.key(0), images)
    assert shapes == jax.eval_shape(lambda *a: detector.init(*a), jax.random.key(0), images)


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('use_bias', [False, True])
def test_a_convolution_of_one_pixel_is_flaxs(stride, use_bias):
    x, module = crops((2, 6, 4, 5)), nn.Conv(3, (1, 1), stride, use_bias=use_bias, padding=0)
    variables = module.init(jax.random.key(1), x)
    assert_near(replaced(module, variables, x), module.apply(variables, x), 1e-6)


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('size', [(6, 8), (7, 5), (1, 1), (2, 3)])
@pytest.mark.parametrize('use_bias', [False, True])
def test_a_depthwise_convolution_by_products_is_the_grouped_one(size, stride, use_bias):
    x, module = crops((2, *size, 5)), DepthwiseConv(stride, use_bias)
    variables = published.random_variables(module, x.shape)
    assert_near(replaced(module, variables, x), module.apply(variables, x), 1e-6)


def test_gradients_of_a_depthwise_convolution_by_products_are_those_of_the_grouped_one():
    x, module = crops((2, 6, 6, 5)), DepthwiseConv(2)
    variables = published.random_variables(module, x.shape)

    def gradients(run):
        return jax.grad(lambda v, x: jnp.square(run(v, x)).sum(), (0, 1))(variables, x)

    expected = gradients(module.apply)
    assert_near(gradients(lambda *a: replaced(module, *a)), expected, 1e-6)


@pytest.mark.parametrize('shape', [(1, 1, 1, 4), (2, 3, 5, 4)])
def test_transposed_convolution_by_parity_is_the_one_with_zeros_between(shape):
    x, module = crops(shape), DeconvNorm(3)
    variables = module.init(jax.random.key(1), x, False)
    expected = module.apply(variables, x, False)
    assert_near(replaced(module, variables, x, False), expected, 1e-6)


def test_training_ignores_what_was_prepared():
    module, x = ConvNorm(6), crops((2, 8, 8, 24))
    variables = module.init(jax.random.key(0), x, False)
    prepared = {**variables, 'cpu': jax.tree.map(np.zeros_like, folding.prepared(variables)['cpu'])}
    y, _ = replaced(module, prepared, x, True, mutable=['batch_stats'])
    expected, _ = module.apply(variables, x, True, mutable=['batch_stats'])
    np.testing.assert_array_equal(y, expected)
