"""Layers written in another way are still those layers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from capf_jax.models.layers import (
    Linear,
    TransformerBlock,
    _weighted_sum_linear,
    attention,
    attention_among_few,
    gelu,
)


def _query_key_value(shape):
    random = np.random.default_rng(0)
    return [random.normal(size=shape).astype(np.float32) for _ in range(3)]


@pytest.mark.parametrize('shape', [(3, 4, 5, 8), (2, 1, 6)])
def test_both_forms_of_attention_agree(shape):
    inputs = _query_key_value(shape)
    np.testing.assert_allclose(
        attention_among_few(*inputs, heads=2), attention(*inputs, heads=2), atol=1e-6
    )


def test_both_forms_of_attention_have_the_same_gradients():
    inputs = _query_key_value((3, 5, 8))

    def gradients(attend):
        return jax.grad(lambda *x: (attend(*x, heads=2) ** 2).sum(), (0, 1, 2))(*inputs)

    for few, many in zip(gradients(attention_among_few), gradients(attention), strict=True):
        np.testing.assert_allclose(few, many, atol=1e-5)


def test_channels_that_do_not_divide_among_the_heads_are_an_error():
    tokens = np.zeros((1, 3, 10), np.float32)
    with pytest.raises(ValueError, match='10 channels cannot be shared out among 4 attention'):
        TransformerBlock(heads=4, mlp_ratio=2).init(jax.random.key(0), tokens)


def test_weighted_sums_of_a_dense_layer_have_the_gradient_of_their_parts():
    rng = np.random.default_rng(0)
    shapes = (6, 4, 5), (6, 4), (5, 3), (3,)
    given = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    towards = rng.standard_normal((6, 3)).astype(np.float32)

    def plain(x, weights, kernel, bias):
        return ((x @ kernel + bias) * weights[..., None]).sum(axis=1)

    gradients = [
        jax.grad(lambda *args, f=f: (f(*args) * towards).sum(), argnums=(0, 1, 2, 3))(*given)
        for f in (_weighted_sum_linear, plain)
    ]
    for ours, expected in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)


def test_gelu_is_the_exact_one():
    x = np.linspace(-6, 6, 101, dtype=np.float32)
    np.testing.assert_allclose(gelu(x), nn.gelu(x, approximate=False), atol=1e-6)


def test_gelu_of_half_precision_is_worked_out_in_float32():
    x = jnp.linspace(-4, 4, 65, dtype=jnp.bfloat16)
    exact = nn.gelu(x.astype(jnp.float32), approximate=False)
    found = gelu(x)
    assert found.dtype == jnp.bfloat16
    np.testing.assert_allclose(found.astype(jnp.float32), exact, rtol=0.005)


def test_a_row_that_is_left_out_gives_nothing_and_the_others_are_scaled_up():
    x = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    layer = Linear(2)
    variables = layer.init(jax.random.key(0), x)
    keep = np.array([[0], [2], [1], [0.5]], np.float32)
    np.testing.assert_allclose(
        layer.apply(variables, x, keep), keep * layer.apply(variables, x), rtol=1e-5, atol=1e-6
    )
