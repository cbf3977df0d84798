"""HEIC, the kind of picture that many telephones make, by the package pillow-heif.

The package is no part of requirements.txt. It teaches Pillow to open such files, upright and with
their EXIF, once it is registered.
"""

from __future__ import annotations

# What a file whose pictures are coded by HEVC says in its first box.
_BRANDS = {b'heic', b'heix', b'heim', b'heis', b'hevc', b'hevx', b'hevm', b'hevs'}
_ANY_CODE = {b'mif1', b'msf1'}  # by HEVC, or by AV1, which Pillow opens itself
_AV1 = {b'avif', b'avis'}


def is_heic(start: bytes) -> bool:
    """Whether a file is a picture of HEIC by its beginning, of at least a hundred bytes."""
    if start[4:8] != b'ftyp':
        return False
    box = start[: int.from_bytes(start[:4])]
    brands = {box[8:12], *(box[place : place + 4] for place in range(16, len(box), 4))}
    return bool(brands & _BRANDS) or (bool(brands & _ANY_CODE) and not brands & _AV1)


def register() -> bool:
    """Lets Pillow open pictures of HEIC; False where the package is not installed."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True
