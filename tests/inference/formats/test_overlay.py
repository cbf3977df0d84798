"""Overlay files: a JPEG of a photograph, and H.264 of a video at the times of its frames."""

import dataclasses

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from capf_jax.inference.formats import mp4, overlay
from capf_jax.runtime import files
from tests.inference.formats.moving import moving

IMAGES = [np.full((120, 161, 3), 100 + n, np.uint8) for n in range(4)]


def test_a_photograph_becomes_a_jpeg_of_its_size(tmp_path):
    overlay.write(tmp_path / 'a.jpg', moving(length=1), lambda: IMAGES[:1])
    with Image.open(tmp_path / 'a.jpg') as image:
        assert (image.format, image.size) == ('JPEG', (161, 120))


def test_a_video_keeps_its_uneven_times(tmp_path):
    times = np.array([2.0, 2.1, 2.35, 2.4])
    one = dataclasses.replace(moving(length=4), times=times)
    overlay.write(tmp_path / 'a.mp4', one, lambda: iter(IMAGES))
    with av.open(tmp_path / 'a.mp4') as video:
        assert video.streams.video[0].codec_context.name == 'h264'
        frames = [
            (float(frame.pts * frame.time_base), frame.width) for frame in video.decode(video=0)
        ]
    # H.264 wants even sizes.
    assert [width for _, width in frames] == [160] * 4
    np.testing.assert_allclose([time for time, _ in frames], times - 2, atol=1e-4)


def test_a_video_with_fewer_frames_than_before_is_shorter(tmp_path):
    overlay.write(tmp_path / 'a.mp4', moving(length=4), lambda: IMAGES[:2])
    video = cv2.VideoCapture(str(tmp_path / 'a.mp4'))  # another reader than the writer's library
    frames = [video.read() for _ in range(3)]
    video.release()
    assert [is_there for is_there, _ in frames] == [True, True, False]
    assert frames[1][1].shape == (120, 160, 3)


def test_a_limit_of_bytes_ends_the_video_early(tmp_path):
    random = np.random.default_rng(0)
    noise = [random.integers(0, 255, (160, 160, 3), np.uint8) for _ in range(120)]
    with (tmp_path / 'a.mp4').open('wb') as file:
        count = mp4.encode(file, noise, np.arange(120) / 10, 10.0, most_bytes=20_000)
    assert 0 < count < 120
    with av.open(tmp_path / 'a.mp4') as video:
        assert len(list(video.decode(video=0))) == count


def test_a_disk_that_is_full_is_told_with_the_name_of_the_file():
    with pytest.raises(OSError, match=r'No space.*walk.mp4') as caught, files.named('walk.mp4'):
        mp4.encode('/dev/full', IMAGES, np.arange(4) / 10, 10.0)
    assert files.disk_is_full(caught.value)
