"""Sampling agrees with torch.nn.functional.grid_sample, forward and both gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from capf_jax.backends.cpu import sampling
from capf_jax.models.grid_sample import grid_sample
from tests import compiling

WAYS = {'plain': grid_sample, 'cpu': sampling.grid_sample}
MODES = [(padding, align) for padding in ('zeros', 'border') for align in (True, False)]


def _points(rng, height, width):
    """Points inside, just and far outside, on every pixel, half pixel and border: [1, N, 2]."""
    inside = rng.uniform(-1, 1, (200, 2))
    around = rng.uniform(-3, 3, (200, 2))
    far = np.array([[1e4, 0], [0, -1e4], [-1e9, 1e9], [1e7, 0.3], [-1.5, -9e8]])
    grids = [np.linspace(-1, 1, n) for n in (width, height, 2 * width + 1, 2 * height + 1)]
    aligned = np.stack(np.meshgrid(grids[0], grids[1]), -1).reshape(-1, 2)
    halves = np.stack(np.meshgrid(grids[2], grids[3]), -1).reshape(-1, 2)
    return np.concatenate([inside, around, far, aligned, 1.5 * halves])[None].astype(np.float32)


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def sample(request):
    """Sampling by the plain formula, and as the CPU's room does it."""
    return request.param


def _sample_and_gradients(sample, maps, points, cotangent, padding, align):
    samples, pullback = jax.vjp(lambda m, p: sample(m, p, padding, align), maps, points)
    return samples, *pullback(cotangent)


def _torch_sample(maps, points, cotangent, padding, align):
    maps = torch.tensor(maps.transpose(0, 3, 1, 2), requires_grad=True)
    points = torch.tensor(points[:, :, None], requires_grad=True)
    out = torch.nn.functional.grid_sample(
        maps, points, padding_mode=padding, align_corners=align, mode='bilinear'
    )
    out = out[..., 0].transpose(1, 2)
    out.backward(torch.tensor(cotangent))
    return (
        out.detach().numpy(),
        maps.grad.numpy().transpose(0, 2, 3, 1),
        points.grad.numpy()[:, :, 0],
    )


@pytest.mark.parametrize(('padding', 'align'), MODES)
@pytest.mark.parametrize('size', [(9, 5), (64, 48), (3, 1)])
def test_agrees_with_torch_forward_and_in_both_gradients(sample, size, padding, align):
    rng = np.random.default_rng(0)
    maps = rng.standard_normal((2, *size, 3)).astype(np.float32)
    points = np.concatenate([_points(rng, 9, 5), -0.7 * _points(rng, 9, 5)])
    cotangent = rng.standard_normal((*points.shape[:-1], 3)).astype(np.float32)
    compiled = jax.jit(
        _sample_and_gradients,
        static_argnums=(0, 4, 5),
        compiler_options=compiling.as_for_users(),
    )
    ours = compiled(sample, maps, points, cotangent, padding, align)
    theirs = _torch_sample(maps, points, cotangent, padding, align)
    for name, our, their in zip(('samples', 'd maps', 'd points'), ours, theirs, strict=True):
        np.testing.assert_allclose(our, their, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize('shape', [(2,), (5, 2), (17, 4, 3, 2), (2, 0, 2)])
def test_takes_any_leading_point_dimensions(sample, shape):
    rng = np.random.default_rng(1)
    maps = rng.standard_normal((2, 6, 7, 3)).astype(np.float32)
    points = rng.uniform(-1, 1, (2, *shape)).astype(np.float32)
    flat = sample(maps, points.reshape(2, -1, 2))
    samples = sample(maps, points)
    assert samples.shape == (2, *shape[:-1], 3)
    np.testing.assert_array_equal(samples, flat.reshape(samples.shape))


def test_bfloat16_maps_give_bfloat16_samples_at_float32_positions(sample):
    rng = np.random.default_rng(2)
    maps = jnp.asarray(rng.standard_normal((1, 64, 48, 4)), jnp.bfloat16)
    points = rng.uniform(-1, 1, (1, 50, 2)).astype(np.float32)
    samples = sample(maps, points)
    assert samples.dtype == jnp.bfloat16
    exact = sample(maps.astype(jnp.float32), points)
    np.testing.assert_allclose(samples.astype(jnp.float32), exact, rtol=2**-8)


@pytest.mark.parametrize(('padding', 'align'), MODES)
def test_nan_points_give_nan_and_leave_the_others_alone(sample, padding, align):
    maps = np.ones((1, 4, 4, 2), np.float32)
    nan = np.nan
    points = np.array([[[nan, 0.0], [0.0, nan], [nan, 9.0], [0.2, 0.1]]], np.float32)
    samples = np.asarray(sample(maps, points, padding, align))
    assert np.isnan(samples[0, :3]).all()
    np.testing.assert_allclose(samples[0, 3], 1.0, rtol=1e-6)


@pytest.mark.parametrize('padding', ['zeros', 'border'])
def test_infinite_points_lie_outside(sample, padding):
    maps = np.full((1, 4, 4, 2), 3.0, np.float32)
    points = np.array([[[np.inf, 0.0], [0.0, -np.inf]]], np.float32)
    expected = 0.0 if padding == 'zeros' else 3.0
    np.testing.assert_array_equal(sample(maps, points, padding), np.full((1, 2, 2), expected))


def test_jit_and_vmap_change_nothing(sample):
    rng = np.random.default_rng(3)
    maps = rng.standard_normal((3, 2, 6, 7, 3)).astype(np.float32)
    points = rng.uniform(-2, 2, (3, 2, 5, 2)).astype(np.float32)
    mapped = jax.jit(jax.vmap(sample))(maps, points)
    one_by_one = [sample(*pair) for pair in zip(maps, points, strict=True)]
    np.testing.assert_allclose(mapped, np.stack(one_by_one), atol=1e-6)


def test_unknown_padding_mode_is_named():
    with pytest.raises(ValueError, match="'reflection'"):
        grid_sample(np.zeros((1, 2, 2, 1)), np.zeros((1, 1, 2)), 'reflection')


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r'\(2, 4, 4, 1\).*\(3, 5, 2\)'):
        grid_sample(np.zeros((2, 4, 4, 1)), np.zeros((3, 5, 2)))


def test_a_map_whose_pixels_float32_cannot_number_is_sampled_on_a_cpu_too():
    maps, points = (jax.ShapeDtypeStruct(s, jnp.float32) for s in ((1, 4097, 4096, 1), (1, 5, 2)))
    assert jax.eval_shape(sampling.grid_sample, maps, points).shape == (1, 5, 1)


def test_an_identity_grid_under_jit_gives_the_map_back(sample):
    # Inside one jit XLA may fuse the making of the grid into the sampling, and round twice.
    maps = np.random.default_rng(0).normal(size=(1, 64, 32, 1)).astype(np.float32)

    @jax.jit
    def identity(maps, shift):
        middle = jnp.array([31, 63]) / 2
        columns, rows = jnp.meshgrid(jnp.arange(32), jnp.arange(64))
        pixels = jnp.stack([columns, rows], axis=-1)[None] + shift
        return sample(maps, (pixels - middle) / middle)

    np.testing.assert_allclose(identity(maps, 0.0), maps, atol=1e-4)
