"""Reads the annotation file of own data, `annotations.json`, and lists every mistake in its form.

The format is described in README.md beside this file; `judge.py` judges the numbers.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from capf_jax import errors
from capf_jax.errors import UserError
from capf_jax.pose import skeletons
from capf_jax.pose.cameras import Camera
from capf_jax.runtime import files

FILE = 'annotations.json'
SPLITS = ('train', 'test')
_LISTED = 5  # problems of one kind that are listed before the rest is only counted

_TOP = ('skeleton', 'cameras', 'entries')
_CAMERA = ('fx', 'fy', 'cx', 'cy', 'distortion')
_ENTRY = (
    'image', 'video', 'frame', 'joints2d', 'confidence', 'joints3d', 'camera', 'box',
    'subject', 'sequence', 'action', 'split',
)  # fmt: skip
_LAYOUT = """a folder of own data looks like
    SOURCE/annotations.json    see data_pipeline/datasets/own_data/README.md
    SOURCE/images/0001.jpg     images or videos, under the names that annotations.json gives them"""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One person in one image."""

    number: int  # position in the file, from 0
    medium: str  # path of the image or video, relative to the source folder
    is_video: bool
    frame: int  # frame of the video from 0; of an image, its position in the sequence
    joints2d: np.ndarray  # [J, 2] pixels of the whole image
    confidence: np.ndarray  # [J] 0 to 1; 0 for a joint that was not detected
    joints3d: np.ndarray  # [J, 3] mm, camera frame, not relative to the root
    camera: Camera | None
    box: np.ndarray | None  # [4] x y width height, pixels of the whole image
    subject: str
    sequence: str
    action: str
    split: str  # 'train', 'test' or '' where the file does not say

    @property
    def where(self) -> str:
        """How messages name the entry."""
        frame = f' frame {self.frame}' if self.is_video else ''
        return f'entry {self.number} ({self.medium}{frame})'


@dataclasses.dataclass(frozen=True)
class Annotations:
    """A whole annotation file, free of mistakes in its form."""

    skeleton: skeletons.Skeleton
    entries: tuple[Entry, ...]


@dataclasses.dataclass(frozen=True)
class Problem:
    """One thing that is wrong. Problems of one kind are listed together."""

    kind: str  # a short name, the same for all problems of the kind
    where: str  # which entry or which part of the file
    what: str  # what is wrong and how to mend it


class AnnotationError(UserError):
    """All problems of a folder of own data, in one message."""

    def __init__(self, source: pathlib.Path, problems: Iterable[Problem]):
        self.problems = tuple(problems)
        kinds: dict[str, list[Problem]] = {}
        for problem in self.problems:
            kinds.setdefault(problem.kind, []).append(problem)
        count = len(self.problems)
        lines = [f'{source / FILE} has {count} problem{"s" if count > 1 else ""}:']
        number = 0
        for kind, members in kinds.items():
            for problem in members[:_LISTED]:
                number += 1
                lines.append(f'  {number}. {problem.where}: {problem.what}')
            if len(members) > _LISTED:
                rest = len(members) - _LISTED
                lines.append(f'     and {rest} more of this kind ({kind})')
        super().__init__('\n'.join(map(errors.printable, lines)))


def locate(source: str) -> pathlib.Path:
    """The folder `source`, which must hold an annotation file.

    Raises:
      FileNotFoundError: there is no such folder, or it holds no annotation file.
    """
    if not source:
        raise FileNotFoundError(
            f'config.data.builder.source names no folder of own data; {_LAYOUT}'
        )
    folder = pathlib.Path(source)
    if not folder.is_dir():
        raise FileNotFoundError(f'the folder {source!r} of own data does not exist; {_LAYOUT}')
    if not (folder / FILE).is_file():
        raise FileNotFoundError(f'the folder {source!r} of own data has no {FILE}; {_LAYOUT}')
    return folder


