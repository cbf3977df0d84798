"""What the detectors' parity tests share: recipe weights, goldens, and how they are compared."""

import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.models.detectors import catalog
from converters.engine import to_flax, to_torch, torch_shapes
from tests.goldens import recipe

GOLDENS = pathlib.Path(__file__).parents[2] / 'goldens'
CROP = (1, 256, 192, 3)


@functools.cache  # a large HRNet is traced for more than a second
def shapes_of(model, images=CROP):
    """Shapes of a detector's variables, for all who ask; leave them as they are."""
    images = jax.ShapeDtypeStruct(images, jnp.float32)
    return jax.eval_shape(model.init, jax.random.key(0), images)


def number_of_parameters(name):
    """Of a detector of the catalog."""
    params = shapes_of(catalog.get(name).build(17))['params']
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def recipe_variables(rules, expected):
    """The recipe's weights for a table of names and the Flax variables that it fills."""
    state = recipe.state_dict(torch_shapes(rules, expected))
    return to_flax(state, rules, expected, 'the recipe')


def assert_goes_back(state, variables, rules):
    """Every weight that the table keeps comes back with the same bits."""
    back = to_torch(variables, rules)
    for rule in rules:
        if rule.path is not None:
            np.testing.assert_array_equal(back[rule.key], state[rule.key], rule.key)


def detection(name, variables):
    """What a detector of the catalog gives for the recipe's two images.

    Its operations run one by one: XLA's CPU takes long to compile the plain modules in one program.
    """
    entry = catalog.get(name)
    images = catalog.normalise_images(jnp.asarray(recipe.images(2)), entry)
    with jax.default_matmul_precision('highest'):
        return entry.build(17).apply(variables, images)


def assert_like_golden(file, name, actual):
    """1e-4 of the largest value: float32 sums in another order, through up to 60 layers."""
    golden, actual = np.load(GOLDENS / f'{file}.npz'), np.asarray(actual)
    assert actual.shape == tuple(golden[f'{name}/shape'])
    tolerance = 1e-4 * golden[f'{name}/largest']
    values = actual.reshape(-1)[golden[f'{name}/index']]
    np.testing.assert_allclose(values, golden[f'{name}/value'], rtol=0, atol=tolerance)
    if f'{name}/channel_mean' in golden:
        mean = actual.mean(axis=(0, 1, 2))
        np.testing.assert_allclose(mean, golden[f'{name}/channel_mean'], rtol=0, atol=tolerance)


def small_network(model, rules, captured):
    """(Detection, intermediates) on the recipe's weights and the image of detector_blocks.py.

    `captured(module, method)` says whose outputs are intermediates.
    """
    images = recipe.images(1, 64, 32).astype(np.float32) - 128
    variables = recipe_variables(rules, shapes_of(model, images.shape))
    options = {'capture_intermediates': captured, 'mutable': ['intermediates']}
    with jax.default_matmul_precision('highest'):
        run = jax.jit(lambda *arguments: model.apply(*arguments, **options))
        detection, state = run(variables, images)
    return detection, state['intermediates']


def assert_like_block(name, actual):
    """A small part against PyTorch's own: 1e-6 of the largest value, float32 rounding."""
    assert_equals_pytorch('detector_blocks', name, actual, 1e-6)


def assert_like_small_network(name, actual, file='detector_blocks'):
    """A stage of a small network against PyTorch's own: 3e-6 of the largest value.

    Over twelve seeds, PyTorch's float32 is up to 1.2e-6 of it off its own float64, and ours up to
    1.2e-6 off PyTorch's.
    """
    assert_equals_pytorch(file, name, actual, 3e-6)


def assert_equals_pytorch(file, name, actual, of_largest):
    golden = np.load(GOLDENS / f'{file}.npz')[name]
    np.testing.assert_allclose(actual, golden, rtol=0, atol=of_largest * np.abs(golden).max())


# Networks of the catalog, for tests that take long with each of them. Those which differ from
# another only in width, depth, origin or name run with the slow tests.
ALIKE = (
    'hrnet',
    *('hrnet_w48', 'hrnet_w32_imagenet', 'hrnet_w48_imagenet'),
    *('vitpose', 'vitpose_s', 'vitpose_l', 'vitpose_h'),
    'simplebaseline',
)
CATALOG = tuple(
    pytest.param(name, marks=pytest.mark.slow if name in ALIKE else ()) for name in catalog.names()
)


def random_variables(model, images=(2, 64, 64, 3)):
    """Parameters and statistics, none of them trivial, that keep a network's maps in range."""
    random = np.random.default_rng(0)

    def draw(path, leaf):
        name = path[-1].key
        if name == 'kernel':
            deviation = (2 / np.prod(leaf.shape[:-1])) ** 0.5
            return (deviation * random.standard_normal(leaf.shape)).astype(np.float32)
        low, high = {'scale': (0.5, 1.5), 'var': (0.5, 1.5)}.get(name, (-0.5, 0.5))
        return random.uniform(low, high, leaf.shape).astype(np.float32)

    return jax.tree.map_with_path(draw, shapes_of(model, images))
