"""The layers of a transformer block: what PyTorch draws, what drop path leaves out, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.models.transformer import DropPath, TransformerBlock, attention, dense


def test_attention_is_the_softmax_of_scaled_products_of_each_head():
    query, key, value = np.random.default_rng(0).normal(size=(3, 2, 5, 6)).astype(np.float32)
    mixed = attention(query, key, value, heads=2)
    for head in (slice(0, 3), slice(3, 6)):
        scores = query[0, :, head] @ key[0, :, head].T / np.sqrt(3)
        weights = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
        np.testing.assert_allclose(mixed[0, :, head], weights @ value[0, :, head], atol=1e-6)


def test_a_dense_layer_starts_within_pytorchs_bound():
    layer = dense(16, 1000)
    params = layer.init(jax.random.key(0), np.zeros((1, 16)))['params']
    for leaf in jax.tree.leaves(params):
        assert 0.24 < np.abs(leaf).max() <= 0.25


def test_drop_path_scales_what_it_keeps_up_and_leaves_whole_samples_out():
    x = np.ones((64, 3, 2), np.float32)
    dropped = DropPath(0.5).apply({}, x, train=True, rngs={'drop_path': jax.random.key(0)})
    assert {tuple(np.unique(sample)) for sample in np.asarray(dropped)} == {(0.0,), (2.0,)}


def test_drop_path_of_two_axes_leaves_single_joints_of_a_sample_out():
    x = np.ones((16, 17, 3, 2), np.float32)
    drop_path = DropPath(0.5, axes=2)
    dropped = drop_path.apply({}, x, train=True, rngs={'drop_path': jax.random.key(0)})
    joints = np.asarray(dropped).reshape(16, 17, -1)
    assert {tuple(np.unique(joint)) for joint in joints.reshape(-1, 6)} == {(0.0,), (2.0,)}
    assert all(len(np.unique(sample)) == 2 for sample in joints)


def test_channels_that_do_not_divide_among_the_heads_are_an_error():
    tokens = np.zeros((1, 3, 10), np.float32)
    with pytest.raises(ValueError, match='10 channels cannot be shared out among 4 attention'):
        TransformerBlock(heads=4, mlp_ratio=2).init(jax.random.key(0), tokens)


def test_a_block_computes_in_its_type_with_float32_parameters():
    block = TransformerBlock(heads=2, mlp_ratio=2, dtype=jnp.bfloat16)
    tokens = jnp.zeros((1, 3, 8), jnp.bfloat16)
    out, variables = jax.eval_shape(block.init_with_output, jax.random.key(0), tokens)
    assert out.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype(jnp.float32)}
