"""The file of `Tracks`: a NumPy archive, which is read back; docs/video.md.

The file is whole or absent, says its format and version, and holds the names of joints and bones,
the unit and the axes, so that a reader needs nothing of this repository. There are no pickles.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from capf_jax.errors import UserError
from capf_jax.inference import stored_fields
from capf_jax.inference.people import AXES
from capf_jax.inference.tracks import UNIT, Tracks, array_shapes
from capf_jax.pose import skeletons
from capf_jax.pose.cameras import Camera
from capf_jax.runtime import files

FORMAT = 'capf_jax tracks'
VERSION = 1
LARGEST = 1 << 33  # bytes that an archive may unpack to
# What the content of an archive that was tampered with may raise while it becomes tracks.
BROKEN = (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, MemoryError)


def write(
    path: str | os.PathLike, tracks: Tracks, further: Mapping[str, Any] | None = None
) -> files.AnyPath:
    """Writes tracks into a NumPy archive; returns its path.

    Args:
      path: '*.npz', as a user may write it; its folder is made.
      tracks: any number of people and frames.
      further: fields that stand beside those of the tracks, and which `read` passes over.

    Raises:
      OSError: the file could not be written; an older file of that name is still whole.
    """
    path = files.user_path(path)
    with files.whole(path) as temporary, temporary.open('wb') as file:
        np.savez_compressed(file, **(further or {}), **fields_of(tracks))
    return path


def read(path: str | os.PathLike) -> Tracks:
    """Reads tracks out of a file that `write` made.

    Raises:
      FileNotFoundError: there is no such file.
      UserError: another program's file, a newer version, or a damaged file.
    """
    path = files.user_path(path)
    if not path.is_file():
        raise FileNotFoundError(f'there is no file {path} with tracks; correct its name')
    try:
        with files.local(path) as copy:
            fields = stored_fields.read_archive(copy, LARGEST)
        stored_fields.check_format(path, fields, FORMAT, VERSION)
        return _tracks(fields)
    except BROKEN as error:
        if isinstance(error, UserError) and str(path) in str(error):
            raise
        words = ' '.join(str(error).split()) or type(error).__name__
        raise UserError(
            f'{path} holds no tracks that can be read ({words}); '
            'make it again with python -m capf_jax.predict'
        ) from error


def fields_of(tracks: Tracks) -> dict[str, Any]:
    """All that a file holds by name: arrays, text and numbers; docs/video.md lists them."""
    skeleton, camera = skeletons.get(tracks.skeleton), tracks.camera
    in_world = tracks.axes != 'camera' and camera.position is not None
    return {
        'format': FORMAT,
        'version': VERSION,
        'source': tracks.source,
        'fps': float(tracks.fps),
        'image_size': np.array(tracks.image_size, np.int64),
        'unit': UNIT,
        'axes': tracks.axes,
        'axes_in_words': AXES[tracks.axes],
        'intrinsics': np.array(camera.intrinsics, np.float64),
        'distortion': np.array(() if camera.distortion is None else camera.distortion, np.float64),
        'rotation': np.array(np.eye(3) if camera.rotation is None else camera.rotation, np.float64),
        'position': np.array(camera.position if in_world else (), np.float64),
        'camera_name': camera.name,
        'camera_assumed': bool(tracks.camera_assumed),
        'camera_origin': tracks.camera_origin,
        'skeleton': skeleton.name,
        'joint_names': np.array(skeleton.joints),
        'bones': np.array(skeleton.bones, np.int64),
        'root_joint': skeleton.root,
        **{name: getattr(tracks, name) for name in array_shapes(0, 0, skeleton.name)},
    }


def _tracks(fields: Mapping[str, Any]) -> Tracks:
    """The tracks of a file whose format is right."""
    skeleton, axes = skeletons.get(str(fields['skeleton'])), str(fields['axes'])
    if tuple(fields['joint_names']) != skeleton.joints:
        raise ValueError(f'its joints are not those of {skeleton.name!r}')
    if fields['unit'] != UNIT:
        raise ValueError(f'its unit is {fields["unit"]!r}, not {UNIT!r}')
    for name, shape in (('intrinsics', (4,)), ('rotation', (3, 3)), ('image_size', (2,))):
        if np.shape(fields[name]) != shape or not np.isfinite(fields[name]).all():
            raise ValueError(f'{name} must be numbers {list(shape)}')
    for name, lengths in (('distortion', (0, 4, 5, 8)), ('position', (0, 3))):
        if np.ndim(fields[name]) != 1 or len(fields[name]) not in lengths:
            raise ValueError(f'{name} must be {" or ".join(map(str, lengths))} numbers')
    width, height = map(int, fields['image_size'])
    if min(width, height) < 1:
        raise ValueError(f'image_size is {width}x{height}, which is no image')
    in_camera = axes == 'camera'
    camera = Camera(
        name=str(fields['camera_name']),
        rotation=None if in_camera else fields['rotation'],
        position=None if in_camera or not len(fields['position']) else fields['position'],
        intrinsics=fields['intrinsics'],
        distortion=fields['distortion'] if len(fields['distortion']) else None,
        image_size=(width, height),
    )
    copied: dict[str, Any] = {name: fields[name] for name in array_shapes(0, 0, skeleton.name)}
    return Tracks(
        **copied,
        fps=float(fields['fps']),
        skeleton=skeleton.name,
        camera=camera,
        camera_assumed=bool(fields['camera_assumed']),
        camera_origin=str(fields['camera_origin']),
        image_size=(width, height),
        source=str(fields['source']),
        axes=axes,
    )
