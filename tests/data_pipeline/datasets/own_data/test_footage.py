"""The pictures of own data come in the order of their files."""

import cv2
import numpy as np
import pytest

from data_pipeline.datasets.own_data import annotations, footage
from data_pipeline.images import UnreadableError


@pytest.fixture
def written(folder):
    source = folder.write()
    return source, annotations.read(source)[0].entries


def test_every_entry_gets_its_own_picture(written, folder):
    source, entries = written
    for entry, image in footage.read(source, reversed(entries)):
        assert np.abs(image.astype(int) - folder.image(entry.number)).mean() < 5, entry.where


def test_video_is_opened_once(written, monkeypatch):
    source, entries = written
    opened = []
    capture = cv2.VideoCapture
    monkeypatch.setattr(cv2, 'VideoCapture', lambda *args: opened.append(args) or capture(*args))
    assert len(list(footage.read(source, entries))) == 7
    assert len(opened) == 1


def test_broken_image_is_an_error_in_its_place(written):
    source, entries = written
    (source / 'images/0.png').write_bytes(b'no picture')
    (_, broken), (_, whole) = footage.read(source, entries[:2])
    assert isinstance(broken, UnreadableError)
    assert whole.shape == (240, 320, 3)


def test_frame_beyond_the_end_is_an_error_in_its_place(written, folder):
    folder.content['entries'][6]['frame'] = 50
    folder.write_annotations()
    source, _ = written
    entries = annotations.read(source)[0].entries
    pictures = {entry.number: image for entry, image in footage.read(source, entries)}
    assert isinstance(pictures[6], UnreadableError)
    assert isinstance(pictures[5], np.ndarray)
