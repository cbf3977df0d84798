"""Video files: size, length, chosen frames, and frames that are not there."""

import cv2
import numpy as np
import pytest

from data_pipeline import videos
from data_pipeline.images import Medium, UnreadableError


@pytest.fixture
def video(tmp_path):
    """Frame i of five is grey level 40 i."""
    path = tmp_path / 'video.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 25, (320, 240))
    for frame in range(5):
        writer.write(np.full((240, 320, 3), 40 * frame, np.uint8))
    writer.release()
    return path


def test_size_and_length(video):
    assert videos.probe(video) == Medium(320, 240, 5)
    assert videos.count_frames(video) == 5


def test_chosen_frames_are_read(video):
    levels = [image.mean() for image in videos.read(video, [0, 3, 4])]
    np.testing.assert_allclose(levels, [0, 120, 160], atol=2)


def test_a_frame_beyond_the_end_is_an_error_in_its_place(video):
    image, error = videos.read(video, [1, 50])
    assert image.shape == (240, 320, 3)
    assert isinstance(error, UnreadableError)
    assert f'frame 50 of the video {video}' in str(error)


def test_a_file_that_is_no_video_is_named(tmp_path):
    path = tmp_path / 'broken.mp4'
    path.write_bytes(b'nothing that decodes')
    with pytest.raises(UnreadableError, match=r'broken\.mp4 does not decode'):
        videos.probe(path)
