"""Picture files: size, rotation, pixels, and files that are cut short."""

import cv2
import numpy as np
import pytest
from PIL import Image

from data_pipeline import images


def test_broken_file_is_named(tmp_path):
    path = tmp_path / 'broken.xyz'
    path.write_bytes(b'nothing that decodes')
    for read in (images.probe, images.read):
        with pytest.raises(images.UnreadableError, match=r'broken\.xyz does not decode'):
            read(path)


def noise(path):
    pixels = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    cv2.imwrite(str(path), pixels)
    return pixels


def test_pixels_are_bgr(tmp_path):
    pixels = noise(tmp_path / 'noise.png')
    np.testing.assert_array_equal(images.read(tmp_path / 'noise.png'), pixels)


def test_rotation_in_an_image_is_applied(tmp_path):
    path = tmp_path / 'turned.jpg'
    exif = Image.Exif()
    exif[0x0112] = 6  # viewers turn the picture by 90 degrees
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(path, exif=exif)
    assert images.probe(path) == images.Medium(40, 60, 1)
    assert images.read(path).shape == (60, 40, 3)


@pytest.mark.parametrize('ending', ['png', 'jpg'])
def test_image_cut_short_does_not_decode(tmp_path, ending):
    path = tmp_path / f'cut.{ending}'
    noise(path)
    path.write_bytes(path.read_bytes()[:2000])
    assert images.probe(path) == images.Medium(60, 40, 1)
    with pytest.raises(images.UnreadableError, match=f'cut.{ending} is cut short'):
        images.read(path)
    with pytest.raises(images.UnreadableError, match='cut'):
        images.probe(path, whole=True)


def test_webp_cut_short_does_not_decode(tmp_path):
    path = tmp_path / 'cut.webp'
    noise(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(images.UnreadableError, match=r'cut\.webp is cut short'):
        images.read(path)


@pytest.mark.parametrize('turned', [1, 6])
@pytest.mark.parametrize('ending', ['png', 'jpg', 'webp'])
def test_both_decoders_give_the_same_pixels(tmp_path, ending, turned):
    """What follows a whole file makes Pillow decode it instead of OpenCV."""
    exif = Image.Exif()
    exif[0x0112] = turned
    pixels = cv2.resize(noise(tmp_path / 'noise.png'), (301, 203))
    Image.fromarray(pixels).save(tmp_path / f'image.{ending}', exif=exif)
    encoded = (tmp_path / f'image.{ending}').read_bytes()
    np.testing.assert_array_equal(images.decode(encoded), images.decode(encoded + bytes(100)))
