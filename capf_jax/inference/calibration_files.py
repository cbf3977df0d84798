"""`Calibration`: the cameras of a calibration file of Pose2Sim or OpenCV, and that of a picture."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float

from capf_jax.errors import UserError
from capf_jax.inference import photograph_camera
from capf_jax.inference.photograph_camera import PhotographCamera
from capf_jax.pose.cameras import Camera
from capf_jax.runtime import files

# Names that programs give to the matrix and the coefficients of a lens in OpenCV's files.
_MATRICES = ('camera_matrix', 'cameraMatrix', 'Camera_Matrix', 'K', 'M', 'M1', 'intrinsics')
_DISTORTIONS = (
    'distortion_coefficients', 'dist_coeffs', 'distCoeffs', 'dist_coeff', 'Distortion_Coefficients',
    'D', 'D1', 'dist', 'distortion',
)  # fmt: skip
_SAME_SHAPE = 0.005  # share by which the ratios of two sizes may differ
_NEARLY = 0.01  # share by which a size may differ from the calibrated one, such as by padding


@dataclasses.dataclass(frozen=True, eq=False)
class Calibration:
    """The cameras of a calibration file.

    Attributes:
      path: the file.
      cameras: by name, in the file's order; the name of a file of one camera may be ''. Where the
        file tells how a camera stands, its world has z up and metres.
    """

    path: pathlib.Path
    cameras: Mapping[str, Camera]

    @classmethod
    def read(cls, path: str | os.PathLike) -> Calibration:
        """Reads a file of Pose2Sim ('*.toml') or of OpenCV ('*.yml', '*.yaml', '*.xml', '*.json').

        Raises:
          FileNotFoundError: there is no such file.
          UserError: the file is of another kind, is damaged, or holds no camera.
        """
        source = files.user_path(path)
        if not source.is_file():
            raise FileNotFoundError(f'there is no calibration file {source}; correct its name')
        readers = {'.toml': _read_toml} | dict.fromkeys(
            ('.yml', '.yaml', '.xml', '.json'), _read_opencv
        )
        if source.suffix.lower() not in readers:
            raise UserError(
                f'{source} is no calibration file that is known: give one of Pose2Sim (.toml) or '
                'OpenCV (.yml, .yaml, .xml, .json), or --intrinsics=fx,fy,cx,cy'
            )
        with files.local(source) as copy:
            return cls(pathlib.Path(source), readers[source.suffix.lower()](copy))

    def camera(
        self, image_size: tuple[int, int], picture: str = '', name: str = ''
    ) -> PhotographCamera:
        """The camera of a picture: the named one, the only one, or the one that the picture names.

        Where the file tells how the camera stands, `up` of the result is z of its world.

        Args:
          image_size: (width, height) of the picture. Where the calibrated pictures had another size
            of the same shape, the intrinsics are scaled.
          picture: the picture's path, in which the name of its camera may occur.
          name: the camera's name; '' to choose it by the picture.

        Raises:
          UserError: no such camera, or not clear which; the picture is of another shape.
        """
        chosen = self._chosen(picture, name)
        camera = self.cameras[chosen]
        where = f'{self.path.name}, camera {chosen}' if chosen else self.path.name
        intrinsics = _scaled(camera, image_size, where)
        lens = _listed(camera.distortion)
        level = photograph_camera.from_intrinsics(intrinsics, image_size, lens, where, chosen)
        return dataclasses.replace(level, up=_up(camera))

    def up(self, picture: str = '', name: str = '') -> Float[np.ndarray, ' 3'] | None:
        """What is up in the frame of the camera of a picture; see `camera`."""
        return _up(self.cameras[self._chosen(picture, name)])

    def _chosen(self, picture: str, name: str) -> str:
        """The name of the camera of a picture; see `camera`."""
        known = ', '.join(self.cameras)
        if name:
            if name not in self.cameras:
                raise UserError(f'{self.path} has no camera {name!r}; it has {known}')
            return name
        if len(self.cameras) == 1:
            return next(iter(self.cameras))
        matching = [each for each in self.cameras if _plain(each) in _plain(picture)]
        longest = max(map(len, map(_plain, matching)), default=0)
        matching = [each for each in matching if len(_plain(each)) == longest]
        if len(matching) != 1:
            raise UserError(
                f'{self.path} holds the cameras {known}, and the name of {picture!r} is that '
                'of none of them: choose one with --camera=NAME'
            )
        return matching[0]


def _up(camera: Camera) -> Float[np.ndarray, ' 3'] | None:
    """The z axis of a calibration's world as its camera sees it; None where nobody says it."""
    return None if camera.rotation is None else np.asarray(camera.rotation, np.float64)[:, 2]


def _scaled(camera: Camera, image_size: tuple[int, int], where: str) -> np.ndarray:
    """The intrinsics for pictures of this size."""
    if camera.image_size is None:
        return camera.intrinsics
    calibrated, size = np.array(camera.image_size, float), np.array(image_size, float)
    ratio = size / calibrated
    if np.abs(ratio - 1).max() <= _NEARLY:
        return camera.intrinsics
    if abs(ratio[0] / ratio[1] - 1) > _SAME_SHAPE:
        raise UserError(
            f'{where} is calibrated for pictures of {calibrated[0]:g}x{calibrated[1]:g} px, and '
            f'the picture has {size[0]:g}x{size[1]:g} px, which is another shape: give the '
            'calibration of this camera, or leave it out'
        )
    fx, fy, cx, cy = camera.intrinsics
    # Pixels are counted from the centre of the first one, so that its corner is at -0.5.
    return np.array(
        [
            fx * ratio[0],
            fy * ratio[1],
            (cx + 0.5) * ratio[0] - 0.5,
            (cy + 0.5) * ratio[1] - 0.5,
        ]
    )