def content_hash(source: pathlib.Path) -> str:
    """Digest of the annotation file's bytes, since other annotations make another dataset."""
    return hashlib.sha256((source / FILE).read_bytes()).hexdigest()


def read_skeleton(source: pathlib.Path) -> skeletons.Skeleton:
    """The skeleton that the annotation file names. Raises AnnotationError as `read` does."""
    return skeletons.get(_load(source)['skeleton'])


def read(source: pathlib.Path) -> tuple[Annotations, list[Problem]]:
    """Read the annotation file of a folder that `locate` gave.

    Returns:
      The entries whose form is right, and the problems of all others.

    Raises:
      AnnotationError: the file as a whole cannot be read: not JSON, or its skeleton is unknown.
    """
    content = _load(source)
    problems: list[Problem] = []
    skeleton = skeletons.get(content['skeleton'])
    cameras = {
        name: _read_camera(name, fields, problems)
        for name, fields in content.get('cameras', {}).items()
    }
    entries = [
        _read_entry(number, fields, len(skeleton), cameras, problems)
        for number, fields in enumerate(content['entries'])
    ]
    return Annotations(skeleton, tuple(entry for entry in entries if entry)), problems


def _load(source: pathlib.Path) -> dict[str, Any]:
    try:
        content = files.parse_json((source / FILE).read_bytes())
    except ValueError as error:  # bad JSON and bad UTF-8 alike
        raise AnnotationError(
            source, [Problem('format', 'the file', f'is not JSON: {error}')]
        ) from None
    if problems := _check_top(content):
        raise AnnotationError(source, problems)
    return content


def _check_top(content: Any) -> list[Problem]:
    where = 'the file'
    if not isinstance(content, dict):
        return [Problem('format', where, f'must be an object with {", ".join(_TOP)}')]
    problems = _unknown_names(where, content, _TOP)
    if content.get('skeleton') not in list(skeletons.SKELETONS):  # it may be anything in JSON
        problems.append(
            Problem(
                'skeleton',
                where,
                f"'skeleton' is {content.get('skeleton')!r}, "
                f'known are {", ".join(skeletons.SKELETONS)}',
            )
        )
    if not isinstance(content.get('cameras', {}), dict):
        problems.append(Problem('format', where, "'cameras' must be an object of named cameras"))
    if not (isinstance(content.get('entries'), list) and content['entries']):
        problems.append(Problem('format', where, "'entries' must be a list of at least one entry"))
    return problems


def _is_path(medium: str) -> bool:
    """Whether a file system may have a file of this name."""
    try:
        parts = os.fsencode(medium).split(b'/')
    except UnicodeEncodeError:
        return False
    return b'\0' not in os.fsencode(medium) and len(medium) < 4096 and max(map(len, parts)) < 256


def _unknown_names(where: str, fields: dict[str, Any], known: tuple[str, ...]) -> list[Problem]:
    return [
        Problem(
            'unknown field',
            where,
            f'there is no field {name!r}, the nearest is {errors.nearest(name, known)!r}',
        )
        for name in fields
        if name not in known
    ]


def _numbers(value: Any, shape: tuple[int, ...]) -> np.ndarray | str:
    """`value` as float64 of `shape`, or a text that says what it is instead."""
    try:
        array = np.asarray(value, np.float64)
    except OverflowError:
        return 'holds a number that is too large'
    except (TypeError, ValueError):
        return 'holds lists of unequal lengths or things that are no numbers'
    if array.shape != shape:
        return f'has shape {list(array.shape)} where {list(shape)} is needed'
    if not np.isfinite(array).all():
        rows = np.unique(np.argwhere(~np.isfinite(array))[:, 0]).tolist()
        return f'has NaN, null or infinite values in row{"s" if len(rows) > 1 else ""} {rows}'
    return array


