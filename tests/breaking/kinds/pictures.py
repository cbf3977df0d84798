"""Pictures of every format and damage, in a folder of own data and as photographs."""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tests.breaking.kinds import own_data
from tests.breaking.runner import EITHER, REFUSED, WORKS, Case
from tests.breaking.world import World
from tests.data_pipeline.test_strange_pictures import jpeg_that_declares, png_that_declares

SIZE = (240, 320)  # (H, W) of the pictures of own data
SHADES = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
# Format -> modes that it takes.
FORMATS = {
    'PNG': ('1', 'L', 'LA', 'P', 'RGB', 'RGBA', 'I;16'), 'JPEG': ('L', 'RGB', 'CMYK'),
    'WEBP': ('RGB', 'RGBA'), 'TIFF': ('1', 'L', 'LA', 'P', 'RGB', 'CMYK', 'LAB', 'F', 'I;16'),
    'GIF': ('P', 'L'), 'BMP': ('1', 'L', 'RGB'), 'PPM': ('L', 'RGB'), 'AVIF': ('RGB',),
    'JPEG2000': ('L', 'RGB'), 'TGA': ('RGB',),
}  # fmt: skip
DECLARED = {
    'png 10^5': png_that_declares(100_000, 100_000),
    'png 2^31': png_that_declares(2**31 - 1, 2**31 - 1),
    'png 0': png_that_declares(0, 0),
    'jpeg 60000': jpeg_that_declares(60_000, 60_000),
    'ppm': b'P6 99999 99999 255\n\0\0\0',
    'ppm of no size': b'P6 0 0 255\n',
    'pgm of text': b'P2 3 x 255\n',
    'bmp': b'BM'
    + struct.pack('<IHHIIiiHHIIiiII', 54, 0, 0, 54, 40, 50_000, 50_000, 1, 24, *6 * [0]),
    'tiff of a loop': b'II*\0\x08\0\0\0\0\0\x08\0\0\0',
    'gif': b'GIF89a\xff\xff\xff\xff\0\0\0;',
    'svg': b'<svg xmlns="http://www.w3.org/2000/svg" width="320" height="240"/>',
    'html': b'<!DOCTYPE html><title>404</title>',
    'pdf': b'%PDF-1.7\n',
    'zip': b'PK\x03\x04' + bytes(40),
    'eps with a program': b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n{1} loop\n',
    'a bomb': b'\x89PNG\r\n\x1a\n' + zlib.compress(bytes(10**7)),
}


def encoded(ending: str, mode: str, **options) -> bytes:
    """A picture of random shades."""
    stream = io.BytesIO()
    if mode == 'I;16':
        picture = Image.fromarray(SHADES[..., 0].astype(np.uint16) * 257)
    elif mode == 'F':
        picture = Image.fromarray(SHADES[..., 0].astype(np.float32) / 255)
    elif mode == 'LAB':
        picture = Image.frombytes('LAB', SIZE[::-1], SHADES.tobytes())
    else:
        picture = Image.fromarray(SHADES).convert(mode)
    picture.save(stream, ending, **options)
    return stream.getvalue()


def cases(world: World) -> Iterator[Case]:
    """All cases of this kind."""
    for ending, modes in FORMATS.items():
        for mode in modes:
            yield _case(world, f'{ending} {mode}', encoded(ending, mode), WORKS)
        whole = encoded(ending, 'RGB' if 'RGB' in modes else modes[0])
        for share in (0.02, 0.5, 0.98):
            content = whole[: int(share * len(whole))]
            expected = REFUSED if share < 0.9 and ending in ('PNG', 'JPEG', 'WEBP') else EITHER
            yield _case(world, f'{ending} cut at {share}', content, expected)
        for seed in range(3):
            random = np.random.default_rng(seed)
            content = np.frombuffer(whole, np.uint8).copy()
            places = random.integers(0, len(content), 20)
            content[places] = random.integers(0, 256, 20)
            yield _case(world, f'{ending} with noise {seed}', content.tobytes(), EITHER)
    for name, content in DECLARED.items():
        yield _case(world, name, content, REFUSED)
        path = world.place() / 'photograph.png'

        def prepare(path=path, content=content) -> None:
            path.parent.mkdir(parents=True)
            path.write_bytes(content)

        arguments = (str(path), f'--output={path.parent / "out"}')
        yield Case('pictures', f'predict {name}', 'predict', arguments, REFUSED, prepare=prepare)
    profile = encoded('PNG', 'RGB', icc_profile=b'no profile at all')
    yield _case(world, 'PNG with a profile that does not read', profile, REFUSED)


def _case(world: World, name: str, content: bytes, expected: str, **more) -> Case:
    """A build from a folder whose second picture has this content."""

    def spoil(folder) -> None:
        (folder.path / 'images/1.png').write_bytes(content)

    sentence = '1.png' if expected == REFUSED else ''
    return own_data.case(world, name, spoil, expected, sentence, kind='pictures', **more)
