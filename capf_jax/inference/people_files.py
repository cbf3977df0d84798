"""Files of `People`: NumPy archives and JSON, which are read back, and CSV; docs/predict.md.

Each file is whole or absent, says its format and version, and holds the names of joints and bones,
the unit and the axes, so that a reader needs nothing of this repository. A further format is one
function in `WRITERS`.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from capf_jax import errors
from capf_jax.errors import UserError
from capf_jax.inference import stored_fields
from capf_jax.inference.people import AXES, UNIT, People, array_shapes
from capf_jax.pose import skeletons
from capf_jax.pose.cameras import Camera
from capf_jax.runtime import files

FORMAT = 'capf_jax people'
VERSION = 1
DECIMALS = 6  # of JSON and CSV: micrometres, and millionths of a pixel
LARGEST = 1 << 31  # bytes that an archive may unpack to
CSV_COLUMNS = (
    'source', 'id', 'time_s', 'valid', 'skeleton', 'joint', 'x_px', 'y_px', 'confidence',
    'axes', 'x_m', 'y_m', 'z_m',
)  # fmt: skip
# What a JSON text, or the content of an archive, that was tampered with may raise.
_BROKEN = (
    ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError,
    MemoryError,
)  # fmt: skip


def write(
    path: str | os.PathLike, people: People, beside: Mapping[str, Any] | None = None
) -> files.AnyPath:
    """Writes people into a file whose ending names the format; returns its path.

    Args:
      path: '*.npz', '*.json' or '*.csv', as a user may write it; its folder is made.
      people: any number of them.
      beside: what a JSON file says, too, as `result_origin.Origin.document`.

    Raises:
      UserError: there is no format of this ending.
      OSError: the file could not be written; an older file of that name is still whole.
    """
    path = files.user_path(path)
    ending = _ending(path, WRITERS)
    with files.whole(path) as temporary, temporary.open('wb') as file:
        if ending == 'json':
            _write_json(file, people, beside)
        else:
            WRITERS[ending](file, people)
    return path


def read(path: str | os.PathLike) -> People:
    """Reads people out of a file that `write` made.

    Args:
      path: '*.npz' or '*.json', as a user may write it.

    Raises:
      FileNotFoundError: there is no such file.
      UserError: another ending, another program's file, a newer version, or a damaged file.
    """
    path = files.user_path(path)
    reader = _READERS[_ending(path, _READERS)]
    if not path.is_file():
        raise FileNotFoundError(f'there is no file {path} with people; correct its name')
    try:
        with files.local(path) as copy:
            fields = reader(copy)
        stored_fields.check_format(path, fields, FORMAT, VERSION)
        return of_fields(path, fields)
    except UserError:
        raise
    except _BROKEN as error:
        raise UserError(
            f'{path} holds no people that can be read ({_one_line(error)}); '
            'make it again with python -m capf_jax.predict'
        ) from error


def fields_of(people: People) -> dict[str, Any]:
    """All that a file holds, under the names of the NumPy archive.

    Returns:
      Arrays, text and numbers; docs/predict.md lists them.
    """
    flat, solid = skeletons.get(people.joints2d_skeleton), skeletons.get(people.skeleton)
    arrays = array_shapes(people.joints2d_skeleton, people.skeleton)
    camera = people.camera
    return {
        'format': FORMAT,
        'version': VERSION,
        'source': people.source,
        'image_size': np.array(people.image_size, np.int64),
        'unit': UNIT,
        'axes': people.axes,
        'axes_in_words': AXES[people.axes],
        'intrinsics': np.array(camera.intrinsics, np.float64),
        'distortion': np.array(() if camera.distortion is None else camera.distortion, np.float64),
        'rotation': np.array(np.eye(3) if camera.rotation is None else camera.rotation, np.float64),
        'camera_name': camera.name,
        'camera_assumed': people.camera_assumed,
        'camera_origin': people.camera_origin,
        'skeleton': solid.name,
        'joint_names': np.array(solid.joints),
        'bones': np.array(solid.bones, np.int64),
        'root_joint': solid.root,
        'joints2d_skeleton': flat.name,
        'joints2d_names': np.array(flat.joints),
        'joints2d_bones': np.array(flat.bones, np.int64),
        **{name: getattr(people, name) for name in arrays},
    }


def document_of(people: People) -> dict[str, Any]:
    """What the JSON file says: nested dicts and lists of text and numbers; docs/predict.md.

    Numbers are rounded to `DECIMALS`; those that are missing are None.
    """
    camera = people.camera
    return {
        'format': FORMAT,
        'version': VERSION,
        'source': people.source,
        'image_size': {'width': int(people.image_size[0]), 'height': int(people.image_size[1])},
        'unit': UNIT,
        'axes': {'name': people.axes, 'in_words': AXES[people.axes]},
        'camera': {
            'name': camera.name,
            **dict(zip(('fx', 'fy', 'cx', 'cy'), _numbers(camera.intrinsics), strict=True)),
            'distortion': _numbers(() if camera.distortion is None else camera.distortion),
            'rotation': _numbers(np.eye(3) if camera.rotation is None else camera.rotation, 12),
            'assumed': bool(people.camera_assumed),
            'origin': people.camera_origin,
        },
        'skeleton': _skeleton_words(people.skeleton),
        'joints2d_skeleton': _skeleton_words(people.joints2d_skeleton),
        'people': [
            {
                'id': int(people.ids[n]),
                'time': _numbers(people.time[n]),
                'valid': bool(people.valid[n]),
                'box': _numbers(people.boxes[n]),
                'root': _numbers(people.root[n]),
                'pose': _numbers(people.pose[n]),
                'joints2d': _numbers(people.joints2d[n]),
                'confidence': _numbers(people.confidence[n]),
            }
            for n in range(len(people))
        ],
    }


def _write_npz(file: Any, people: People) -> None:
    np.savez_compressed(file, **fields_of(people))


def _write_json(file: Any, people: People, beside: Mapping[str, Any] | None = None) -> None:
    text = json.dumps(document_of(people) | dict(beside or {}), indent=1, allow_nan=False)
    # One joint is one line. Only formatting has line breaks in JSON, so that no text is changed.
    rows = re.sub(
        r'\[\n\s*([^\[\]{}]*?)\n\s*\]',
        lambda row: '[' + re.sub(r',\n\s*', ', ', row[1]) + ']',
        text,
    )
    file.write(rows.encode() + b'\n')


def _write_csv(file: Any, people: People) -> None:
    """One row a joint: first those in 2D, then those in 3D, as the camera sees them."""
    flat, solid = skeletons.get(people.joints2d_skeleton), skeletons.get(people.skeleton)
    rows: list[tuple[Any, ...]] = [CSV_COLUMNS]
    for n in range(len(people)):
        person = (
            people.source, people.ids[n], _numbers(people.time[n]), int(people.valid[n]),
        )  # fmt: skip
        for joint, place, confidence in zip(
            flat.joints, _numbers(people.joints2d[n]), _numbers(people.confidence[n]), strict=True
        ):
            rows.append((*person, flat.name, joint, *place, confidence, '', '', '', ''))
        for joint, place in zip(solid.joints, _numbers(people.joints3d[n]), strict=True):
            rows.append((*person, solid.name, joint, '', '', '', people.axes, *place))
    lines = _Lines()
    csv.writer(lines, lineterminator='\n').writerows(rows)
    file.write(''.join(lines).encode())


class _Lines(list):
    """Text that is written line by line."""

    write = list.append


# Ending -> what writes people into an open file, bytes.
WRITERS: dict[str, Callable[[Any, People], None]] = {
    'npz': _write_npz,
    'json': _write_json,
    'csv': _write_csv,
}


def _read_npz(path: os.PathLike) -> dict[str, Any]:
    return stored_fields.read_archive(path, LARGEST)


def _read_json(path: Any) -> dict[str, Any]:
    """A JSON file's content under the names of the NumPy archive."""
    document = files.parse_json(path.read_bytes())
    if not isinstance(document, dict) or document.get('format') != FORMAT:
        return {}
    if document.get('version') != VERSION:
        return {name: document.get(name) for name in ('format', 'version')}
    camera, people = document['camera'], document['people']
    flat, solid = document['joints2d_skeleton'], document['skeleton']
    shapes = array_shapes(flat['name'], solid['name'])
    keys = {'id': 'ids', 'box': 'boxes'}
    columns = {keys.get(key, key): [one[key] for one in people] for key in _PERSON_KEYS}
    return {
        **{name: document[name] for name in ('format', 'version', 'source', 'unit')},
        'image_size': np.array([document['image_size'][side] for side in ('width', 'height')]),
        'axes': document['axes']['name'],
        'intrinsics': np.array([camera[name] for name in ('fx', 'fy', 'cx', 'cy')], np.float64),
        'distortion': np.array(camera['distortion'], np.float64),
        'rotation': np.array(camera['rotation'], np.float64),
        'camera_name': camera['name'],
        'camera_assumed': camera['assumed'],
        'camera_origin': camera['origin'],
        'skeleton': solid['name'],
        'joint_names': solid['joints'],
        'joints2d_skeleton': flat['name'],
        'joints2d_names': flat['joints'],
        **{
            # None becomes NaN; an empty list has lost its further axes.
            name: np.array(columns[name], dtype if dtype is not np.bool_ else None)
            if people
            else np.zeros((0, *shape), dtype)
            for name, (shape, dtype) in shapes.items()
        },
    }


