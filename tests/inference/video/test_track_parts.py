"""Parts of a video on disk: whole or absent, read back, and gone on with."""

import errno

import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.inference.video import track_parts
from capf_jax.inference.video.track_parts import PartsWriter, Start
from tests.inference.video import walking_people

SETTINGS = {'video': 'walk.mp4', 'stride': 1}


@pytest.fixture(scope='module')
def frames():
    times = np.arange(250) / 25
    joints = [
        walking_people.walk(times, (-2, 5), (2, 5)), walking_people.walk(times, (2, 6), (-2, 6))
    ]  # fmt: skip
    joints[1][:30] = np.nan
    joints[0][:10] = np.nan  # so that nobody is in the first frames
    return walking_people.frames(np.stack(joints), walking_people.colours(2))[0]


def store(folder, frames):
    part = track_parts.prepare(folder, SETTINGS).part
    with PartsWriter(folder, part) as writer:
        for frame in frames:
            writer.append(frame)


def assert_same(stored, frames):
    assert [one.number for one in stored] == [one.number for one in frames]
    for one, other in zip(stored, frames, strict=True):
        assert one.time == other.time
        np.testing.assert_array_equal(one.people.joints2d, other.people.joints2d)
        np.testing.assert_array_equal(one.people.pose, other.people.pose)
        np.testing.assert_array_equal(one.colours, other.colours)


def test_frames_are_read_back(tmp_path, frames):
    store(tmp_path / 'parts', frames)
    assert len(list((tmp_path / 'parts').glob('*.npz'))) == 3
    assert_same(list(track_parts.read(tmp_path / 'parts')), frames)


def test_a_run_goes_on_behind_the_last_frame(tmp_path, frames):
    store(tmp_path, frames[:130])
    assert track_parts.prepare(tmp_path, SETTINGS) == Start(2, 130, 130)
    store(tmp_path, frames[130:])
    assert_same(list(track_parts.read(tmp_path)), frames)


def test_other_settings_begin_anew(tmp_path, frames):
    store(tmp_path, frames[:130])
    start = track_parts.prepare(tmp_path, SETTINGS | {'stride': 2})
    assert start == Start(removed=130, others=SETTINGS)
    assert not list(track_parts.read(tmp_path))


@pytest.mark.parametrize('settings', [None, '{}'])
def test_a_recording_of_a_camera_is_never_removed_for_a_video(tmp_path, frames, settings):
    store(tmp_path, frames[:30])
    (tmp_path / track_parts.SETTINGS).unlink()
    if settings is not None:
        (tmp_path / track_parts.SETTINGS).write_text(settings)
    with pytest.raises(UserError, match='holds a recording of a camera'):
        track_parts.prepare(tmp_path, SETTINGS)
    assert_same(list(track_parts.read(tmp_path)), frames[:30])


def test_a_damaged_part_and_those_behind_it_are_made_again(tmp_path, frames):
    store(tmp_path, frames)
    path = tmp_path / '000001.npz'
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match=r'000001\.npz is damaged'):
        list(track_parts.read(tmp_path))
    assert track_parts.prepare(tmp_path, SETTINGS) == Start(1, 100, 100)
    assert_same(list(track_parts.read(tmp_path)), frames[:100])


def test_what_is_behind_a_part_that_is_gone_is_made_again(tmp_path, frames):
    store(tmp_path, frames)
    (tmp_path / '000001.npz').unlink()
    with pytest.raises(UserError, match='holds 150 of the 250 frames that were stored there'):
        list(track_parts.read(tmp_path, len(frames)))
    assert track_parts.prepare(tmp_path, SETTINGS) == Start(1, 100, 100)
    assert_same(list(track_parts.read(tmp_path, 100)), frames[:100])


def test_ctrl_c_keeps_what_is_finished(tmp_path, frames):
    def interrupted():
        with PartsWriter(tmp_path) as writer:
            for frame in frames[:42]:
                writer.append(frame)
            raise KeyboardInterrupt

    track_parts.prepare(tmp_path, SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert_same(list(track_parts.read(tmp_path)), frames[:42])


def test_a_full_disk_keeps_the_parts_before(tmp_path, frames, monkeypatch):
    track_parts.prepare(tmp_path, SETTINGS)
    save, calls = np.savez_compressed, []

    def full(*args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, 'No space left on device')
        save(*args, **kwargs)

    monkeypatch.setattr(np, 'savez_compressed', full)
    with pytest.raises(UserError, match=r'full at frame 199: make room.*before 100 are kept'):
        store(tmp_path, frames)
    assert len(calls) == 2
    assert_same(list(track_parts.read(tmp_path)), frames[:100])
