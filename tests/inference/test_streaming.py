"""A stream gives, frame by frame, what the windows of a whole video give."""

import numpy as np
import pytest

from capf_jax.inference import streaming
from tests import tiny
from tests.inference.sequence_files import written

LENGTH = 6  # frames of the video


@pytest.fixture(scope='module')
def video():
    """joints2d normalised by the image, crops, and joints in the crops, of every frame."""
    people = tiny.batch(LENGTH)
    joints2d = (people.joints2d / 1000 * 2 - 1).astype(np.float32)
    return joints2d, people.images, people.joints2d_crop


@pytest.fixture(scope='module')
def ca_pf_s(tmp_path_factory):
    config = tiny.windowed(tiny.config(), projection_channels=4)
    return written(tmp_path_factory.mktemp('s') / 'centred.safetensors', config, tiny.windows())


@pytest.fixture(scope='module')
def deformable(tmp_path_factory):
    """The whole lifter of the paper on every frame, and the temporal head on it."""
    config = tiny.windowed(tiny.config())
    config.model.lifter.update(ablation_step=3, deformable=True)
    return written(tmp_path_factory.mktemp('d') / 'deformable.safetensors', config, tiny.windows())


@pytest.fixture(scope='module')
def poseformer(tmp_path_factory):
    config = tiny.windowed(tiny.config(), sequence_lifter='poseformer')
    config.data.causal, config.data.frame_step = True, 2
    return written(tmp_path_factory.mktemp('p') / 'causal.safetensors', config, tiny.windows())


def places(step, causal):
    """The frames [LENGTH, 3] of every frame's window, padded by repetition."""
    offsets = step * (np.arange(3) - (2 if causal else 1))
    return np.clip(np.arange(LENGTH)[:, None] + offsets, 0, LENGTH - 1)


def streamed(stream, *arrays):
    """The poses of a video, and how many there were after each frame."""
    memory, poses, numbers = streaming.START, [], []
    for frame in zip(*arrays, strict=True):
        memory, pose = stream.push(memory, *frame)
        poses += [] if pose is None else [pose]
        numbers.append(len(poses))
    return np.stack(poses + stream.finish(memory)), numbers


@pytest.mark.parametrize('flip_test', [False, True])
def test_centred_windows_come_half_a_window_late(ca_pf_s, video, flip_test):
    stream = streaming.open_stream(ca_pf_s, flip_test=flip_test)
    poses, numbers = streamed(stream, *video)
    assert numbers == [0, 1, 2, 3, 4, 5]
    windows = (array[places(1, False)] for array in video)
    expected = ca_pf_s.lift_sequence(*windows, flip_test=flip_test)
    np.testing.assert_allclose(poses, expected, atol=1e-5)


def test_the_deformable_form_streams_what_it_lifts(deformable, video):
    assert deformable.sequence_lifter.module.runs_deformable
    poses, _ = streamed(streaming.open_stream(deformable), *video)
    expected = deformable.lift_sequence(*(array[places(1, False)] for array in video))
    assert np.ptp(expected, axis=0).max() > 0.01
    np.testing.assert_allclose(poses, expected, atol=1e-5)


def test_causal_windows_come_at_once(poseformer, video):
    stream = streaming.open_stream(poseformer)
    assert (stream.delay, stream.step) == (0, 2)
    poses, numbers = streamed(stream, video[0])
    assert numbers == [1, 2, 3, 4, 5, 6]
    expected = poseformer.lift_sequence(video[0][places(2, True)])
    np.testing.assert_allclose(poses, expected, atol=1e-5)


def test_the_memory_does_not_grow_and_is_not_changed(poseformer, video):
    stream = streaming.open_stream(poseformer)
    first, _ = stream.push(streaming.START, video[0][0])
    later = first
    for joints in video[0][1:]:
        later, _ = stream.push(later, joints)
    assert later.tokens.shape == first.tokens.shape == (1, 5, tiny.JOINTS, 8)
    assert (streaming.START.number, first.number, later.number) == (0, 1, LENGTH)
    _, again = stream.push(streaming.START, video[0][0])
    np.testing.assert_array_equal(again, stream.push(streaming.START, video[0][0])[1])


def test_a_video_shorter_than_the_delay_has_all_its_poses(ca_pf_s, video):
    stream = streaming.open_stream(ca_pf_s)
    poses, numbers = streamed(stream, *(array[:1] for array in video))
    assert (numbers, poses.shape) == ([0], (1, tiny.JOINTS, 3))
    assert stream.finish(streaming.START) == []


def test_contexts_made_before_give_the_same_poses(ca_pf_s, video):
    joints2d, crops, joints2d_crop = (array[:3][None] for array in video)
    whole = ca_pf_s.sequence_lifter.whole
    variables = {
        'detector': ca_pf_s.detector.variables, 'projection': ca_pf_s.projection.variables,
    }  # fmt: skip
    made = whole.features(variables, crops[0], joints2d_crop[0])
    contexts = np.asarray(made.contexts)[None]
    assert contexts.shape == (1, 3, tiny.JOINTS, 8)
    expected = ca_pf_s.lift_sequence(joints2d, crops, joints2d_crop)
    pose = ca_pf_s.lift_sequence(joints2d, contexts=contexts)
    np.testing.assert_allclose(pose, expected, atol=1e-5)


def test_a_window_of_another_length_is_refused(ca_pf_s, video):
    with pytest.raises(ValueError, match=r'joints2d is .*; it must be float32 \[B, 3, 17, 2\]'):
        ca_pf_s.lift_sequence(video[0][None, :2])
    with pytest.raises(ValueError, match='looks at pictures: give the crops'):
        ca_pf_s.lift_sequence(video[0][None, :3])
