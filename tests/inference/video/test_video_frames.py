"""Frames of videos: each with its own number and time, upright, and what a damaged file says."""

import contextlib

import av
import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.inference import sources
from capf_jax.inference.video import video_frames, video_header
from capf_jax.inference.video.video_frames import CutShortError, FrameChoice
from tests.inference.video import video_samples


@pytest.fixture(scope='module')
def even(tmp_path_factory):
    """Twenty frames, ten a second, with few key frames."""
    path = tmp_path_factory.mktemp('video') / 'even.mp4'
    frames = [video_samples.frame(number) for number in range(20)]
    return video_samples.write(path, frames, codec='libx264', pixel_format='yuv420p')


def numbers(frames):
    return [frame.number for frame in frames]


def remember(frames, given):
    """Adds the frames to a list, one by one, so that those before an error stay."""
    for frame in frames:
        given.append(frame)


def test_every_frame_comes_with_its_time(even):
    frames = list(video_frames.read(even))
    assert numbers(frames) == list(range(20))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(20) / 10, atol=2e-3)
    assert [video_samples.number_of(frame.pixels) for frame in frames] == list(range(20))
    assert frames[0].size == video_samples.SIZE


@pytest.mark.parametrize(
    ('choice', 'expected'),
    [
        (FrameChoice(stride=6), [0, 6, 12, 18]),
        (FrameChoice(0.45, 1.25), list(range(5, 13))),
        (FrameChoice(0.5, 1.3, 3), [5, 8, 11]),
        (FrameChoice(0.5, 1.3, 3, first=9), [11]),
        (FrameChoice(stride=5, first=6), [10, 15]),
    ],
)
def test_a_range_and_a_stride_choose_the_same_frames_wherever_one_begins(even, choice, expected):
    frames = list(video_frames.read(even, choice))
    assert numbers(frames) == expected
    assert [video_samples.number_of(frame.pixels) for frame in frames] == expected


def test_of_two_frames_of_one_time_the_first_counts(tmp_path):
    frames = [video_samples.frame(number) for number in range(4)]
    path = video_samples.write(tmp_path / 'twice.mkv', frames, stamps=[0.0, 0.1, 0.1, 0.2])
    assert numbers(video_frames.read(path)) == [0, 1, 3]


def test_frames_that_vary_in_time_keep_their_times(tmp_path):
    stamps = [0.0, 0.1, 0.15, 0.5, 0.52, 1.0]
    frames = [video_samples.frame(number) for number in range(6)]
    path = video_samples.write(tmp_path / 'vary.mkv', frames, stamps=stamps)
    np.testing.assert_allclose([one.time for one in video_frames.read(path)], stamps, atol=2e-3)
    late = list(video_frames.read(path, FrameChoice(0.4)))
    assert numbers(late) == [3, 4, 5]
    np.testing.assert_allclose(late[0].time, 0.5, atol=2e-3)


@pytest.mark.parametrize(('rotation', 'corner'), [(90, (-1, 0)), (-90, (0, -1)), (180, (-1, -1))])
def test_a_rotation_is_applied(tmp_path, rotation, corner):
    path = tmp_path / 'turned.mp4'
    frames = [video_samples.frame(1)] * 3
    video_samples.write(path, frames, rotation=rotation, codec='libx264', pixel_format='yuv420p')
    pixels = next(iter(list(video_frames.read(path)))).pixels
    width, height = video_samples.SIZE
    assert pixels.shape[:2] == ((height, width) if rotation == 180 else (width, height))
    # The white corner of the stored picture lies where the rotation brings it.
    assert pixels[corner].mean() > 200


def test_a_video_that_is_cut_short_gives_what_there_is(tmp_path):
    frames = [video_samples.frame(number) for number in range(25)]
    noise = np.random.default_rng(0).integers(0, 9, (25, *frames[0].shape), np.uint8)
    path = video_samples.write(tmp_path / 'whole.mkv', frames + noise, fps=10)
    cut = tmp_path / 'cut.mkv'
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    given = []
    with pytest.raises(CutShortError, match=r'cut.mkv is cut short after 0\.\d+ of 2\.\d+ s'):
        remember(video_frames.read(cut), given)
    assert numbers(given) == list(range(len(given)))
    assert 3 < len(given) < 12


MPEG4 = {'codec': 'mpeg4', 'pixel_format': 'yuv420p'}
LIVE = {'live': '1', 'flush_packets': '1'}  # No length is written.
TAG, NO_TAG = b'DURATION', b'TIDURANO'  # of Matroska: the length of the pictures alone


@pytest.mark.parametrize(
    ('name', 'options'),
    [
        ('ffv1.mkv', {}),
        ('index_first.mp4', {**MPEG4, 'options': {'movflags': 'faststart'}}),
        ('mpeg4.avi', MPEG4),
    ],
)
def test_a_missing_end_is_seen_where_it_is_short(tmp_path, name, options):
    whole = video_samples.write(tmp_path / name, video_samples.noisy(40), **options)
    assert len(list(video_frames.read(whole))) == 40
    cut, given = video_samples.cut(whole, 0.85), []
    with pytest.raises(CutShortError, match=r'is cut short after 3\.\d+ of 4\.00 s'):
        remember(video_frames.read(cut), given)
    assert 30 < len(given) < 37
    # What a range of time leaves out is not missed.
    assert numbers(video_frames.read(cut, FrameChoice(stop=2.0))) == list(range(20))
    with pytest.raises(CutShortError, match='is cut short after 3'):
        list(video_frames.read(cut, FrameChoice(2.0, 50.0)))
    assert len(list(video_frames.read(whole, FrameChoice(2.0, 50.0)))) == 20


