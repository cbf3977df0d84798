"""The camera of a photograph: given by the user, told by the picture's file, or assumed.

A photograph without a known camera still gives poses; only how far away the people are depends on
the focal length. So that nobody takes a guess for a measurement, every camera says where it comes
from.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Real, UInt8

from capf_jax.errors import UserError
from capf_jax.pose import cameras, viewing_ray
from capf_jax.pose.cameras import Camera
from capf_jax.runtime import files
from data_pipeline.images import LensTags

FIELD_OF_VIEW = 55.0  # degrees of the longer side that are assumed where nothing is known
FILM_DIAGONAL = float(np.hypot(36, 24))  # mm, of the 35 mm film that focal lengths are told for
# Names that programs give to the matrix and the coefficients of a lens in OpenCV's files.
_MATRICES = ('camera_matrix', 'cameraMatrix', 'Camera_Matrix', 'K', 'M', 'M1', 'intrinsics')
_DISTORTIONS = (
    'distortion_coefficients', 'dist_coeffs', 'distCoeffs', 'dist_coeff', 'Distortion_Coefficients',
    'D', 'D1', 'dist', 'distortion',
)  # fmt: skip
_COEFFICIENTS = (4, 5, 8)
_SAME_SHAPE = 0.005  # share by which the ratios of two sizes may differ
_LENS_STEPS = 40  # of undoing the distortion of points
_NEARLY = 0.01  # share by which a size may differ from the calibrated one, such as by padding


@dataclasses.dataclass(frozen=True, eq=False)
class PhotographCamera:
    """The camera of one photograph.

    Attributes:
      camera: its intrinsics, and its distortion if there is one; its place is the origin.
      assumed: whether the intrinsics are a guess.
      origin: in words, where the intrinsics come from.
    """

    camera: Camera
    assumed: bool
    origin: str

    def words(self) -> str:
        """One line for the user."""
        fx, fy, cx, cy = self.camera.intrinsics
        lens = '' if self.camera.distortion is None else ', lens distortion undone'
        return f'fx {fx:.1f}, fy {fy:.1f}, cx {cx:.1f}, cy {cy:.1f} px ({self.origin}{lens})'


def from_field_of_view(
    degrees: float, image_size: tuple[int, int], *, assumed: bool = False
) -> PhotographCamera:
    """The camera whose longer side of the picture spans an angle; its axis is in the middle.

    Args:
      degrees: above 0 and below 180.
      image_size: (width, height), pixels.
      assumed: whether nobody gave the angle.

    Raises:
      UserError: no such angle.
    """
    if not 0 < degrees < 180:
        raise UserError(f'a field of view of {degrees:g} degrees is none; give one such as 55')
    focal = max(image_size) / 2 / np.tan(np.radians(degrees) / 2)
    origin = f'{"assumed " if assumed else ""}field of view of {degrees:g} degrees'
    return _of_focal_length(focal, image_size, assumed, origin)


def from_intrinsics(
    intrinsics: Sequence[float] | np.ndarray,
    image_size: tuple[int, int],
    distortion: Sequence[float] | None = None,
    origin: str = 'given intrinsics',
    name: str = 'given',
) -> PhotographCamera:
    """The camera of given numbers.

    Args:
      intrinsics: fx, fy, cx, cy, pixels.
      image_size: (width, height), pixels.
      distortion: 4, 5 or 8 coefficients in the order of OpenCV; None for none.
      origin: in words, where they come from.
      name: the name of the camera.

    Raises:
      UserError: not four finite numbers with focal lengths above 0, or another number of
        coefficients.
    """
    numbers = np.asarray(intrinsics, np.float64).ravel()
    if numbers.shape != (4,) or not np.isfinite(numbers).all() or not (numbers[:2] > 0).all():
        raise UserError(
            f'the intrinsics {numbers.tolist()} must be four numbers fx,fy,cx,cy in pixels, '
            'with fx and fy above 0'
        )
    lens = None if distortion is None else np.asarray(distortion, np.float64).ravel()
    if lens is not None:
        # Further coefficients are of models that hardly any lens needs; zeros stand for none.
        while len(lens) > 8 and lens[-1] == 0:
            lens = lens[:-1]
        if len(lens) not in _COEFFICIENTS or not np.isfinite(lens).all():
            raise UserError(
                f'{origin} has {len(lens)} distortion coefficients; 4, 5 or 8 numbers are known: '
                'k1 k2 p1 p2 k3 k4 k5 k6'
            )
        lens = lens if lens.any() else None
    return PhotographCamera(Camera(name, None, None, numbers, lens, image_size), False, origin)


def from_exif(tags: LensTags | None, image_size: tuple[int, int]) -> PhotographCamera | None:
    """The camera that a picture's own file tells of; None where it tells nothing.

    A focal length of the equivalent on 35 mm film is one for an equal diagonal, as CIPA's rule has
    it. A focal length in millimetres needs the sensor's resolution.

    Args:
      tags: what the file says.
      image_size: (width, height) of the upright picture, pixels.
    """
    if tags is None:
        return None
    if tags.focal_35mm is not None:
        focal = tags.focal_35mm / FILM_DIAGONAL * float(np.hypot(*image_size))
        origin = f"the picture's EXIF, {tags.focal_35mm:g} mm on 35 mm film"
    elif tags.focal_mm is not None and tags.sensor_mm is not None:
        # The longer side of the picture is that of the sensor, whatever way it was held.
        focal = tags.focal_mm / tags.sensor_mm * max(image_size)
        origin = f"the picture's EXIF, {tags.focal_mm:g} mm on a sensor of {tags.sensor_mm:.3g} mm"
    else:
        return None
    return _of_focal_length(focal, image_size, False, origin)


def _of_focal_length(
    focal: float, image_size: tuple[int, int], assumed: bool, origin: str
) -> PhotographCamera:
    width, height = image_size
    intrinsics = np.array([focal, focal, (width - 1) / 2, (height - 1) / 2], np.float64)
    name = 'assumed' if assumed else 'photograph'
    return PhotographCamera(Camera(name, None, None, intrinsics, None, image_size), assumed, origin)


@dataclasses.dataclass(frozen=True, eq=False)
class Calibration:
    """The cameras of a calibration file.

    Attributes:
      path: the file.
      cameras: by name, in the file's order; the name of a file of one camera may be ''.
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

        Args:
          image_size: (width, height) of the picture. Where the calibrated pictures had another size
            of the same shape, the intrinsics are scaled.
          picture: the picture's path, in which the name of its camera may occur.
          name: the camera's name; '' to choose it by the picture.

        Raises:
          UserError: no such camera, or not clear which; the picture is of another shape.
        """
        known = ', '.join(self.cameras)
        if name:
            if name not in self.cameras:
                raise UserError(f'{self.path} has no camera {name!r}; it has {known}')
            chosen = name
        elif len(self.cameras) == 1:
            chosen = next(iter(self.cameras))
        else:
            matching = [each for each in self.cameras if _plain(each) in _plain(picture)]
            longest = max(map(len, map(_plain, matching)), default=0)
            matching = [each for each in matching if len(_plain(each)) == longest]
            if len(matching) != 1:
                raise UserError(
                    f'{self.path} holds the cameras {known}, and the name of {picture!r} is that '
                    'of none of them: choose one with --camera=NAME'
                )
            chosen = matching[0]
        camera = self.cameras[chosen]
        where = f'{self.path.name}, camera {chosen}' if chosen else self.path.name
        intrinsics = _scaled(camera, image_size, where)
        return from_intrinsics(intrinsics, image_size, _listed(camera.distortion), where, chosen)


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
    """Pose2Sim's file: a table for each camera, with matrix, distortions and size."""
    try:
        content = tomllib.loads(path.read_text(encoding='utf-8'))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f'{path} is no TOML file: {error}') from None
    by_name = {}
    for key, table in content.items():
        if not (isinstance(table, dict) and 'matrix' in table):
            continue
        if table.get('fisheye'):
            raise UserError(f'{path}: camera {key} is a fisheye, whose lens is not known here')
        name = str(table.get('name', key))
        size = table.get('size')
        by_name[name] = _camera(path, name, table['matrix'], table.get('distortions'), size)
    if not by_name:
        raise UserError(f'{path} holds no camera: a table with matrix, distortions and size')
    return by_name


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

    matrix, lens = matrix_of(_MATRICES), matrix_of(_DISTORTIONS)
    sides = [storage.getNode(name) for name in ('image_width', 'image_height')]
    size = None if any(side.empty() for side in sides) else [side.real() for side in sides]
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
    except (TypeError, ValueError, IndexError):
        k, lens, sides = np.zeros(0), None, None
    usable = k.shape == (3, 3) and np.isfinite(k).all() and k[0, 0] > 0 and k[1, 1] > 0
    if not usable or (sides is not None and min(sides) < 1):
        raise UserError(
            f'{path}: camera {name or "matrix"} needs a matrix [[fx, 0, cx], [0, fy, cy], '
            '[0, 0, 1]] in pixels, and a size of width and height if it has one'
        )
    return Camera(name, None, None, np.array([k[0, 0], k[1, 1], k[0, 2], k[1, 2]]), lens, sides)


