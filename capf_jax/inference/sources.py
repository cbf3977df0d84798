"""What a prediction is made of: pictures and videos, one or many, or a folder of own data.

A source is an array, a file, a folder, a pattern such as 'holiday/*.jpg', or a list of files.
"""

from __future__ import annotations

import dataclasses
import glob
import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import cv2
import numpy as np

from capf_jax.errors import UserError
from capf_jax.inference import joints2d_files
from capf_jax.inference.joints2d_files import JointsFile
from capf_jax.runtime import files
from data_pipeline import images
from data_pipeline.images import LensTags, MissingPackageError, UnreadableError

LEAST_SIDE = 16  # pixels; a picture with a shorter side shows nobody
CAMERA = 'camera:'  # what a camera's name begins with; its number follows
OWN_DATA = 'annotations.json'  # the file that makes a folder one of own data
# Endings of pictures that Pillow opens, those of HEIC by a further package; a folder may hold other
# files beside.
ENDINGS = (
    '.jpg', '.jpeg', '.jpe', '.jfif', '.png', '.webp', '.bmp', '.tif', '.tiff', '.gif', '.ppm',
    '.pgm', '.avif', '.heic', '.heif', '.jp2', '.tga',
)  # fmt: skip
VIDEOS = (
    '.mp4', '.mov', '.avi', '.mkv', '.webm', '.m4v', '.qt', '.3gp', '.3g2', '.mpg', '.mpeg', '.mpe',
    '.m2v', '.vob', '.ts', '.mts', '.m2t', '.m2ts', '.wmv', '.asf', '.flv', '.f4v', '.ogv', '.mxf',
    '.divx',
)  # fmt: skip
# The reader of videos tells what is wrong with them; a folder may hold them beside.
SOUNDS = (
    '.mp3', '.wav', '.m4a', '.aac', '.flac', '.ogg', '.oga', '.opus', '.wma', '.aif', '.aiff',
    '.ac3', '.mka', '.amr', '.caf',
)  # fmt: skip


@dataclasses.dataclass(frozen=True, eq=False)
class Picture:
    """One picture, decoded.

    Attributes:
      pixels: [H, W, 3] uint8, RGB, upright.
      lens: what its file says of the lens; None where it says nothing.
    """

    pixels: np.ndarray
    lens: LensTags | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]


@dataclasses.dataclass(frozen=True)
class Sources:
    """The pictures and videos of a source.

    Attributes:
      paths: their files, sorted.
      single: whether the source names one picture or video.
      joints: the people of a folder of own data; None of other sources.
    """

    paths: tuple[pathlib.Path, ...]
    single: bool
    joints: JointsFile | None = None

    def split(self) -> tuple[Sources, Sources]:
        """The pictures, and the videos."""
        videos = tuple(path for path in self.paths if is_video(path))
        pictures = tuple(path for path in self.paths if not is_video(path))
        return dataclasses.replace(self, paths=pictures), Sources(videos, self.single)

    def names(self) -> tuple[str, ...]:
        """The name of each file's result: that of the file without its ending.

        Where two would be equal, they are the paths in the folder of all, and where these would be
        equal, they keep their endings.
        """
        stems = [path.stem for path in self.paths]
        if _all_differ(stems):
            return tuple(stems)
        whole = [path.absolute() for path in self.paths]
        common = pathlib.Path(os.path.commonpath([path.parent for path in whole]))
        relative = [path.relative_to(common) for path in whole]
        without = [str(path.with_suffix('')) for path in relative]
        return tuple(without if _all_differ(without) else map(str, relative))


def _all_differ(names: Sequence[str]) -> bool:
    """Whether the names differ on file systems that take upper and lower case for one, too."""
    return len({name.lower() for name in names}) == len(names)


def find(source: str | os.PathLike | Sequence[str | os.PathLike]) -> Sources:
    """The pictures and videos that a source names; none of them is opened.

    Args:
      source: a file, a folder, a pattern or a list of files, as a user may write them.

    Raises:
      FileNotFoundError: nothing is there.
      UserError: a folder or pattern without pictures and videos; or a camera.
    """
    if not isinstance(source, (str, os.PathLike)):
        paths = [path for one in source for path in find(one).paths]
        if not paths:
            raise UserError('the list of pictures is empty; name at least one')
        return Sources(tuple(dict.fromkeys(paths)), False)
    path = files.path_here(source)
    if path.is_dir():
        if (path / OWN_DATA).is_file():
            joints = joints2d_files.read(path / OWN_DATA)
            return Sources(tuple(path / name for name in joints.pictures), False, joints)
        paths = _usable(path.iterdir())
        if not paths:
            raise UserError(f'the folder {path} holds no picture and no video; name another')
        return Sources(paths, False)
    if path.is_file():
        return Sources((path,), True)
    if glob.has_magic(str(path)):
        paths = _usable(map(pathlib.Path, glob.glob(str(path), recursive=True)))
        if not paths:
            raise FileNotFoundError(f'no picture or video is called {path}; correct the pattern')
        return Sources(paths, False)
    if str(source).startswith(CAMERA):
        raise UserError(
            f'{source} is a camera, which has no end: in Python stream({str(source)!r}) gives its '
            f'people frame by frame, and `python -m capf_jax.predict {source}` records it'
        )
    raise FileNotFoundError(f'there is no picture, video or folder {path}; correct its name')


def is_video(path: pathlib.Path) -> bool:
    """Whether a path is one for the reader of videos, by its ending; sound alone is, too."""
    return path.suffix.lower() in (*VIDEOS, *SOUNDS)


def _usable(paths: Iterable[pathlib.Path]) -> tuple[pathlib.Path, ...]:
    """Those that are pictures or videos by their ending, sorted; hidden files are left out."""
    return tuple(
        sorted(
            path
            for path in paths
            if path.suffix.lower() in (*ENDINGS, *VIDEOS)
            and not path.name.startswith('.')
            and path.is_file()
        )
    )


def read(path: pathlib.Path) -> Picture:
    """Decodes a picture.

    Raises:
      UnreadableError: the file is no picture, or is cut short, or a package that opens it is not
        installed.
      UserError: the picture is too small to show anyone.
      OSError: the file cannot be read.
    """
    encoded = path.read_bytes()
    try:
        pixels = images.decode(encoded)
    except MissingPackageError as error:
        raise MissingPackageError(f'{path} {error}') from None
    except UnreadableError as error:
        is_named = path.suffix.lower() in ENDINGS
        other = '' if is_named else '; a video needs the ending of one, such as .mp4'
        raise UnreadableError(
            f'{path} is no picture that can be read, it {error}{other}; give another file'
        ) from None
    picture = Picture(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), images.lens_tags(encoded))
    _check_size(picture, str(path))
    return picture


def of_array(pixels: Any) -> Picture:
    """A picture of an array.

    Raises:
      UserError: no uint8 RGB [H, W, 3], or too small to show anyone.
    """
    pixels = np.asarray(pixels)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise UserError(
            f'the picture is {pixels.dtype} {list(pixels.shape)}; it must be RGB, uint8 [H, W, 3]'
        )
    picture = Picture(pixels)
    _check_size(picture, 'the picture')
    return picture


def _check_size(picture: Picture, where: str) -> None:
    if min(picture.size) < LEAST_SIDE:
        width, height = picture.size
        raise UserError(
            f'{where} has {width}x{height} px, too few to show anyone; '
            f'give a picture of at least {LEAST_SIDE} px a side'
        )
