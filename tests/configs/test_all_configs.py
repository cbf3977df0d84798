"""Every configuration: a training and an evaluation step, traced without computing."""

import importlib
import pathlib

import jax
import jax.numpy as jnp
import pytest

from capf_jax import configuration, evaluate, skeleton
from capf_jax.batch import Batch
from capf_jax.steps import AXIS

FOLDER = pathlib.Path(__file__).resolve().parents[2] / 'configs'
NAMES = sorted(
    p.stem for p in FOLDER.glob('*.py') if p.stem not in ('__init__', 'arguments', 'base')
)
PUBLISHED = [name for name in NAMES if name.startswith(('human36m', 'mpi_inf_3dhp'))]


def get_config(name, arg=''):
    config = importlib.import_module(f'configs.{name}').get_config(arg)
    config.model.detector_weights = ''  # weight files are downloaded
    return config


def abstract_batch(config, size=2):
    """Shapes and types of a batch of the dataset that the configuration names."""
    joints = len(skeleton.get(config.skeleton))
    height, width = (config.data.builder.get(n, d) for n, d in (('height', 256), ('width', 192)))

    def floats(*shape):
        return jax.ShapeDtypeStruct((size, *shape), jnp.float32)

    return Batch(
        images=jax.ShapeDtypeStruct((size, height, width, 3), jnp.uint8),
        joints2d=floats(joints, 2),
        joints2d_crop=floats(joints, 2),
        joints2d_crop_truth=floats(joints, 2),
        image_size=floats(2),
        affine=floats(2, 3),
        joints3d=floats(joints, 3),
        valid=jax.ShapeDtypeStruct((size,), bool),
        index=jax.ShapeDtypeStruct((size,), jnp.int32),
    )


def check_steps(config):
    """Traces both steps; their outputs have the shapes that they should have."""
    configuration.check_values(config)
    task, batch = evaluate.make_task(config), abstract_batch(config)
    state = jax.eval_shape(task.init, jax.random.PRNGKey(0), batch)

    one_shard = jax.vmap(task.train_step, in_axes=(None, 0), out_axes=None, axis_name=AXIS)
    sharded = jax.tree.map(lambda x: jax.ShapeDtypeStruct((1, *x.shape), x.dtype), batch)
    after, metrics = jax.eval_shape(one_shard, state, sharded)
    assert jax.tree.map(lambda x: (x.shape, x.dtype), after) == jax.tree.map(
        lambda x: (x.shape, x.dtype), state
    )
    assert metrics['loss'].shape == ()

    outputs = jax.eval_shape(task.eval_step, state, batch)
    if config.task == 'lifter':
        assert outputs['pose'].shape == batch.joints3d.shape
    else:
        assert outputs['joints2d_crop'].shape == batch.joints2d_crop.shape


@pytest.mark.parametrize('name', NAMES)
def test_a_training_and_an_evaluation_step_trace(name):
    check_steps(get_config(name))