_PERSON_KEYS = ('id', 'time', 'valid', 'box', 'root', 'pose', 'joints2d', 'confidence')
_READERS: dict[str, Callable[[Any], dict[str, Any]]] = {'npz': _read_npz, 'json': _read_json}


def join(people: Sequence[People]) -> People:
    """The people of several frames of one video, one after the other, in one `People`."""
    arrays = array_shapes(people[0].joints2d_skeleton, people[0].skeleton)
    return dataclasses.replace(
        people[0],
        **{name: np.concatenate([getattr(one, name) for one in people]) for name in arrays},
    )


def of_fields(path: files.AnyPath, fields: Mapping[str, Any]) -> People:
    """The people in the content of a file whose format is right, as `fields_of` makes it.

    Args:
      path: of the file, for messages.
      fields: its content by name.

    Raises:
      UserError: names, units or numbers are not those of people.
    """
    for name, names in (('skeleton', 'joint_names'), ('joints2d_skeleton', 'joints2d_names')):
        if tuple(fields[names]) != skeletons.get(str(fields[name])).joints:
            raise UserError(
                f'{names} in {path} are not those of {fields[name]!r}; make the file again'
            )
    if fields['unit'] != UNIT:
        raise UserError(f'unit in {path} is {fields["unit"]!r}; it must be {UNIT!r}')
    for name, shape in (('intrinsics', (4,)), ('rotation', (3, 3)), ('image_size', (2,))):
        if np.shape(fields[name]) != shape or not np.isfinite(fields[name]).all():
            raise UserError(f'{name} in {path} must be numbers {list(shape)}; make it again')
    if np.ndim(fields['distortion']) != 1 or len(fields['distortion']) not in (0, 4, 5, 8):
        raise UserError(f'distortion in {path} must be 0, 4, 5 or 8 numbers; make it again')
    width, height = map(int, fields['image_size'])
    axes = str(fields['axes'])
    camera = Camera(
        name=str(fields['camera_name']),
        rotation=None if axes == 'camera' else fields['rotation'],
        position=None,
        intrinsics=fields['intrinsics'],
        distortion=fields['distortion'] if len(fields['distortion']) else None,
        image_size=(width, height),
    )
    words = ('joints2d_skeleton', 'skeleton', 'camera_origin', 'source')
    arrays = array_shapes(fields['joints2d_skeleton'], fields['skeleton'])
    copied: dict[str, Any] = {name: fields[name] for name in arrays}
    copied |= {name: str(fields[name]) for name in words}
    return People(
        **copied,
        camera=camera,
        camera_assumed=bool(fields['camera_assumed']),
        image_size=(width, height),
        axes=axes,
    )


def _ending(path: files.AnyPath, known: Mapping[str, Any]) -> str:
    """The known ending of a path, without its dot."""
    ending = path.suffix.removeprefix('.').lower()
    if ending not in known:
        raise errors.unknown(f'the ending of {path.name}', ending, known)
    return ending


def _skeleton_words(name: str) -> dict[str, Any]:
    skeleton = skeletons.get(name)
    return {
        'name': name,
        'joints': list(skeleton.joints),
        'root': skeleton.joints[skeleton.root],
        'bones': [[skeleton.joints[j] for j in bone] for bone in skeleton.bones],
    }


def _numbers(values: Any, decimals: int = DECIMALS) -> Any:
    """Nested lists of rounded numbers; None for those that are not finite."""
    rounded = np.round(np.asarray(values, np.float64), decimals)
    without_nan = np.array(rounded, object)
    without_nan[~np.isfinite(rounded)] = None
    return without_nan.tolist()


def _one_line(error: BaseException) -> str:
    text = ' '.join(str(error).split())
    return f'{type(error).__name__}: {text}' if text else type(error).__name__
