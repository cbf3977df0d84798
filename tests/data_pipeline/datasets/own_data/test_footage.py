import cv2
import numpy as np
import pytest
from PIL import Image

from data_pipeline.datasets.own_data import annotations, images


@pytest.fixture
def written(folder):
    source = folder.write()
    return source, annotations.read(source)[0].entries


def test_every_entry_gets_its_own_picture(written, folder):
    source, entries = written
    for entry, image in images.read(source, reversed(entries)):
        assert np.abs(image.astype(int) - folder.image(entry.number)).mean() < 5, entry.where


def test_video_is_opened_once(written, monkeypatch):
    source, entries = written
    opened = []
    capture = cv2.VideoCapture
    monkeypatch.setattr(cv2, 'VideoCapture', lambda path: opened.append(path) or capture(path))
    assert len(list(images.read(source, entries))) == 7
    assert len(opened) == 1


def test_video_is_probed(written):
    source, _ = written
    assert images.probe_video(source / 'videos/walk.mp4') == images.Medium(320, 240, 5)


@pytest.mark.parametrize('probe', [images.probe_image, images.probe_video])
def test_broken_file_is_named(tmp_path, probe):
    path = tmp_path / 'broken.xyz'
    path.write_bytes(b'nothing that decodes')
    with pytest.raises(images.UnreadableError, match=r'broken\.xyz does not decode'):
        probe(path)


def test_rotation_in_an_image_is_applied(tmp_path):
    path = tmp_path / 'turned.jpg'
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(path, exif=exif)
    assert images.probe_image(path) == images.Medium(40, 60, 1)
    assert images.read_image(path).shape == (60, 40, 3)


@pytest.mark.parametrize('ending', ['png', 'jpg'])
def test_image_cut_short_does_not_decode(tmp_path, ending):
    path = tmp_path / f'cut.{ending}'
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    cv2.imwrite(str(path), noise)
    path.write_bytes(path.read_bytes()[:2000])
    assert images.probe_image(path) == images.Medium(60, 40, 1)
    for decode in (images.read_image, lambda path: images.probe_image(path, whole=True)):
        with pytest.raises(images.UnreadableError, match='cut'):
            decode(path)


def test_broken_image_is_an_error_in_its_place(written):
    source, entries = written
    (source / 'images/0.png').write_bytes(b'no picture')
    (_, broken), (_, whole) = images.read(source, entries[:2])
    assert isinstance(broken, images.UnreadableError)
    assert whole.shape == (240, 320, 3)


def test_frame_beyond_the_end_is_an_error_in_its_place(written, folder):
    folder.content['entries'][6]['frame'] = 50
    folder.write_annotations()
    source, _ = written
    entries = annotations.read(source)[0].entries
    found = {entry.number: image for entry, image in images.read(source, entries)}
    assert isinstance(found[6], images.UnreadableError)
    assert isinstance(found[5], np.ndarray)
