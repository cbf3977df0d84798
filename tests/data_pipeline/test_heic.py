"""Pictures of HEIC: as other kinds where the package is there, and one sentence where it is not."""

import sys

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from capf_jax.inference import sources
from data_pipeline import heic, images

FOCAL_LENGTH_35MM = 26


@pytest.fixture(autouse=True)
def not_registered(monkeypatch):
    """Pillow as it is before anyone has registered the package."""
    Image.init()  # Pillow adds its own kinds to the lists when they are first needed.
    monkeypatch.setattr(Image, 'OPEN', {k: v for k, v in Image.OPEN.items() if k != 'HEIF'})
    monkeypatch.setattr(Image, 'ID', [name for name in Image.ID if name != 'HEIF'])


@pytest.fixture(scope='module')
def photo(tmp_path_factory):
    """A picture as a telephone writes it that was held upright: red above on the left."""
    lying = np.zeros((60, 100, 3), np.uint8)
    lying[30:, :50] = 255, 0, 0
    exif = Image.Exif()
    exif[0x0112] = 6  # viewers turn the picture by 90 degrees
    exif.get_ifd(0x8769)[0xA405] = FOCAL_LENGTH_35MM
    path = tmp_path_factory.mktemp('heic') / 'photo.heic'
    picture = pillow_heif.from_pillow(Image.fromarray(lying))
    picture.save(path, exif=exif.tobytes(), quality=90)
    return path


def test_pixels_are_upright(photo):
    pixels = images.read(photo)
    assert pixels.shape == (100, 60, 3)
    np.testing.assert_allclose(pixels[10, 10], [0, 0, 255], atol=12)
    np.testing.assert_allclose(pixels[10, 50], 0, atol=12)


@pytest.mark.parametrize('whole', [False, True])
def test_the_size_is_that_of_the_upright_picture(photo, whole):
    assert images.probe(photo, whole) == images.Medium(60, 100, 1)


def test_a_source_of_a_prediction_has_its_lens(photo):
    picture = sources.read(photo)
    assert picture.size == (60, 100)
    assert picture.lens.focal_35mm == FOCAL_LENGTH_35MM
    assert sources.find(photo.parent).paths == (photo,)


@pytest.mark.parametrize('length', [0.3, 0.9])
def test_a_file_cut_short_does_not_decode(photo, tmp_path, length):
    path = tmp_path / 'cut.heic'
    path.write_bytes(photo.read_bytes()[: int(length * photo.stat().st_size)])
    with pytest.raises(images.UnreadableError, match=r'cut\.heic does not decode; copy it again'):
        images.read(path)


@pytest.mark.parametrize('read', [images.read, images.probe, sources.read])
def test_without_the_package_it_is_named(photo, monkeypatch, read):
    monkeypatch.setitem(sys.modules, 'pillow_heif', None)
    with pytest.raises(
        images.UnreadableError,
        match=r'photo\.heic is of HEIC, which the package '
        'pillow-heif opens: pip install pillow-heif$',
    ):
        read(photo)


@pytest.mark.parametrize(
    ('start', 'expected'),
    [
        (b'\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf', True),
        (b'\0\0\0\x18ftypmif1\0\0\0\0mif1miaf', True),
        (b'\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf', False),
        (b'\0\0\0\x14ftypqt  \0\0\0\0qt  heic', False),
        (b'\xff\xd8\xff\xe0', False),
        (b'', False),
    ],
)
def test_a_file_says_its_kind_at_its_beginning(start, expected):
    assert heic.is_heic(start) is expected
