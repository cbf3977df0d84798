"""Short seeded runs of both tasks that beat what can be said without any input.

The people are toys, so that a minute suffices.
"""

import jax
import numpy as np

from capf_jax import assembly
from capf_jax.runtime import devices
from tests import tiny

SIZE = 16  # people in a batch


def toy_joints(random):
    """Fixed joint positions [J, 2] in the middle of the crop, pixels."""
    middle = np.array([tiny.WIDTH, tiny.HEIGHT]) / 2
    return (middle + random.uniform(-4, 4, (tiny.JOINTS, 2))).astype(np.float32)


def people_that_bend(seed):
    """People whose depth can be told from their 2D joints, since both follow from how they bend."""
    fixed, random = np.random.default_rng(0), np.random.default_rng([1, seed])
    bend = random.uniform(-1, 1, (SIZE, 1)).astype(np.float32)
    crop = np.tile(toy_joints(fixed), (SIZE, 1, 1))
    crop += bend[..., None] * fixed.uniform(-6, 6, (tiny.JOINTS, 2)).astype(np.float32)
    pose = np.tile(fixed.normal(0, 0.3, (tiny.JOINTS, 3)).astype(np.float32), (SIZE, 1, 1))
    pose[..., 2] += bend * fixed.uniform(-1, 1, tiny.JOINTS).astype(np.float32)
    return tiny.batch(SIZE)._replace(
        joints2d=10 * crop + 1,
        image_size=np.full((SIZE, 2), (10 * tiny.WIDTH, 10 * tiny.HEIGHT), np.float32),
        joints2d_crop=crop,
        joints2d_crop_truth=crop,
        joints3d=pose - pose[:, :1],
    )


def people_somewhere(seed):
    """People that are a bright spot; their joints keep their places around it."""
    fixed, random = np.random.default_rng(0), np.random.default_rng([2, seed])
    shift = random.uniform((-9, -20), (9, 20), (SIZE, 1, 2)).astype(np.float32)
    crop = toy_joints(fixed) + shift
    middle = np.array([tiny.WIDTH, tiny.HEIGHT]) / 2 + shift[:, 0]
    rows, columns = np.mgrid[: tiny.HEIGHT, : tiny.WIDTH]
    square = (columns - middle[:, :1, None]) ** 2 + (rows - middle[:, 1:, None]) ** 2
    spot = (255 * np.exp(-square / (2 * 3.0**2))).astype(np.uint8)
    images = np.repeat(spot[..., None], 3, axis=-1)
    return tiny.batch(SIZE)._replace(
        images=images, joints2d_crop=crop, joints2d_crop_truth=crop, joints2d=5 * crop
    )


def trained(config, people, steps):
    """The task and its state after so many steps, each on new people."""
    task = assembly.make_task(config, steps_per_epoch=steps)
    state = devices.replicate(task.init(jax.random.PRNGKey(0), people(0)))
    step = devices.train_step(task.train_step)
    for number in range(steps):
        state, _ = step(state, devices.shard(people(number)))
    return task, state


def test_the_lifter_beats_the_mean_pose_by_two_thirds():
    config = tiny.config(learning_rate=3e-3, weight_decay=0.0, flip_probability=0.0)
    config.model.lifter.update(ablation_step=0, drop_path=0.0, channels=16)
    config.evaluation.flip_test = False
    task, state = trained(config, people_that_bend, steps=400)
    test = people_that_bend(1000)
    pose = devices.eval_step(task.eval_step)(state, test)['pose']
    mean = np.mean([people_that_bend(number).joints3d.mean(0) for number in range(60)], axis=0)
    error = np.linalg.norm(pose - test.joints3d, axis=-1).mean()
    baseline = np.linalg.norm(mean - test.joints3d, axis=-1).mean()
    assert error < baseline / 3


def test_the_detector_beats_the_mean_joint_position_by_two_thirds():
    config = tiny.config(learning_rate=1e-2, weight_decay=0.0, flip_probability=0.0)
    config.task = 'detector'
    config.detection.update(max_rotation=0.0, max_scale=0.0, max_shift=0.0, max_gain=0.0)
    task, state = trained(config, people_somewhere, steps=60)
    test = people_somewhere(1000)
    joints = devices.eval_step(task.eval_step)(state, test)['joints2d_crop']
    mean = np.mean([people_somewhere(number).joints2d_crop.mean(0) for number in range(60)], axis=0)
    error = np.linalg.norm(joints - test.joints2d_crop_truth, axis=-1).mean()
    baseline = np.linalg.norm(mean - test.joints2d_crop_truth, axis=-1).mean()
    assert error < baseline / 3
