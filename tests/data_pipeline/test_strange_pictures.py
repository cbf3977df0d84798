"""Pictures of every kind give right pixels or one sentence, before memory is taken."""

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from data_pipeline import images

GREY = np.tile(np.linspace(0, 255, 64).round().astype(np.uint8), (48, 1))  # a ramp
COLOUR = np.stack([GREY, GREY[::-1] // 2 + 60, GREY[:, ::-1]], axis=-1)  # RGB


def encoded(picture, kind, **options):
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def rgb(content):
    return images.decode(content)[..., ::-1].astype(int)


def deep(kind):
    """The ramp in more bits than 8."""
    if kind == 'F':
        return Image.fromarray(GREY.astype(np.float32) / 255)
    return Image.fromarray(GREY.astype(np.uint16) * 257)


@pytest.mark.parametrize(
    'content',
    [
        lambda: encoded(deep('I;16'), 'PNG'),
        lambda: encoded(deep('I;16'), 'TIFF'),
        lambda: encoded(deep('F'), 'TIFF'),
        lambda: encoded(Image.fromarray(GREY.astype(np.int32) * 257), 'TIFF'),
        lambda: encoded(Image.fromarray(GREY), 'PNG'),
        lambda: encoded(Image.fromarray(GREY).convert('LA'), 'PNG'),
        lambda: encoded(Image.fromarray(GREY).convert('P'), 'GIF'),
        lambda: encoded(Image.fromarray(GREY), 'PPM'),
    ],
    ids=['png16', 'tiff16', 'float', 'int32', 'png8', 'alpha', 'gif', 'pgm'],
)
def test_grey_of_every_depth_is_the_same_grey(content):
    pixels = rgb(content())
    np.testing.assert_allclose(pixels, np.repeat(GREY[..., None], 3, -1), atol=1)


@pytest.mark.parametrize(
    'content',
    [
        lambda: encoded(Image.fromarray(COLOUR), 'PNG'),
        lambda: encoded(Image.fromarray(COLOUR), 'BMP'),
        lambda: encoded(Image.fromarray(COLOUR), 'WEBP', lossless=True),
        lambda: encoded(Image.fromarray(COLOUR).convert('RGBA'), 'PNG'),
        lambda: encoded(Image.fromarray(COLOUR).convert('CMYK'), 'TIFF'),
        lambda: encoded(Image.fromarray(COLOUR).convert('CMYK'), 'JPEG', quality=98),
        lambda: encoded(Image.fromarray(COLOUR), 'JPEG', quality=98, subsampling=0),
        lambda: encoded(Image.fromarray(COLOUR).convert('YCbCr'), 'TIFF'),
        lambda: encoded(lab(), 'TIFF'),
    ],
    ids=['png', 'bmp', 'webp', 'rgba', 'cmyk tiff', 'cmyk jpeg', 'jpeg', 'ycbcr', 'lab'],
)
def test_colours_of_every_space_are_the_same_colours(content):
    assert np.abs(rgb(content()) - COLOUR).mean() < 3


def lab():
    transform = ImageCms.buildTransformFromOpenProfiles(
        ImageCms.createProfile('sRGB'), ImageCms.createProfile('LAB'), 'RGB', 'LAB'
    )
    return ImageCms.applyTransform(Image.fromarray(COLOUR), transform)


def png_that_declares(width, height):
    def chunk(kind, content):
        body = kind + content
        return struct.pack('>I', len(content)) + body + struct.pack('>I', zlib.crc32(body))

    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b'IDAT', zlib.compress(b'')) + chunk(b'IEND', b'')
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + pixels


def jpeg_that_declares(width, height):
    content = bytearray(encoded(Image.fromarray(COLOUR), 'JPEG'))
    place = content.index(b'\xff\xc0')
    content[place + 5 : place + 9] = struct.pack('>HH', height, width)
    return bytes(content)


@pytest.mark.parametrize(
    'content',
    [
        png_that_declares(100_000, 100_000),
        png_that_declares(2**31 - 1, 2**31 - 1),
        png_that_declares(19_000, 9_500),
        jpeg_that_declares(60_000, 60_000),
        b'P6 99999 99999 255\n\0\0\0',
        b'BM' + struct.pack('<IHHIIiiHHIIiiII', 54, 0, 0, 54, 40, 50_000, 50_000, 1, 24, *6 * [0]),
    ],
    ids=['png', 'png 2^31', 'png 180 MP', 'jpeg', 'ppm', 'bmp'],
)
def test_a_gigantic_picture_is_refused_before_it_is_decoded(content, tmp_path):
    path = tmp_path / 'entry.png'
    path.write_bytes(content)
    for read in (images.probe, images.read):
        with pytest.raises(images.UnreadableError, match=r'entry\.png declares .*make it smaller'):
            read(path)


@pytest.mark.filterwarnings('ignore::UserWarning')  # Pillow's own about tags that it skips
@pytest.mark.parametrize('ending', ['PNG', 'JPEG', 'TIFF', 'GIF', 'BMP', 'WEBP', 'PPM'])
def test_noise_in_a_file_is_pixels_or_one_sentence(ending, tmp_path):
    whole = encoded(Image.fromarray(COLOUR), ending)
    random = np.random.default_rng(0)
    for _ in range(40):
        content = np.frombuffer(whole, np.uint8).copy()
        places = random.integers(0, len(content), 8)
        content[places] = random.integers(0, 256, 8)
        path = tmp_path / 'noisy'
        path.write_bytes(content[: random.integers(1, len(content) + 1)].tobytes())
        for read in (images.probe, images.read):
            with contextlib.suppress(images.UnreadableError):  # Any other error fails the test.
                read(path)