VARYING = np.cumsum([0.1] * 10 + [0.5] * 5 + [0.04] * 15)


@pytest.mark.parametrize(
    ('name', 'options', 'length'),
    [
        ('longer_sound.mkv', {'sound': 12}, 30),
        ('last_is_shown_for_long.mkv', {'last': 9}, 30),
        ('last_is_shown_for_long.mp4', {**MPEG4, 'last': 9}, 30),
        ('varying.mkv', {'stamps': VARYING}, 30),
        ('varying.mp4', {**MPEG4, 'stamps': VARYING}, 30),
        ('begins_late.mkv', {'stamps': 5 + np.arange(30) / 10}, 30),
        ('begins_late.mp4', {**MPEG4, 'stamps': 5 + np.arange(30) / 10}, 30),
        ('begins_within.mp4', {**MPEG4, 'stamps': -1 + np.arange(30) / 10}, 20),
        ('no_length.mkv', {'options': LIVE}, 30),
        ('stream.ts', {'codec': 'libx264', 'pixel_format': 'yuv420p'}, 30),
    ],
)
def test_a_whole_video_is_not_taken_for_one_that_is_cut_short(tmp_path, name, options, length):
    path = video_samples.write(tmp_path / name, video_samples.noisy(30), **options)
    assert len(list(video_frames.read(path))) == length


@pytest.mark.parametrize(('share', 'is_cut'), [(1.0, False), (0.5, True)])
def test_sound_tells_whether_an_end_is_missing_where_pictures_have_no_length(
    tmp_path, share, is_cut
):
    path = video_samples.write(tmp_path / 'a.mkv', video_samples.noisy(30), sound=12)
    path.write_bytes(path.read_bytes().replace(TAG, NO_TAG))
    path = video_samples.cut(path, share)
    assert video_header.probe(path).seconds == 12
    with pytest.raises(CutShortError, match='of 12') if is_cut else contextlib.nullcontext():
        list(video_frames.read(path))


def test_frames_that_change_their_size_end_the_video(tmp_path):
    small, large = (
        video_samples.write(
            tmp_path / f'{name}.ts', [video_samples.frame(1, size)] * 4,
            codec='libx264', pixel_format='yuv420p', fps=25,
        )
        for name, size in (('small', (96, 64)), ('large', (128, 96)))
    )  # fmt: skip
    both = tmp_path / 'both.ts'
    both.write_bytes(small.read_bytes() + large.read_bytes())
    given = []
    with pytest.raises(CutShortError, match=r'to 128x96 px behind frame 3, 0\.12 s, so'):
        remember(video_frames.read(both), given)
    assert {frame.size for frame in given} == {(96, 64)}


@pytest.mark.parametrize(
    ('ending', 'codec'),
    [('3gp', 'libx264'), ('3g2', 'libx264'), ('flv', 'libx264'), ('f4v', 'libx264'),
     ('m2ts', 'libx264'), ('vob', 'mpeg2video'), ('ogv', 'libvpx'), ('mxf', 'mpeg2video')],
)  # fmt: skip
def test_files_of_phones_and_cameras_are_read(tmp_path, ending, codec):
    path = tmp_path / f'a.{ending}'
    assert sources.is_video(path)
    kinds = {'m2ts': 'mpegts', 'ogv': 'ogg'}
    video_samples.write(
        path, [video_samples.frame(n) for n in range(5)],
        codec=codec, pixel_format='yuv420p', fps=25, base=25, kind=kinds.get(ending, ending),
    )  # fmt: skip
    numbers = [video_samples.number_of(one.pixels) for one in video_frames.read(path)]
    assert numbers == list(range(5))


def test_sound_alone_is_told(tmp_path):
    with pytest.raises(UserError, match='holds sound alone; give a video with pictures'):
        list(video_frames.read(video_samples.write_sound(tmp_path / 'song.wav')))


@pytest.mark.parametrize(
    ('ending', 'words'), [('avi', 'holds no frame'), ('mp4', 'holds no pictures')]
)
def test_a_video_without_frames_is_told(tmp_path, ending, words):
    path = tmp_path / f'empty.{ending}'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', rate=10)
        stream.width, stream.height, stream.pix_fmt = *video_samples.SIZE, 'yuv420p'
        container.start_encoding()
    with pytest.raises(UserError, match=words):
        list(video_frames.read(path))


def test_a_matroska_file_without_frames_is_told(tmp_path):
    path = tmp_path / 'none.mkv'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('ffv1', rate=10)
        stream.width, stream.height = video_samples.SIZE
        container.start_encoding()
    with pytest.raises(UserError, match=r'none\.mkv ends before its first frame; record or'):
        list(video_frames.read(path))


def test_no_video_is_told(tmp_path):
    path = tmp_path / 'text.mp4'
    path.write_text('no video')
    with pytest.raises(UserError, match=r'text\.mp4 is no video that can be read'):
        list(video_frames.read(path))


def test_a_range_behind_the_end_is_told(even):
    with pytest.raises(UserError, match=r'ends at 1\.9. s, before 7 s'):
        list(video_frames.read(even, FrameChoice(7.0)))


@pytest.mark.parametrize('values', [(3.0, 2.0), (-1.0, None), (0.0, None, 0)])
def test_a_choice_that_is_none_is_told(values):
    with pytest.raises(UserError, match='is none; give'):
        FrameChoice(*values)


def test_a_reader_that_is_left_early_ends(even):
    frames = video_frames.read(even)
    with contextlib.closing(frames):
        assert next(frames).number == 0


def test_the_header_tells_how_many_frames_there_are(even):
    info = video_header.probe(even)
    assert info.number_of_frames(FrameChoice()) == 20
    assert info.number_of_frames(FrameChoice(0.5, 1.5, 3)) == 4