def undistorted(image: UInt8[np.ndarray, 'H W 3'], camera: Camera) -> UInt8[np.ndarray, 'H W 3']:
    """The picture as a lens without distortion of the same intrinsics would have taken it."""
    if camera.distortion is None:
        return image
    maps = _lens_maps(
        (image.shape[1], image.shape[0]),
        tuple(np.asarray(camera.intrinsics, np.float64).tolist()),
        tuple(np.asarray(camera.distortion, np.float64).tolist()),
    )
    return cv2.remap(image, *maps, cv2.INTER_LINEAR)


@functools.lru_cache(maxsize=1)
def _lens_maps(
    size: tuple[int, int], intrinsics: tuple[float, ...], distortion: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Where the pixels of an undistorted image are in that as it is, as `cv2.remap` takes it.

    The last maps are kept, since the images of a folder or a video mostly have one lens.
    """
    matrix = viewing_ray.matrix(np.array(intrinsics))
    lens = np.array(distortion)
    maps = cv2.initUndistortRectifyMap(matrix, lens, np.eye(3), matrix, size, cv2.CV_16SC2)
    return maps[0], maps[1]


def undistort_points(
    points: Real[np.ndarray, '*points 2'], camera: Camera
) -> Float[np.ndarray, '*points 2']:
    """Pixels of the photograph -> pixels of the undistorted one; NaN stays NaN."""
    points = np.asarray(points, np.float64)
    if camera.distortion is None or not points.size:
        return points
    # OpenCV's own function stops after five steps, a pixel off in the corners of a wide lens, and
    # takes a further argument for more of them in some versions alone.
    flat = points
    for _ in range(_LENS_STEPS):
        flat = flat + (points - distort_points(flat, camera))
    return flat


def distort_points(
    points: Real[np.ndarray, '*points 2'], camera: Camera
) -> Float[np.ndarray, '*points 2']:
    """Pixels of the undistorted photograph -> pixels of the photograph as it is."""
    if camera.distortion is None:
        return np.asarray(points, np.float64)
    return cameras.project(
        viewing_ray.unproject(points, camera.intrinsics), camera.intrinsics, camera.distortion
    )
