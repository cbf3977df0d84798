"""Pictures of every kind give right pixels or one sentence, before memory is taken."""

import contextlib
import io
import struct
import zlib

import cv2
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


def white_is_zero(kind):
    """A TIFF whose numbers say how dark a pixel is."""
    content = bytearray(encoded(deep(kind), 'TIFF'))
    place = content.index(struct.pack('<HHIH', 262, 3, 1, 1))  # the tag that says what white is
    content[place + 8] = 0
    return bytes(content)


def test_a_tiff_of_darkness_is_negative_of_the_same_tiff_of_brightness():
    np.testing.assert_allclose(
        rgb(white_is_zero('I;16')), 255 - GREY[..., None].repeat(3, -1), atol=1
    )


def packed(bits, transparent=b''):
    """A PNG file of the ramp in a few bits a pixel, and the ramp as it shows it."""
    levels = GREY >> (8 - bits)
    planes = (levels[..., None] >> np.arange(bits)[::-1]) & 1
    rows = np.packbits(planes.reshape(len(GREY), -1), axis=-1)
    content = b''.join(b'\0' + row.tobytes() for row in rows)
    header = struct.pack('>IIBBBBB', *GREY.shape[::-1], bits, 0, 0, 0, 0)
    parts = [(b'IHDR', header), *([(b'tRNS', transparent)] if transparent else [])]
    parts += [(b'IDAT', zlib.compress(content)), (b'IEND', b'')]
    return b'\x89PNG\r\n\x1a\n' + b''.join(chunk(*part) for part in parts), levels * (
        255 // (2**bits - 1)
    )


@pytest.mark.parametrize('transparent', [b'', b'\0\1'])
@pytest.mark.parametrize('bits', [1, 2, 4])
def test_few_bits_reach_from_black_to_white(bits, transparent):
    content, expected = packed(bits, transparent)
    for one in (content, content + bytes(100)):  # OpenCV's way, and Pillow's
        np.testing.assert_array_equal(rgb(one), np.repeat(expected[..., None], 3, -1))


@pytest.mark.parametrize('transparency', [None, 3, bytes(range(64))])
@pytest.mark.parametrize('ending', ['PNG', 'GIF', 'TIFF'])
def test_a_palette_gives_its_colours_transparent_or_not(ending, transparency):
    palette = Image.fromarray(COLOUR).quantize(64)
    options = {} if transparency is None or ending == 'TIFF' else {'transparency': transparency}
    if ending == 'GIF' and isinstance(transparency, bytes):
        options = {}
    content = encoded(palette, ending, **options)
    expected = np.asarray(palette.convert('RGB'))
    for one in (content, content + bytes(100)):
        np.testing.assert_array_equal(rgb(one), expected)


def test_sixteen_bits_a_colour_are_scaled_with_and_without_transparency():
    deep_colour = COLOUR.astype(np.uint16) * 257
    for channels in (deep_colour, np.concatenate([deep_colour, deep_colour[..., :1]], -1)):
        content = cv2.imencode('.png', channels[..., [2, 1, 0, *range(3, channels.shape[-1])]])[1]
        np.testing.assert_array_equal(rgb(content.tobytes()), COLOUR)


def profile(exchanged=False):
    """The colour profile of sRGB, or one whose red and green are exchanged."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes())
    if exchanged:  # A profile's table has twelve bytes for each part, which begin with its name.
        table = range(132, 132 + 12 * int.from_bytes(content[128:132]), 12)
        rows = {bytes(content[row : row + 4]): row for row in table}
        red, green = (slice(rows[name] + 4, rows[name] + 12) for name in (b'rXYZ', b'gXYZ'))
        content[red], content[green] = content[green], content[red]
    return bytes(content)


@pytest.mark.parametrize('ending', ['PNG', 'JPEG', 'WEBP', 'TIFF'])
def test_pixels_of_another_colour_profile_become_srgb(ending):
    options = {'JPEG': {'quality': 100, 'subsampling': 0}, 'WEBP': {'lossless': True}}
    options = options.get(ending, {}) | {'icc_profile': profile(exchanged=True)}
    content = encoded(Image.fromarray(COLOUR), ending, **options)
    np.testing.assert_allclose(rgb(content), COLOUR[..., [1, 0, 2]], atol=3)


@pytest.mark.parametrize('ending', ['PNG', 'JPEG', 'WEBP'])
def test_pixels_of_srgb_stay(ending):
    same = encoded(Image.fromarray(COLOUR), ending)
    content = encoded(Image.fromarray(COLOUR), ending, icc_profile=profile())
    np.testing.assert_array_equal(rgb(content), rgb(same))


@pytest.mark.parametrize(
    ('profile_of', 'picture'),
    [(b'nothing', COLOUR), (None, COLOUR)],
    ids=['unreadable', 'of another space'],
)
def test_a_profile_that_says_nothing_is_one_sentence(profile_of, picture, tmp_path):
    lab_profile = ImageCms.ImageCmsProfile(ImageCms.createProfile('LAB')).tobytes()
    path = tmp_path / 'entry.png'
    Image.fromarray(picture).save(path, icc_profile=profile_of or lab_profile)
    with pytest.raises(images.UnreadableError, match=r'entry\.png has a colour profile .* sRGB$'):
        images.read(path)


def test_grey_takes_a_profile_of_colours_too():
    content = encoded(Image.fromarray(GREY), 'PNG', icc_profile=profile(exchanged=True))
    np.testing.assert_allclose(rgb(content), np.repeat(GREY[..., None], 3, -1), atol=2)


def lab():
    transform = ImageCms.buildTransformFromOpenProfiles(
        ImageCms.createProfile('sRGB'), ImageCms.createProfile('LAB'), 'RGB', 'LAB'
    )
    return ImageCms.applyTransform(Image.fromarray(COLOUR), transform)


def chunk(kind, content):
    """A part of a PNG file."""
    body = kind + content
    return struct.pack('>I', len(content)) + body + struct.pack('>I', zlib.crc32(body))


def png_that_declares(width, height):
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
