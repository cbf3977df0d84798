"""In bfloat16 the models keep float32 parameters and poses, and give nearly the same poses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.inference import model_settings
from capf_jax.models.lifter import Lifter
from capf_jax.models.poseformer import PoseFormer
from capf_jax.pose import skeletons
from tests import tiny

# Largest mean distance of the joints from those of float32, over the standard deviation of the
# poses. On a CPU 0.014 was measured for the lifter, 0.012 for PoseFormer and 0.007 for the small
# whole model.
TOLERANCE = 0.03


def filled(shapes):
    """Random variables that keep tokens as large as they are: by the inverse root of the width."""
    random = np.random.default_rng(0)

    def fill(path, leaf):
        if path[-1].key in ('scale', 'var'):
            return np.ones(leaf.shape, np.float32)
        if path[-2].key == 'sampling_offsets':  # as far as the published lifters' points lie
            return random.normal(0, 0.0055, leaf.shape).astype(np.float32)
        fan_in = np.prod(leaf.shape[:-1]) if leaf.ndim > 1 else leaf.size
        return random.normal(0, fan_in**-0.5, leaf.shape).astype(np.float32)

    return jax.tree_util.tree_map_with_path(fill, shapes)


def assert_nearly_the_same(half, single):
    assert half.dtype == jnp.float32
    error = np.linalg.norm(half - single, axis=-1).mean() / np.std(single)
    assert 0 < error < TOLERANCE


def lifter_case():
    random = np.random.default_rng(1)
    joints2d, crop = random.uniform(-1, 1, (2, 4, 17, 2)).astype(np.float32)
    maps = [random.normal(size=(4, *size)).astype(np.float32) for size in ((16, 12, 8), (8, 6, 16))]
    fields = {'levels': (0, 1), 'channels': 32, 'layers': 2, 'heads': 4}
    return Lifter(**fields), (joints2d, crop, maps)


def poseformer_case():
    joints = np.random.default_rng(1).uniform(-1, 1, (4, 3, 17, 2)).astype(np.float32)
    return PoseFormer(frames=3, channels=16, layers=2, heads=4), (joints,)


@pytest.mark.parametrize('case', [lifter_case, poseformer_case])
def test_a_lifter_gives_nearly_the_same_pose(case):
    module, inputs = case()
    variables = filled(jax.eval_shape(module.init, jax.random.key(0), *inputs))
    single, half = (
        jax.jit(lambda v, module=module: module.apply(v, *inputs)[0])(variables)
        for module in (module, module.clone(dtype=jnp.bfloat16))
    )
    assert_nearly_the_same(half, single)


def test_the_whole_model_gives_nearly_the_same_pose():
    settings = tiny.config()
    settings.model.lifter.update(ablation_step=3)
    people = tiny.batch(4)
    models = [
        model_settings.context_aware_pose_former(settings.model, skeletons.H36M17, dtype)
        for dtype in (jnp.float32, jnp.bfloat16)
    ]
    shapes = jax.eval_shape(lambda: models[1].init(jax.random.key(0), people))
    assert {leaf.dtype for leaf in jax.tree.leaves(shapes)} == {jnp.dtype(jnp.float32)}
    variables = filled(shapes)
    single, half = (
        jax.jit(lambda v, model=model: model.apply(v, people))(variables) for model in models
    )
    assert half[1]['heatmaps'].dtype == jnp.float32
    assert_nearly_the_same(half[0], single[0])
