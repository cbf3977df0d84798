"""Attention among few tokens is attention, only laid out differently."""

import jax
import numpy as np
import pytest

from capf_jax.models.layers import TransformerBlock, attention, attention_among_few


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
