"""The camera of a photograph: given by the user, told by the picture's file, or assumed.

A photograph without a known camera still gives poses; only how far away the people are depends on
the focal length. So that nobody takes a guess for a measurement, every camera says where it comes
from.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, Real, UInt8

from capf_jax.errors import UserError
from capf_jax.pose import cameras, viewing_ray
from capf_jax.pose.cameras import Camera
from data_pipeline.images import LensTags

FIELD_OF_VIEW = 55.0  # degrees of the longer side that are assumed where nothing is known
FILM_DIAGONAL = float(np.hypot(36, 24))  # mm, of the 35 mm film that focal lengths are told for
_COEFFICIENTS = (4, 5, 8)
_LENS_STEPS = 40  # of undoing the distortion of points


@dataclasses.dataclass(frozen=True, eq=False)
class PhotographCamera:
    """The camera of one photograph.

    Attributes:
      camera: its intrinsics, and its distortion if there is one; its place is the origin.
      assumed: whether the intrinsics are a guess.
      origin: in words, where the intrinsics come from.
      up: [3], the unit vector of what is up in the camera's frame; None where nobody says it.
    """

    camera: Camera
    assumed: bool
    origin: str
    up: Float[np.ndarray, ' 3'] | None = None

    @property
    def upright(self) -> Float[np.ndarray, '3 3'] | None:
        """What `People.along` takes: see `cameras.upright_from`; None where `up` is."""
        return None if self.up is None else cameras.upright_from(self.up)

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