def _plain(name: str) -> str:
    """A name's letters and digits, so that cam01 is cam_01."""
    return ''.join(letter for letter in name.lower() if letter.isalnum())


def _listed(distortion: np.ndarray | None) -> Sequence[float] | None:
    return None if distortion is None else [float(value) for value in distortion]


def _read_toml(path: pathlib.Path) -> dict[str, Camera]:
    """Pose2Sim's file: a table for each camera, with matrix, distortions and size.

    How the camera stands is told by `rotation`, a Rodrigues vector, and `translation`, metres: they
    bring a point X of the world, in which z is up, to R X + t of the camera's frame. Both are zero
    in files of cameras whose intrinsics alone are calibrated.
    """
    try:
        content = tomllib.loads(path.read_text(encoding='utf-8-sig'))
    except RecursionError:
        raise UserError(f'{path} is no TOML file: it is nested too deep') from None
    except ValueError as error:  # also bad UTF-8 and numbers of thousands of digits
        raise UserError(f'{path} is no TOML file: {error}') from None
    by_name = {}
    for key, table in content.items():
        if not (isinstance(table, dict) and 'matrix' in table):
            continue
        if table.get('fisheye'):
            raise UserError(f'{path}: camera {key} is a fisheye, whose lens is not known here')
        name = str(table.get('name', key))
        size = table.get('size')
        camera = _camera(path, name, table['matrix'], table.get('distortions'), size)
        by_name[name] = _standing(path, camera, table)
    if not by_name:
        raise UserError(f'{path} holds no camera: a table with matrix, distortions and size')
    return by_name


def _standing(path: pathlib.Path, camera: Camera, table: Mapping[str, Any]) -> Camera:
    """The camera with the rotation and the place that its table has, if any."""
    if table.get('rotation') is None:
        return camera
    zeros = [0.0] * 3
    try:
        vectors = np.array([table['rotation'], table.get('translation') or zeros], np.float64)
    except (TypeError, ValueError, OverflowError):
        vectors = np.empty(0)
    if vectors.shape != (2, 3) or not np.isfinite(vectors).all():
        raise UserError(
            f'{path}: camera {camera.name} needs a rotation and a translation of three numbers '
            'each, or neither'
        )
    if not vectors.any():
        return camera
    rotation = cv2.Rodrigues(vectors[0])[0]
    return dataclasses.replace(camera, rotation=rotation, position=-rotation.T @ vectors[1])


def _read_opencv(path: pathlib.Path) -> dict[str, Camera]:
    """A file of OpenCV's FileStorage with the matrix of one camera."""
    try:
        storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_READ)
        opened = storage.isOpened()
    except (cv2.error, SystemError):
        opened = False
    if not opened:
        raise UserError(f'{path} is no file of OpenCV: its first line must be %YAML:1.0, or it XML')

    def matrix_of(names: Sequence[str]) -> np.ndarray | None:
        for name in names:
            node = storage.getNode(name)
            if node.empty():
                continue
            if node.isSeq():
                return np.array([node.at(i).real() for i in range(node.size())])
            matrix = node.mat()
            if matrix is not None:
                return matrix
        return None

    try:
        matrix, lens = matrix_of(_MATRICES), matrix_of(_DISTORTIONS)
        sides = [storage.getNode(name) for name in ('image_width', 'image_height')]
        size = None if any(side.empty() for side in sides) else [side.real() for side in sides]
    except (cv2.error, SystemError, TypeError, ValueError):
        raise UserError(f'{path} has a matrix that OpenCV cannot read: write it again') from None
    finally:
        storage.release()
    if matrix is None:
        raise UserError(
            f'{path} holds no camera matrix; one of the names {", ".join(_MATRICES)} must hold it'
        )
    if matrix.size == 9:
        matrix = matrix.reshape(3, 3)
    return {'': _camera(path, '', matrix, None if lens is None else lens.ravel(), size)}


def _camera(path: pathlib.Path, name: str, matrix: Any, distortion: Any, size: Any) -> Camera:
    """A camera of a file, checked."""
    try:
        k = np.array(matrix, np.float64)
        lens = None if distortion is None else np.array(distortion, np.float64).ravel()
        sides = None if size is None else (round(float(size[0])), round(float(size[1])))
    except (TypeError, ValueError, LookupError, OverflowError):
        k, lens, sides = np.zeros(0), None, None
    usable = k.shape == (3, 3) and np.isfinite(k).all() and k[0, 0] > 0 and k[1, 1] > 0
    if not usable or (sides is not None and min(sides) < 1):
        raise UserError(
            f'{path}: camera {name or "matrix"} needs a matrix [[fx, 0, cx], [0, fy, cy], '
            '[0, 0, 1]] in pixels, and a size of width and height if it has one'
        )
    return Camera(name, None, None, np.array([k[0, 0], k[1, 1], k[0, 2], k[1, 2]]), lens, sides)
