"""Frames of a live camera, of which a fake one gives pictures."""

import contextlib
import time

import cv2
import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.inference.video import camera_frames
from capf_jax.inference.video.video_frames import CutShortError, Frame, FrameChoice


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


def test_a_camera_that_gives_no_picture_is_told():
    with pytest.raises(CutShortError, match='camera 0 gives no picture; plug it in'):
        list(camera_frames.read(0, lambda number: FakeCamera(0), patience=0.02))


class BrokenCamera(FakeCamera):
    """Gives three pictures and then something else, or an error."""

    def __init__(self, pixels=None, error=None):
        super().__init__(1000)
        self.pixels, self.error = pixels, error

    def read(self):
        if self.given < 3:
            return super().read()
        if self.error:
            raise self.error
        return True, self.pixels


def test_pixels_of_another_kind_end_the_frames():
    camera = BrokenCamera(pixels=np.zeros((4, 6, 2), np.uint8))
    with pytest.raises(
        CutShortError, match=r'no more pictures after \d frames \(OpenCV: '
    ) as raised:
        list(camera_frames.read(0, lambda number: camera))
    assert isinstance(raised.value.__cause__, cv2.error)
    assert camera.is_released


def test_a_fault_in_the_thread_that_reads_is_raised():
    camera = BrokenCamera(error=ZeroDivisionError('a fault'))
    with pytest.raises(ZeroDivisionError, match='a fault'):
        list(camera_frames.read(0, lambda number: camera))
    assert camera.is_released


def test_opencv_is_silent_only_while_a_camera_is_opened(capfd):
    before = cv2.utils.logging.getLogLevel()
    with pytest.raises(UserError, match='there is no camera 98'):
        next(camera_frames.read(98))
    assert cv2.utils.logging.getLogLevel() == before
    assert capfd.readouterr().err == ''


def test_a_stride_counts_the_pictures_that_nobody_asked_for():
    def frames():
        for number in (0, 1, 2, 5, 6, 7, 8, 20, 21):
            yield Frame(number, number / 10, np.zeros((4, 6, 3), np.uint8))
        raise AssertionError('the stop time was passed over')

    def numbers(*choice):
        return [one.number for one in camera_frames.chosen(frames(), FrameChoice(*choice))]

    assert numbers(0.0, 2.05, 3) == [0, 5, 8, 20]
    assert numbers(0.1, 2.0, 1) == [1, 2, 5, 6, 7, 8]


def test_a_camera_that_is_not_there_is_told():
    with pytest.raises(UserError, match='there is no camera 2'):
        next(camera_frames.read(2, lambda number: FakeCamera(0, opens=False)))


@pytest.mark.parametrize(
    ('source', 'number'), [('camera:0', 0), ('camera:12', 12), ('a.mp4', None)]
)
def test_a_source_may_name_a_camera(source, number):
    assert camera_frames.number_of(source) == number


@pytest.mark.parametrize('source', ['camera:front', 'camera:100'])
def test_a_camera_needs_a_number(source):
    with pytest.raises(UserError, match='write camera:0'):
        camera_frames.number_of(source)
