"""The command predict on cameras: what it writes, how it ends, and what it refuses.

A list of frames stands for the camera.
"""

import errno
import json

import cv2
import numpy as np
import pytest

from capf_jax import predict
from capf_jax.errors import UserError
from capf_jax.inference import predict_arguments, predictor, tracks_files
from capf_jax.inference.people import TO_UPRIGHT_CAMERA
from capf_jax.inference.video import camera_command, track_parts
from capf_jax.inference.video.video_frames import CutShortError, Frame
from capf_jax.pose import cameras
from tests.inference.dotted_people import Boxes
from tests.predicting import tiny_weights as tiny_weights  # a fixture

SIZE = (128, 96)
LOST = CutShortError('camera 0 gives no more pictures')


def camera(count, error=None):
    """Opens a camera that gives frames of noise, ten in a second, and then ends by an error."""
    random = np.random.default_rng(0)

    def frames(number):
        del number
        for t in range(count):
            yield Frame(t, t / 10, random.integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8))
        if error is not None:
            raise error

    return frames


@pytest.fixture(scope='module')
def networks(weights):
    """Tiny networks, and a finder of one person in every frame."""
    finder = Boxes([[30, 10, 60, 80]], [0.9], SIZE)
    always = [f'--weights={weights}', '--noflip_test', '--least_confidence=0']
    values = predict_arguments.parse(['predict', 'camera:0', *always], None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predictor, 'default_finder', lambda path=None: finder)
        one = predict._predictor(values)
        yield lambda: one


@pytest.fixture
def record(networks, tmp_path):
    """Runs the command on a camera that gives so many frames, and then an error."""

    def command(count, error, *arguments):
        arguments = ['predict', 'camera:0', f'--output={tmp_path / "out"}', *arguments]
        values = predict_arguments.parse(arguments, None)
        return camera_command.run(values, 0, networks, camera(count, error))

    return command


@pytest.fixture
def small_parts(monkeypatch):
    """Parts of two frames."""
    monkeypatch.setattr(track_parts, 'FRAMES_IN_PART', 2)


@pytest.fixture
def disk(monkeypatch):
    """A disk onto which so many archives fit; np.inf for a large one."""
    save, left = np.savez_compressed, {'archives': np.inf}

    def limited(*args, **kwargs):
        if left['archives'] <= 0:
            raise OSError(errno.ENOSPC, 'No space left on device')
        left['archives'] -= 1
        save(*args, **kwargs)

    monkeypatch.setattr(np, 'savez_compressed', limited)
    return left


def written(tmp_path):
    return sorted(path.name for path in (tmp_path / 'out').iterdir())


def frames_of(tmp_path, name='camera_0'):
    return tracks_files.read(tmp_path / 'out' / f'{name}.npz').frames.tolist()


def test_ctrl_c_ends_a_recording_and_writes_it(record, tmp_path, capsys):
    assert record(3, KeyboardInterrupt(), '--csv') == 0
    assert written(tmp_path) == ['camera_0.csv', 'camera_0.npz']
    assert frames_of(tmp_path) == [0, 1, 2]
    captured = capsys.readouterr()
    assert f'Ctrl-C ends the recording and writes {tmp_path / "out" / "camera_0"}.npz' in (
        captured.out
    )
    assert 'delay from picture to pose' in captured.err
    assert 'error' not in captured.err


def test_the_calibration_tells_what_is_up(record, tmp_path):
    ahead = cv2.Rodrigues(cameras.upright_rotation(20, 5).T @ TO_UPRIGHT_CAMERA['z_up'])[0]
    calibration = tmp_path / 'Calib.toml'
    calibration.write_text(
        '[cam]\nsize = [128.0, 96.0]\nmatrix = [[100, 0, 64], [0, 100, 48], [0, 0, 1]]\n'
        f'rotation = {ahead.ravel().tolist()}\n'
    )
    record(2, LOST, '--world=z_up', f'--calibration={calibration}')
    camera = tracks_files.read(tmp_path / 'out' / 'camera_0.npz').camera
    up = -cameras.upright_rotation(20, 5)[1]
    np.testing.assert_allclose(camera.rotation[:, 2], up, atol=1e-6)


def test_a_camera_is_written_until_it_is_taken_away(record, tmp_path, capsys):
    assert record(3, LOST) == 1
    assert written(tmp_path) == ['camera_0.npz']
    assert frames_of(tmp_path) == [0, 1, 2]
    expected = 'error: camera 0 gives no more pictures; what came before is written\n'
    assert capsys.readouterr().err.endswith(expected)


def test_a_recording_is_never_in_the_place_of_another(record, tmp_path):
    for count in (1, 2, 3):
        record(count, LOST)
    assert written(tmp_path) == ['camera_0-2.npz', 'camera_0-3.npz', 'camera_0.npz']
    assert [len(frames_of(tmp_path, f'camera_0{end}')) for end in ('', '-2', '-3')] == [1, 2, 3]
    record(4, LOST, '--overwrite')
    assert len(frames_of(tmp_path)) == 4
    assert len(written(tmp_path)) == 3


def test_without_a_picture_there_is_one_sentence_and_no_file(record, tmp_path):
    with pytest.raises(UserError, match=r'gives no more pictures$'):
        record(0, LOST)
    with pytest.raises(KeyboardInterrupt):
        record(0, KeyboardInterrupt())
    with pytest.raises(UserError, match='no picture from 5 to 6 s; give a longer --time_range'):
        record(3, None, '--time_range=5:6')
    assert written(tmp_path) == []


