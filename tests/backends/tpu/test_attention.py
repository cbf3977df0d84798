"""Attention among few tokens as a TPU runs it equals the plain formula, in gradients too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.backends.tpu import attention, replacements
from capf_jax.models import transformer
from capf_jax.models.transformer import SelfAttention

GROUPS, CHANNELS, HEADS = (2, 3), 16, 4


def _tokens(number, dtype=np.float32, seed=0):
    random = np.random.default_rng(seed)
    return jnp.asarray(random.normal(size=(*GROUPS, number, CHANNELS)), dtype)


def _variables(module, x):
    random = np.random.default_rng(1)
    shapes = jax.eval_shape(module.init, jax.random.key(0), x)
    return jax.tree.map(lambda leaf: random.normal(0, 0.3, leaf.shape).astype(np.float32), shapes)


def test_the_gradients_of_all_three_inputs_are_those_of_the_plain_attention():
    inputs = [_tokens(5, seed=seed) for seed in range(3)]

    def gradients(attend):
        return jax.jit(jax.grad(lambda *x: jnp.sum(jnp.sin(attend(*x, HEADS))), (0, 1, 2)))(*inputs)

    pairs = zip(
        gradients(attention.attention_among_few), gradients(transformer.attention), strict=True
    )
    for ours, plain in pairs:
        np.testing.assert_allclose(ours, plain, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('tokens', [1, 5, attention.FEW_TOKENS])
def test_a_module_gives_the_same_with_its_replacement(tokens):
    module, x = SelfAttention(HEADS), _tokens(tokens)
    variables = _variables(module, x)
    with replacements.active():
        ours = module.apply(variables, x)
    np.testing.assert_allclose(ours, module.apply(variables, x), rtol=1e-5, atol=1e-5)


def test_bfloat16_stays_bfloat16():
    module, x = SelfAttention(HEADS, jnp.bfloat16), _tokens(5, jnp.bfloat16)
    with replacements.active():
        ours = module.apply(_variables(module, x), x)
    assert ours.dtype == jnp.bfloat16


def test_more_tokens_run_the_plain_attention():
    module, x = SelfAttention(HEADS), _tokens(attention.FEW_TOKENS + 1)
    variables = _variables(module, x)
    plain = jax.make_jaxpr(module.apply)(variables, x)
    with replacements.active():
        assert str(jax.make_jaxpr(lambda *a: module.apply(*a))(variables, x)) == str(plain)


def test_parameters_are_those_of_the_plain_module():
    module, x = SelfAttention(HEADS), _tokens(5)
    plain = module.init(jax.random.key(0), x)
    with replacements.active():
        ours = module.init(jax.random.key(0), x)
    jax.tree.map(np.testing.assert_array_equal, ours, plain)
