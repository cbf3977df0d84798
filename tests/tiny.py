"""A configuration, a batch and a task so small that tests which train take seconds."""

import jax
import jax.numpy as jnp
import numpy as np

from capf_jax import assembly
from capf_jax.inference import model_settings
from capf_jax.pose import skeletons
from capf_jax.pose.batch import AXIS, Batch
from capf_jax.scoring import poses
from capf_jax.tasks import optimizer
from capf_jax.tasks import task as tasks
from configs import base

HEIGHT, WIDTH, JOINTS = 64, 32, 17


def config(data_dir='data', **training):
    """The base configuration with the smallest models and data that still have every part."""
    settings = base.get_config()
    settings.data.dir = str(data_dir)
    settings.data.threads = 1
    with settings.data.builder.unlocked():
        settings.data.builder.update(
            train_size=24, test_size=6, height=HEIGHT, width=WIDTH,
            train_subjects=2, test_subjects=1, processes=1, clip_frames=0,
        )  # fmt: skip
    settings.model.detector = 'hrnet'
    settings.model.hrnet.update(
        width=4, stem_channels=4, bottlenecks=1, modules=(1, 1, 1), blocks=1
    )
    settings.model.lifter.update(
        ablation_step=1, levels=(0, 3), channels=8, layers=1, heads=2, sampling_points=2
    )
    settings.training.update(batch_size=8, epochs=2, log_steps=1, learning_rate=1e-3)
    settings.training.update(training)
    settings.evaluation.update(batch_size=4, pictures=0, every_epochs=1)
    return settings


def ca_pf(settings):
    """The whole model of a configuration."""
    return model_settings.context_aware_pose_former(
        settings.model, skeletons.get(settings.skeleton)
    )


def variables(model, people):
    """Random variables of a whole model, without compiling how they begin."""
    random = np.random.default_rng(1)

    def filled(path, leaf):
        values = random.normal(0, 0.2, leaf.shape).astype(np.float32)
        is_positive = path[-1].key in ('var', 'scale')  # variances, and factors of norms
        return 0.5 + np.abs(values) if is_positive else values

    shapes = jax.eval_shape(model.init, jax.random.key(0), people)
    return jax.tree_util.tree_map_with_path(filled, shapes)


def batch(size=4, seed=0):
    """Random people; shapes and ranges are a real batch's."""
    random = np.random.default_rng(seed)
    crop = random.uniform(0, (WIDTH - 1, HEIGHT - 1), (size, JOINTS, 2)).astype(np.float32)
    affine = np.tile(np.array([[0.2, 0, -10], [0, 0.2, -20]], np.float32), (size, 1, 1))
    pose = random.normal(0, 0.3, (size, JOINTS, 3)).astype(np.float32)
    return Batch(
        images=random.integers(0, 256, (size, HEIGHT, WIDTH, 3), np.uint8),
        joints2d=(crop - affine[:, None, :, 2]) / 0.2,
        joints2d_crop=crop,
        joints2d_crop_truth=crop,
        image_size=np.full((size, 2), 1000, np.float32),
        affine=affine,
        joints3d=pose - pose[:, :1],
        valid=np.ones(size, bool),
        index=np.arange(size, dtype=np.int32),
    )


def windowed(settings, frames=3, **model):
    """The configuration of a small CA-PF-S; `model` are fields of `config.model`."""
    settings.task = 'sequence'
    settings.data.frames = frames
    settings.model.lifter.update(ablation_step=2, deformable=False)
    settings.model.update(temporal_layers=1, temporal_heads=2, **model)
    return settings


def clips(folder, frames=3, **model):
    """The configuration of `windowed` on rendered clips of 6 frames."""
    settings = windowed(config(folder), frames, **model)
    settings.data.builder.clip_frames = 6
    return settings


def windows(size=2, frames=3, seed=0):
    """Random windows of people, whose targets are the middle frames."""
    people = batch(size * frames, seed)
    targets = np.arange(size) * frames + frames // 2
    return jax.tree.map(lambda array: array[targets], people)._replace(
        index=np.arange(size, dtype=np.int32), frames=people
    )


def linear_task(settings, steps_per_epoch=1):
    """A lifter of one matrix, for tests of what surrounds a task: it compiles at once."""
    transformation = optimizer.make_optimizer(settings.training, steps_per_epoch)

    def predict(params, people):
        inputs = people.joints2d_crop.reshape(len(people.valid), -1) / 100
        return (inputs @ params['w']).reshape(people.joints3d.shape)

    def init(key, people):
        joints = people.joints3d.shape[1]
        params = {'w': 0.01 * jax.random.normal(key, (2 * joints, 3 * joints))}
        return tasks.new_state(transformation, key, params)

    def train_step(state, people):
        (key,) = tasks.step_keys(state, 1)
        noise = tasks.random_of_sample(key, people.valid.shape[0])

        def loss_share(params):
            pose = predict(params, people) + 0.01 * noise[:, None, None]
            distances = tasks.joint_distances(pose, people.joints3d)
            return tasks.mean_over_valid(jnp.mean(distances, -1), people.valid)

        loss, gradients = jax.lax.psum(jax.value_and_grad(loss_share)(state.params), AXIS)
        return state.apply_gradients(transformation, gradients), {'loss': loss}

    def eval_step(state, people):
        pose = predict(state.params, people)
        return {'pose': pose, 'valid': people.valid, 'index': people.index}

    return tasks.Task(
        name='lifter',
        init=init,
        pretrained=lambda state: state,
        train_step=train_step,
        eval_step=eval_step,
        scorer=poses.pose_scorer(assembly.protocol(settings), skeletons.get(settings.skeleton)),
        weights=lambda state: {'lifter': {'params': state.params}, 'detector': state.frozen},
        loaded=lambda weights: weights['lifter']['params'],
        weight_metadata={'kind': 'ca_pf', 'name': 'ca_pf'},
        takes_joints2d=True,
    )
