"""`Tracks`: arrays that agree, made of the people of each frame, and files that hold them."""

import dataclasses

import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.inference import tracks as tracks_module
from capf_jax.inference import tracks_files
from capf_jax.pose import cameras
from capf_jax.pose.cameras import Camera
from tests.inference.people_samples import CAMERA, people
from tests.inference.tracks_samples import tracks

ARRAYS = tuple(tracks_module.array_shapes(0, 0, 'h36m17'))


def assert_same(one, other):
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    for name in ('fps', 'skeleton', 'axes', 'source', 'image_size', 'camera_origin', 'unit'):
        assert getattr(one, name) == getattr(other, name)
    assert np.array_equal(one.camera.intrinsics, other.camera.intrinsics)


def test_people_of_each_frame_become_tracks_again():
    expected = tracks()
    frames = [expected.people(t) for t in range(len(expected.times))]
    assert [len(one) for one in frames[4:10]] == [2, 1, 1, 1, 1, 2]
    joined = tracks_module.of_people(frames, fps=10)
    for name in ARRAYS:
        np.testing.assert_allclose(getattr(joined, name), getattr(expected, name), err_msg=name)


def test_in_a_world_with_a_floor_the_camera_is_the_origin_of_the_people():
    rotation = np.diag([1.0, -1, -1])
    camera = dataclasses.replace(tracks().camera, rotation=rotation, position=np.array([0, 1.5, 0]))
    joints = tracks().joints3d @ rotation + camera.position
    root = tracks().root @ rotation + camera.position
    world = tracks(camera=camera, axes='y_up', joints3d=joints, root=root)
    np.testing.assert_allclose(world.joints3d_camera, tracks().joints3d, atol=1e-12)
    np.testing.assert_allclose(
        world.people(3).joints3d_camera, tracks().people(3).joints3d, atol=1e-12
    )


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'ids': [3, 3]}, 'two people of walk.mp4 have one number'),
        ({'frames': np.zeros(20, int)}, 'frames of walk.mp4 do not increase'),
        ({'valid': np.ones((2, 20), bool)}, 'of a valid person in walk.mp4 holds NaN'),
        ({'root': np.zeros((2, 19, 3))}, r'it must be numbers \[2, 20, 3\]'),
        ({'axes': 'y_up'}, 'no rotation'),
        ({'fps': -1}, 'frames per second'),
    ],
)
def test_arrays_that_do_not_agree_are_told(changes, words):
    with pytest.raises(UserError, match=words):
        tracks(**changes)


def test_times_in_whole_milliseconds_leave_the_rate_as_it_is():
    one = tracks(length=8, fps=30.0)
    assert dataclasses.replace(one, times=one.times.round(3)).fps == 30.0


@pytest.mark.parametrize(('chosen', 'rate'), [(slice(None, None, 2), 5), ([0, 1, 5], 4), ([3], 10)])
def test_the_rate_is_that_of_the_frames_that_were_taken(chosen, rate):
    assert tracks(fps=10.0).select(frames=chosen).fps == pytest.approx(rate)


def test_a_file_that_tells_the_rate_of_the_whole_video_is_read_with_that_of_its_frames(tmp_path):
    path = tmp_path / 'a.npz'
    tracks_files.write(path, tracks(fps=10.0))
    with np.load(path) as stored:
        fields = dict(stored)
    np.savez(path, **(fields | {'fps': 20.0}))  # as older versions did of --stride=2
    assert tracks_files.read(path).fps == pytest.approx(10)


def test_two_of_one_number_in_a_frame_are_told():
    with pytest.raises(UserError, match='two people in one frame'):
        tracks_module.of_people(
            [people(2, ids=np.array([1, 1]), joints2d_skeleton='h36m17')], fps=10
        )


def test_a_joint_is_sure_by_its_confidence():
    sure = tracks().sure
    assert not sure[0, :, 13].any()
    assert sure[0, :, 12].all()


def test_some_people_and_frames_are_chosen():
    chosen = tracks().select([1], slice(9, 12))
    assert (chosen.ids.tolist(), chosen.frames.tolist()) == ([7], [9, 10, 11])
    assert chosen.joints3d.shape == (1, 3, 17, 3)


@pytest.mark.parametrize('axes', ['camera', 'z_up'])
def test_a_file_is_read_back(tmp_path, axes):
    camera = tracks().camera
    if axes != 'camera':
        camera = dataclasses.replace(
            camera, rotation=np.eye(3)[[0, 2, 1]] * [[1], [-1], [1]], position=np.array([0, 0, 1.5])
        )
    written = tracks(axes=axes, camera=camera)
    again = tracks_files.read(tracks_files.write(tmp_path / 'walk.npz', written))
    assert_same(again, written)
    np.testing.assert_array_equal(again.joints3d_camera, written.joints3d_camera)


def test_a_file_of_a_newer_version_is_told(tmp_path):
    path = tmp_path / 'walk.npz'
    np.savez(path, **(tracks_files.fields_of(tracks()) | {'version': 99}))
    with pytest.raises(UserError, match='has version 99'):
        tracks_files.read(path)


def test_a_damaged_file_is_told(tmp_path):
    path = tmp_path / 'walk.npz'
    tracks_files.write(path, tracks())
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UserError, match='holds no tracks that can be read'):
        tracks_files.read(path)


def test_pickles_are_not_opened(tmp_path):
    path = tmp_path / 'walk.npz'
    np.savez(path, **(tracks_files.fields_of(tracks()) | {'ids': np.array([object()])}))
    with pytest.raises(UserError, match='holds no tracks that can be read'):
        tracks_files.read(path)


def test_nobody_is_possible(tmp_path):
    empty = tracks().select([], slice(0, 2))
    assert_same(tracks_files.read(tracks_files.write(tmp_path / 'empty.npz', empty)), empty)
    assert isinstance(empty.camera, Camera)


def test_along_the_camera_no_place_of_the_camera_counts(tmp_path):
    """A user's camera may stand in a world, in which these people are not."""
    standing = dataclasses.replace(
        CAMERA, rotation=cameras.upright_rotation(30), position=np.array([1.0, 2.0, 3.0])
    )
    walk = tracks(camera=standing)
    np.testing.assert_array_equal(walk.people(0).root, tracks().people(0).root)
    tracks_files.write(tmp_path / 'walk.npz', walk)
    with np.load(tmp_path / 'walk.npz') as archive:
        np.testing.assert_array_equal(archive['rotation'], np.eye(3))
        assert archive['position'].size == 0