def _read_camera(name: str, fields: Any, problems: list[Problem]) -> Camera | None:
    where = f'camera {name!r}'
    if not isinstance(fields, dict):
        problems.append(Problem('camera', where, 'must be an object with fx, fy, cx, cy'))
        return None
    wrong = _unknown_names(where, fields, _CAMERA)
    intrinsics = _numbers([fields.get(field) for field in _CAMERA[:4]], (4,))
    if isinstance(intrinsics, str) or not (intrinsics[:2] > 0).all():
        wrong.append(
            Problem('camera', where, 'needs the numbers fx, fy, cx, cy in pixels, fx and fy > 0')
        )
    coefficients = fields.get('distortion', [0.0] * 5)
    count = len(coefficients) if isinstance(coefficients, list) else 0
    distortion = _numbers(coefficients, (count,))
    if isinstance(distortion, str) or count not in (4, 5, 8):
        wrong.append(
            Problem('camera', where, "'distortion' must be 4, 5 or 8 numbers: k1 k2 p1 p2 k3 ...")
        )
    problems += wrong
    if wrong or isinstance(intrinsics, str) or isinstance(distortion, str):
        return None
    return Camera(name, None, None, intrinsics, distortion)


def _read_entry(
    number: int,
    fields: Any,
    num_joints: int,
    cameras: dict[str, Camera | None],
    problems: list[Problem],
) -> Entry | None:
    """The entry, or None; its problems are appended to `problems`."""
    if not isinstance(fields, dict):
        problems.append(Problem('format', f'entry {number}', 'must be an object'))
        return None
    medium = fields.get('video', fields.get('image'))
    is_video = 'video' in fields
    frame = fields.get('frame', None if is_video else number)
    where = f'entry {number} ({medium}{f" frame {frame}" if is_video else ""})'
    wrong = _unknown_names(where, fields, _ENTRY)

    if is_video == ('image' in fields) or not (isinstance(medium, str) and medium):
        wrong.append(Problem('medium', where, "needs either 'image' or 'video', a path"))
    elif not _is_path(medium):
        wrong.append(Problem('medium', where, 'no file can have this name; shorten or correct it'))
    if not (type(frame) is int and 0 <= frame < 2**31):
        wrong.append(Problem('frame', where, f"'frame' must be a number from 0, is {frame!r}"))
    shapes = {
        'joints2d': (num_joints, 2),
        'joints3d': (num_joints, 3),
        'confidence': (num_joints,),
        'box': (4,),
    }
    arrays: dict[str, Any] = {'confidence': np.ones(num_joints), 'box': None}
    for name, shape in shapes.items():
        if fields.get(name) is not None:
            arrays[name] = _numbers(fields[name], shape)
            if isinstance(arrays[name], str):
                wrong.append(Problem(name, where, f'{name!r} {arrays[name]}'))
        elif name not in arrays:
            wrong.append(Problem(name, where, f'{name!r} is missing'))
    camera = fields.get('camera')
    if camera is not None and camera not in list(cameras):  # it may be anything in JSON
        known = ', '.join(cameras) or 'none'
        wrong.append(
            Problem('camera', where, f"there is no {camera!r} under 'cameras', which has: {known}")
        )
    labels = {name: fields.get(name, '') for name in ('subject', 'sequence', 'action', 'split')}
    for name, value in labels.items():
        if not isinstance(value, str):
            wrong.append(Problem('label', where, f'{name!r} must be a text, is {value!r}'))
        elif not value.isprintable():
            what = f'{name!r} holds characters that cannot be printed: {value!r}'
            wrong.append(Problem('label', where, what))
    if labels['split'] not in ('', *SPLITS):
        wrong.append(
            Problem('split', where, f"'split' must be train or test, is {labels['split']!r}")
        )
    problems += wrong
    if wrong or not isinstance(medium, str):
        return None
    known_camera = None if camera is None else cameras.get(camera)
    return Entry(number, medium, is_video, frame, camera=known_camera, **arrays, **labels)
