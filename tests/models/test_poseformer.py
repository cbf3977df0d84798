"""PoseFormer: parity from a small one to the published, its table, and what its fields do."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.models.poseformer import PoseFormer
from converters import engine
from converters.poseformer_names import poseformer_rules
from tests.goldens import manifests, recipe
from tests.models.detectors import published

GOLDENS = pathlib.Path(__file__).resolve().parents[1] / 'goldens'
SMALL = PoseFormer(num_joints=5, frames=3, channels=8, layers=2, heads=2, drop_path=0.5)


def shapes_of(model):
    joints = jax.ShapeDtypeStruct((1, model.frames, model.num_joints, 2), jnp.float32)
    return jax.eval_shape(model.init, jax.random.key(0), joints)


@pytest.fixture(scope='module')
def small():
    """The small model's variables, and two sequences."""
    joints = np.random.default_rng(0).uniform(-1, 1, (2, 3, 5, 2)).astype(np.float32)
    random = np.random.default_rng(1)  # compiles nothing, as `SMALL.init` would
    draw = lambda leaf: random.normal(0, 0.3, leaf.shape).astype(np.float32)  # noqa: E731
    return jax.tree.map(draw, shapes_of(SMALL)), joints


@pytest.fixture(scope='module')
def small_stages():
    """Tokens and pose of a small model, by name, with the recipe's weights."""
    model = SMALL.clone(num_joints=9)
    joints = recipe.keypoints(6, joints=9)[0].reshape(2, 3, 9, 2)
    variables = published.recipe_variables(poseformer_rules(model), shapes_of(model))
    with jax.default_matmul_precision('highest'):
        pose, intermediates = jax.jit(model.apply)(variables, joints)
    return {**intermediates, 'pose': pose}


@pytest.mark.parity
@pytest.mark.parametrize('stage', ['spatial', 'temporal', 'pose'])
def test_stages_of_a_small_model_equal_pytorch(small_stages, stage):
    published.assert_like_small_network(stage, small_stages[stage], 'small_poseformer')


@pytest.mark.parity
@pytest.mark.parametrize('frames', [9, 81])
def test_published_weights_give_the_published_pose(frames):
    model = PoseFormer(frames=frames)
    state = recipe.state_dict(manifests.read(f'poseformer_{frames}f'))
    variables = engine.to_flax(state, poseformer_rules(model), shapes_of(model), 'PoseFormer')
    joints = recipe.keypoints(2 * frames)[0].reshape(2, frames, 17, 2)
    with jax.default_matmul_precision('highest'):
        pose, _ = jax.jit(model.apply)(variables, joints)
    golden = np.load(GOLDENS / 'poseformer.npz')[f'pose3d_{frames}f']
    # 1e-4 m: float32 sums in another order, through eight blocks.
    np.testing.assert_allclose(pose, golden.reshape(pose.shape), rtol=0, atol=1e-4)


@pytest.mark.parametrize(('frames', 'parameters'), [(9, 9_563_645), (81, 9_602_885)])
def test_number_of_parameters(frames, parameters):
    tree = shapes_of(PoseFormer(frames=frames))
    assert sum(leaf.size for leaf in jax.tree.leaves(tree)) == parameters


def test_pose_and_intermediates_have_their_shapes(small):
    variables, joints = small
    pose, intermediates = jax.eval_shape(SMALL.apply, variables, joints)
    assert pose.shape == (2, 5, 3)
    assert intermediates['spatial'].shape == (2, 3, 5, 8)
    assert intermediates['temporal'].shape == (2, 3, 40)


def test_every_frame_reaches_the_pose(small):
    variables, joints = small
    gradient = jax.jit(jax.grad(lambda x: jnp.square(SMALL.apply(variables, x)[0]).sum()))(joints)
    assert np.abs(gradient).max(axis=(2, 3)).min() > 0


def test_drop_path_acts_only_while_training(small):
    variables, joints = small

    @jax.jit
    def run(keys):
        train = [SMALL.apply(variables, joints, train=True, rngs={'drop_path': k}) for k in keys]
        return [pose for pose, _ in train], SMALL.apply(variables, joints)[0]

    trained, plain = run(list(jax.random.split(jax.random.key(1))))
    assert any(not np.allclose(pose, plain) for pose in trained)


def test_another_number_of_frames_is_named(small):
    variables, joints = small
    with pytest.raises(ValueError, match=r'\(2, 2, 5, 2\).*\[B, 3, 5, 2\]'):
        SMALL.apply(variables, joints[:, :2])
