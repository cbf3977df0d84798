"""The lifter and PoseFormer as a CPU runs them equal the plain formulas, in gradients too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.backends import programs
from capf_jax.backends.cpu import lifter_modules, tricks
from capf_jax.models import transformer
from capf_jax.models.lifter import Lifter
from capf_jax.models.poseformer import PoseFormer
from capf_jax.models.temporal import TemporalLifter

MAPS = ((8, 6, 16), (4, 3, 32))
PEOPLE = 3
SMALL = {'levels': (0, 1), 'channels': 16, 'layers': 1, 'heads': 4}
DROPPING = {**SMALL, 'layers': 2, 'drop_path': 0.5}
CASES = {  # lifter, and whether it is in training mode
    'coordinates alone': (Lifter(ablation_step=0, **SMALL), False),
    'sampled context': (Lifter(ablation_step=1, **SMALL), False),
    'fusion': (Lifter(ablation_step=2, **SMALL), False),
    'deformable extraction': (Lifter(**SMALL), False),
    'of few joints': (Lifter(num_joints=5, **SMALL), False),
    'drop path': (Lifter(**DROPPING), True),
    'three frames': (TemporalLifter(frames=3, temporal_layers=1, temporal_heads=4, **SMALL), True),
}
# In other cases, as deformable extraction is in 'drop path'; they run with the slow tests.
CONTAINED = ('sampled context', 'fusion', 'deformable extraction', 'of few joints')
POSE = 1e-5  # metres, a tenth of the parity tests' tolerance
# Tolerance as a share of each parameter's largest gradient; that of the parity tests is 1e-3. Some
# gradients are 0 but for rounding, such as that of a bias before a LayerNorm: they may differ by
# this share of the largest gradient of all.
GRADIENT, ROUNDING = 1e-4, 1e-5


def _inputs(lifter):
    random = np.random.default_rng(0)
    joints2d, crop = random.uniform(-1, 1, (2, PEOPLE, lifter.num_joints, 2)).astype(np.float32)
    return joints2d, crop, [random.normal(size=(PEOPLE, *size)).astype(np.float32) for size in MAPS]


def _filled(module, inputs):
    """Random variables of the module, without compiling how they begin."""
    random = np.random.default_rng(1)
    shapes = jax.eval_shape(module.init, jax.random.key(0), *inputs)
    return jax.tree.map(lambda leaf: random.normal(0, 0.2, leaf.shape).astype(np.float32), shapes)


def _pose_and_gradients(module, variables, inputs, train):
    def loss(variables):
        pose, _ = module.apply(
            variables, *inputs, train=train, rngs={'drop_path': jax.random.key(2)}
        )
        return jnp.square(pose).sum(), pose

    with jax.default_matmul_precision('highest'):
        gradients, pose = jax.grad(loss, has_aux=True)(variables)
    return pose, gradients


def _assert_equal(module, inputs, train):
    variables = _filled(module, inputs)

    def run(variables):
        return _pose_and_gradients(module, variables, inputs, train)

    plain_pose, plain = jax.jit(run)(variables)
    pose, ours = programs.jit(run)(variables)
    np.testing.assert_allclose(pose, plain_pose, rtol=0, atol=POSE)
    largest = max(np.abs(leaf).max() for leaf in jax.tree.leaves(plain))
    for (path, one), expected in zip(
        jax.tree.leaves_with_path(ours), jax.tree.leaves(plain), strict=True
    ):
        tolerance = GRADIENT * np.abs(expected).max() + ROUNDING * largest
        name = jax.tree_util.keystr(path)
        np.testing.assert_allclose(one, expected, rtol=0, atol=tolerance, err_msg=name)


@pytest.mark.parametrize(
    ('lifter', 'train'),
    [
        pytest.param(*case, id=name, marks=pytest.mark.slow if name in CONTAINED else ())
        for name, case in CASES.items()
    ],
)
def test_the_lifter_is_the_same(lifter, train):
    _assert_equal(lifter, _inputs(lifter), train)


@pytest.mark.parametrize('train', [False, True])
def test_poseformer_is_the_same(train):
    model = PoseFormer(num_joints=9, frames=3, channels=8, layers=2, heads=2, drop_path=0.5)
    joints = np.random.default_rng(0).uniform(-1, 1, (PEOPLE, 3, 9, 2)).astype(np.float32)
    _assert_equal(model, (joints,), train)


def test_initial_parameters_are_the_same():
    lifter = Lifter(ablation_step=2, **SMALL)
    inputs = _inputs(lifter)
    plain = jax.jit(lambda key: lifter.init(key, *inputs))(jax.random.key(0))
    ours = programs.jit(lambda key: lifter.init(key, *inputs))(jax.random.key(0))
    jax.tree.map(np.testing.assert_array_equal, ours, plain)


def _query_key_value(shape):
    random = np.random.default_rng(0)
    return [random.normal(size=shape).astype(np.float32) for _ in range(3)]


@pytest.mark.parametrize('shape', [(3, 4, 5, 8), (2, 1, 6)])
def test_both_forms_of_attention_agree(shape):
    inputs = _query_key_value(shape)
    few = lifter_modules.attention_among_few(*inputs, heads=2)
    np.testing.assert_allclose(few, transformer.attention(*inputs, heads=2), atol=1e-6)


def test_without_a_trick_its_plain_form_runs():
    lifter = Lifter(**DROPPING)
    inputs = _inputs(lifter)
    variables = _filled(lifter, inputs)
    for name in ('rows', 'few_tokens', 'sum_before_product', 'sampling', 'lanes'):

        def run(variables):
            return _pose_and_gradients(lifter, variables, inputs, train=True)

        with_it = str(jax.make_jaxpr(programs.specialised(run))(variables))
        with tricks.without(name):
            without = str(jax.make_jaxpr(programs.specialised(lambda v: run(v)))(variables))
        assert with_it != without, name
