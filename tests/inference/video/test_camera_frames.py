"""Frames of a live camera, of which a fake one gives pictures."""

import contextlib
import time

import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.inference.video import camera_frames
from capf_jax.inference.video.video_frames import CutShortError


class FakeCamera:
    """Gives `pictures` pictures, blue by their number, one each 5 ms, and then none."""

    def __init__(self, pictures, opens=True):
        self.pictures, self.opens, self.given, self.is_released = pictures, opens, 0, False

    def isOpened(self):
        return self.opens

    def read(self):
        time.sleep(0.005)
        if self.given >= self.pictures:
            return False, None
        self.given += 1
        pixels = np.zeros((4, 6, 3), np.uint8)
        pixels[..., 0] = self.given  # OpenCV's order is blue, green, red.
        return True, pixels

    def release(self):
        self.is_released = True


def test_only_the_latest_picture_waits():
    camera = FakeCamera(1000)
    with contextlib.closing(camera_frames.read(0, lambda number: camera)) as frames:
        first = next(frames)
        assert (first.number, first.time) == (0, 0.0)
        time.sleep(0.1)
        second = next(frames)
    assert second.number >= 5
    assert second.pixels[0, 0].tolist() == [0, 0, second.number + 1]
    assert second.time >= 0.05
    assert camera.is_released


def test_a_camera_that_is_taken_away_is_told():
    camera = FakeCamera(3)
    with pytest.raises(CutShortError, match=r'camera 0 gives no more pictures after \d frames'):
        list(camera_frames.read(0, lambda number: camera, patience=0.02))
    assert camera.is_released


def test_a_camera_that_is_not_there_is_told():
    with pytest.raises(UserError, match='there is no camera 2'):
        next(camera_frames.read(2, lambda number: FakeCamera(0, opens=False)))


@pytest.mark.parametrize(
    ('source', 'number'), [('camera:0', 0), ('camera:12', 12), ('a.mp4', None)]
)
def test_a_source_may_name_a_camera(source, number):
    assert camera_frames.number_of(source) == number


def test_a_camera_needs_a_number():
    with pytest.raises(UserError, match='write camera:0'):
        camera_frames.number_of('camera:front')