def test_there_is_no_such_camera(networks, tmp_path, capfd):
    values = predict_arguments.parse(['predict', 'camera:99', f'--output={tmp_path / "out"}'], None)
    with pytest.raises(UserError, match='there is no camera 99'):
        camera_command.run(values, 99, networks)
    assert written(tmp_path) == []
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ('', '')


def test_stride_and_time_range_choose_frames(record, tmp_path):
    assert record(10, LOST, '--time_range=0.2:0.75', '--stride=2') == 0
    tracks = tracks_files.read(tmp_path / 'out' / 'camera_0.npz')
    assert tracks.frames.tolist() == [2, 4, 6]
    np.testing.assert_allclose(tracks.times, [0.2, 0.4, 0.6])


def test_a_full_disk_is_told_and_the_next_start_writes_the_recording(
    record, small_parts, disk, tmp_path, capsys
):
    disk['archives'] = 2
    with pytest.raises(UserError, match=r'4 of 6 frames are kept in .*camera_0\.parts, and .*pred'):
        record(9, None)
    assert written(tmp_path) == ['camera_0.parts']
    disk['archives'] = np.inf
    assert record(1, LOST) == 1
    assert written(tmp_path) == ['camera_0-2.npz', 'camera_0.npz']
    assert frames_of(tmp_path) == [0, 1, 2, 3]
    assert frames_of(tmp_path, 'camera_0-2') == [0]
    assert 'camera_0.parts was interrupted: it is written first' in capsys.readouterr().out


def test_a_disk_that_is_full_for_a_moment_ends_the_recording_and_loses_nothing(
    record, small_parts, disk, tmp_path, capsys, monkeypatch
):
    disk['archives'] = 2
    finish = camera_command.video_tracks.finished_live

    def with_room(*args):
        disk['archives'] = np.inf
        return finish(*args)

    monkeypatch.setattr(camera_command.video_tracks, 'finished_live', with_room)
    assert record(9, None) == 1
    assert written(tmp_path) == ['camera_0.npz']
    assert frames_of(tmp_path) == [0, 1, 2, 3, 4, 5]
    assert 'is full after 0.5 s; make room there; what came' in capsys.readouterr().err


def test_a_disk_that_was_full_from_the_start_keeps_nothing(record, disk, tmp_path):
    disk['archives'] = 0
    with pytest.raises(UserError, match='nothing of the recording is kept'):
        record(3, LOST)


def leave_parts(record, tmp_path, count=4):
    """Parts as a process leaves them that is killed."""
    with pytest.raises(ZeroDivisionError):
        record(count, ZeroDivisionError())
    assert written(tmp_path)[-1] == 'camera_0.parts'
    return tmp_path / 'out' / 'camera_0.parts'


def test_parts_of_a_killed_recording_are_written_without_a_camera(record, small_parts, tmp_path):
    leave_parts(record, tmp_path)
    with pytest.raises(UserError, match='no camera'):
        record(0, UserError('there is no camera 0'), '--json')
    assert written(tmp_path) == ['camera_0.json', 'camera_0.npz']
    assert frames_of(tmp_path) == [0, 1, 2, 3]


def test_what_is_replaced_is_the_first_recording_and_not_an_interrupted_one(record, tmp_path):
    leave_parts(record, tmp_path)
    record(1, LOST, '--overwrite')
    assert written(tmp_path) == ['camera_0-2.npz', 'camera_0.npz']
    assert len(frames_of(tmp_path)) == 1
    assert len(frames_of(tmp_path, 'camera_0-2')) == 4


def test_a_damaged_part_is_left_out_and_kept(record, small_parts, tmp_path, capsys):
    parts = leave_parts(record, tmp_path)
    (parts / '000000.npz').write_bytes(b'no archive')
    record(1, LOST)
    assert written(tmp_path) == ['camera_0-2.npz', 'camera_0.npz', 'camera_0.parts.damaged']
    assert frames_of(tmp_path) == [2, 3]
    assert '1 parts of' in capsys.readouterr().out


def test_parts_of_a_video_are_no_recording(record, tmp_path):
    parts = leave_parts(record, tmp_path)
    (parts / track_parts.SETTINGS).write_text(json.dumps({'video': 'camera_0.mp4'}))
    record(1, LOST)
    assert written(tmp_path) == ['camera_0-2.npz', 'camera_0.parts']


@pytest.mark.parametrize(
    ('flag', 'are_constant'), [('--constant_bones', True), ('--noconstant_bones', False)]
)
def test_bones_keep_their_lengths_if_wanted(record, tmp_path, flag, are_constant):
    record(6, LOST, flag, '--nostill_feet')
    joints = tracks_files.read(tmp_path / 'out' / 'camera_0.npz').joints3d[0]
    lengths = np.linalg.norm(joints[:, 2] - joints[:, 1], axis=-1)
    assert np.isfinite(lengths).all()
    assert (np.ptp(lengths) < 1e-6) == are_constant


def test_pictures_of_a_camera_are_not_kept_for_an_overlay(record):
    with pytest.raises(UserError, match='the pictures of a camera are not kept'):
        record(1, None, '--format=overlay')


def test_a_camera_is_recorded_alone(tmp_path):
    with pytest.raises(UserError, match='camera:0 is recorded alone'):
        predict.main(['predict', 'camera:0', str(tmp_path / 'a.mp4')])
