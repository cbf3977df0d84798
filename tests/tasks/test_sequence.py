"""A training step of the sequence lifters: what moves, what stays frozen, and what a file holds."""

import jax
import numpy as np
import pytest

from capf_jax import assembly
from capf_jax.inference import weight_files
from capf_jax.pose import skeletons
from capf_jax.pose.flip import flip_batch
from capf_jax.runtime import devices
from tests import tiny


def one_step(config, batch):
    """The task, its state before and after one step, and that step's metrics."""
    task = assembly.make_task(config)
    before = task.init(jax.random.PRNGKey(0), batch)
    step = devices.train_step(task.train_step)
    after, metrics = step(devices.replicate(before), devices.shard(batch))
    return task, before, devices.to_host(after), metrics


def still(before, after):
    moved = jax.tree.map(lambda a, b: bool(np.any(np.asarray(a) != b)), before, after)
    return [path for path, changed in jax.tree.leaves_with_path(moved) if not changed]


@pytest.fixture(scope='module')
def ca_pf_s():
    config = tiny.windowed(tiny.config(), projection_channels=4)
    return config, *one_step(config, tiny.windows())


def test_the_lifter_of_windows_learns_on_a_frozen_detector_and_projection(ca_pf_s):
    _, _, before, after, metrics = ca_pf_s
    assert not still(before.params, after.params)
    assert 'projection' in before.frozen
    jax.tree.map(np.testing.assert_array_equal, before.frozen, after.frozen)
    assert np.isfinite(metrics['loss'])


def test_a_mirrored_window_has_the_mirrored_pose(ca_pf_s):
    config, task, before, _, _ = ca_pf_s
    joint_set, batch = skeletons.get(config.skeleton), tiny.windows()
    mirrored = flip_batch(batch, np.ones(2, bool), joint_set)
    evaluate = devices.eval_step(task.eval_step)
    plain, other = evaluate(before, batch)['pose'], evaluate(before, mirrored)['pose']
    back = other[:, list(joint_set.flip)] * np.float32([-1, 1, 1])
    np.testing.assert_allclose(back, plain, atol=1e-5)


def test_a_state_of_its_weight_file_evaluates_as_the_one_that_wrote_it(ca_pf_s):
    _, task, _, after, _ = ca_pf_s
    evaluate = devices.eval_step(task.eval_step)
    again = devices.replicate(task.loaded(task.weights(after)))
    expected = evaluate(devices.replicate(after), tiny.windows())['pose']
    np.testing.assert_array_equal(evaluate(again, tiny.windows())['pose'], expected)
    metadata = task.weight_metadata
    assert (metadata['kind'], metadata['frames'], metadata['causal']) == ('ca_pf_s', 3, False)


def test_the_projection_of_a_single_frame_lifter_is_kept(tmp_path):
    single = tiny.windowed(tiny.config(), frames=1)
    task = assembly.make_task(single)
    batch = tiny.batch(1)._replace(frames=tiny.batch(1))
    state = task.init(jax.random.PRNGKey(1), batch)
    path = tmp_path / 'single.safetensors'
    metadata = {
        'skeleton': single.skeleton, 'model': single.model.to_dict(), **task.weight_metadata,
    }  # fmt: skip
    weight_files.save_weights(path, devices.to_host(task.weights(state)), metadata)

    kept = tiny.windowed(tiny.config(), projection_channels=8, projection_weights=str(path))
    task, batch = assembly.make_task(kept), tiny.windows()
    begun = task.pretrained(task.init(jax.random.PRNGKey(0), batch))
    projection = begun.frozen['projection']['params']
    assert projection.keys() == {'context_embedding_0', 'context_embedding_1'}
    for name, layer in projection.items():
        np.testing.assert_array_equal(layer['kernel'], state.params[name]['kernel'])

    other = tiny.windowed(tiny.config(), projection_channels=6, projection_weights=str(path))
    task = assembly.make_task(other)
    with pytest.raises(ValueError, match=r'holds no projection .* to 6 numbers a level'):
        task.pretrained(task.init(jax.random.PRNGKey(0), batch))


def test_poseformer_learns_from_coordinates_without_pictures():
    config = tiny.windowed(tiny.config(), sequence_lifter='poseformer')
    config.data.pictures = False
    batch = tiny.windows()
    without = batch.images[..., :0]
    frames = batch.frames._replace(images=batch.frames.images[..., :0])
    task, before, after, metrics = one_step(config, batch._replace(images=without, frames=frames))
    assert not still(before.params, after.params)
    assert before.frozen == {}
    assert np.isfinite(metrics['loss'])
    assert task.weight_metadata['model']['frames'] == 3
    assert task.weights(after).keys() == {'params'}


def test_pictures_that_are_needed_cannot_be_left_out():
    config = tiny.windowed(tiny.config())
    config.data.pictures = False
    with pytest.raises(ValueError, match=r'config\.data\.pictures is False, but the lifter needs'):
        assembly.make_task(config)


def test_poseformer_has_no_heatmaps_to_look_at():
    config = tiny.windowed(tiny.config(), sequence_lifter='poseformer')
    config.model.lifter.robust = ('noise', 'reading')
    with pytest.raises(ValueError, match=r'config\.model\.lifter\.robust .* PoseFormer sees no'):
        assembly.make_task(config)


def test_a_projection_and_deformable_extraction_exclude_each_other():
    config = tiny.windowed(tiny.config(), projection_channels=8)
    config.model.lifter.update(ablation_step=3, deformable=True)
    with pytest.raises(ValueError, match='deformable extraction looks around in the maps'):
        assembly.make_task(config)
