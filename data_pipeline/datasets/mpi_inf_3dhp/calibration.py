"""Intrinsics of MPI-INF-3DHP's cameras: from the tree's calibration files or the published table.

`camera.calibration` lies beside each training sequence's labels. The test set has no such file;
its figures are in data_pipeline/published_cameras/.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterable

import numpy as np

from capf_jax.errors import UserError
from capf_jax.pose.cameras import Camera
from data_pipeline.published_cameras import MPI_INF_3DHP_CAMERAS, mpi_inf_3dhp

FILE = 'camera.calibration'
_HEADER = 'Skeletool Camera Calibration File'


def train(folder: pathlib.Path, cameras: Iterable[str]) -> dict[str, Camera]:
    """Cameras of a training sequence: of the file in `folder` if there is one, else as published.

    Raises:
      UserError: the file cannot be read, or a camera is in neither.
    """
    path = folder / FILE
    if path.is_file():
        known, where = read(path), str(path)
    else:
        known = {name: mpi_inf_3dhp(name) for name in MPI_INF_3DHP_CAMERAS}
        where = 'the table of published figures'
    missing = [name for name in cameras if name not in known]
    if missing:
        raise UserError(
            f'{where} has no camera {", ".join(missing)}, only {", ".join(known)}; '
            'choose config.data.builder.cameras among these'
        )
    return {name: known[name] for name in cameras}


def read(path: pathlib.Path) -> dict[str, Camera]:
    """Cameras of a `camera.calibration` file by their number.

    Raises:
      UserError: the file is of another kind, is cut short, or has mistakes.
    """
    text = path.read_text(encoding='utf-8', errors='replace')
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if not text.startswith(_HEADER):
        raise UserError(
            f'{path} does not begin with {_HEADER!r}; take the file of the original dataset, or '
            'remove it to use the published figures'
        )
    blocks: dict[str, dict[str, list[str]]] = {}
    for name, *values in lines[1:]:
        if name == 'name':
            block = blocks[values[0] if values else ''] = {}
        elif blocks:
            block[name] = values
    try:
        return {name: _camera(name, block) for name, block in blocks.items()}
    except (ValueError, KeyError) as error:
        raise UserError(
            f"{path} cannot be read, a camera's 'size' or 'intrinsic' is missing or no list of "
            'numbers; take the file of the original dataset, or remove it to use the published '
            'figures'
        ) from error


def _camera(name: str, block: dict[str, list[str]]) -> Camera:
    width, height = (int(float(value)) for value in block['size'][:2])
    matrix = np.array(block['intrinsic'], np.float64).reshape(4, 4)
    intrinsics = matrix[[0, 1, 0, 1], [0, 1, 2, 2]]
    if not (np.isfinite(intrinsics).all() and (intrinsics[:2] > 0).all()):
        raise ValueError('not a pinhole camera')
    # The dataset's cameras have no lens distortion: 'radial' is 0.
    return Camera(name, None, None, intrinsics, image_size=(width, height))
