"""The tables of cameras, read from the JSON files beside this one, which name their origin."""

from __future__ import annotations

import functools
import importlib.resources
import json
from typing import Any

import numpy as np

from capf_jax import errors
from capf_jax.pose.cameras import Camera

HUMAN36M_CAMERAS = ('54138969', '55011271', '58860488', '60457274')  # camera_id 0 to 3, ca_01 to 04
MPI_INF_3DHP_CAMERAS = ('0', '1', '2', '4', '5', '6', '7', '8')  # of the training sequences


def human36m(subject: str, camera: str) -> Camera:
    """A camera of Human3.6M, which stands elsewhere for each subject; places are in mm.

    Some pictures are 1000x1002 where the table has 1000x1000 (S7, camera 55011271): the picture
    itself decides.

    Raises:
      UserError: there is no such subject or camera.
    """
    table = _table('human36m')
    poses = _pick(table['poses'], subject, 'the subject of Human3.6M')
    return _camera(table, camera, _pick(poses, camera, 'the camera of Human3.6M'))


def mpi_inf_3dhp(camera: str) -> Camera:
    """A camera of MPI-INF-3DHP: a training camera '0' to '8', or a test sequence 'TS1' to 'TS6'.

    Training cameras stood still over all subjects and sequences; the test ones have no pose.

    Raises:
      UserError: there is no such camera.
    """
    table = _table('mpi_inf_3dhp')
    _pick(table['cameras'], camera, 'the camera of MPI-INF-3DHP')
    return _camera(table, camera, table['poses'].get(camera, {}))


@functools.cache
def _table(name: str) -> dict[str, Any]:
    file = importlib.resources.files('data_pipeline.published_cameras') / f'{name}.json'
    return json.loads(file.read_text())


def _pick(entries: dict[str, Any], name: str, what: str) -> Any:
    if name not in entries:
        raise errors.unknown(what, name, entries)
    return entries[name]


def _camera(table: dict[str, Any], name: str, pose: dict[str, Any]) -> Camera:
    lens = table['cameras'][name]
    rotation = position = None
    if pose:
        # The tables have x_camera = R x_world + t. Their digits leave R only nearly orthogonal, so
        # that its transpose would put the camera elsewhere.
        rotation = np.array(pose['rotation'])
        position = -np.linalg.solve(rotation, np.array(pose['translation']))
    return Camera(
        name=name,
        rotation=rotation,
        position=position,
        intrinsics=np.array(lens['intrinsics']),
        distortion=np.array(lens['distortion']),
        image_size=tuple(lens['image_size']),
    )
