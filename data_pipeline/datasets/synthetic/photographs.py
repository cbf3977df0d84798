"""Random views of a person as photographs show people: `sample_view` aims a camera at a crop.

The camera looks at the middle of the box that is cropped, so that its frame is the viewing-ray
frame of the crop. World frame: metres, z up, the floor is z = 0. Camera frame: metres, x right, y
down, z forward. Pixels are those of a whole image of `cameras.IMAGE_SIZE`.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from capf_jax.pose import crops
from capf_jax.pose.cameras import Camera
from data_pipeline.datasets.synthetic.cameras import IMAGE_SIZE

CAMERAS = ('studio', 'photographs')
DISTANCES = (1.5, 12.0)  # From the camera to the middle of the box, metres.
PITCHES = (-25.0, 50.0)  # How far the camera looks down, degrees.
HAND_HELD = 0.65  # Share of the cameras that somebody holds between waist and eye.
LOWEST = 0.35  # Smallest height of a camera above the floor, metres.
NEAREST = 0.5  # Smallest camera depth of a joint, metres.
PERSON_SIZES = (350.0, 650.0)  # Longer side of the box around the joints, pixels.
BOX_MARGIN = 1.25  # Size of a crop's box over the smallest box around the joints.
BOX_SHIFT = 0.04  # Standard deviation of the middle of the box over its width.
BOX_SCALE = 0.08  # Standard deviation of the logarithm of the width of the box.
# Directions, degrees from right over down, in which a cut person leaves the picture, and chances.
SIDES = {0.0: 0.2, 90.0: 0.45, 180.0: 0.2, 270.0: 0.15}
CUT = (0.05, 0.5)  # Share of the person that the border of the picture cuts off.
CUT_BOXES = 0.5  # Chance that the box of a cut person lies around the visible joints alone.
FEWEST = 6  # Number of visible joints that can have a box.
_AIMINGS = 40
_CLOSE = 1e-6  # Distance of the middle of the box from the principal point at which aiming ends.


@dataclasses.dataclass(frozen=True)
class View:
    """How a picture shows a person.

    Attributes:
      camera: the camera, whose optical axis goes through the middle of the box.
      centre: [2], middle of the box, pixels: the principal point of the camera.
      width: width of the box, pixels.
      border: [3] a, b, c: the picture ends where a x + b y > c, pixels; None if the picture holds
        the whole crop.
    """

    camera: Camera
    centre: np.ndarray
    width: float
    border: np.ndarray | None = None


def sample_view(
    rng: np.random.Generator,
    joints: np.ndarray,
    crop_size: tuple[int, int],
    truncation: float,
    name: str,
) -> View:
    """A camera at a random place that looks at a person, and the box of the person.

    Most cameras are between waist and eye, as people hold them; the others look from anywhere
    between below and far above. Small distances give the strong perspective of a phone that is
    near, and large ones that of a telephoto lens.

    Args:
      rng: source of randomness.
      joints: [17, 3], joints of the person, world frame, metres.
      crop_size: width and height of the crop, pixels; the box has their aspect ratio.
      truncation: chance that the border of the picture cuts the person.
      name: name of the camera.
    """
    middle = (joints.min(0) + joints.max(0)) / 2
    distance = float(np.exp(rng.uniform(*np.log(DISTANCES))))
    azimuth = rng.uniform(0, 2 * np.pi)
    if rng.random() < HAND_HELD:
        rise = float(rng.uniform(0.9, 1.75)) - middle[2]
        sine = float(np.clip(rise / distance, -0.4, 0.75))
    else:
        sine = math.sin(math.radians(rng.uniform(*PITCHES)))
    roll = np.deg2rad(rng.normal(0, 4.0 if rng.random() < 0.9 else 12.0))
    size = rng.uniform(*PERSON_SIZES)
    shift, scale = rng.normal(0, BOX_SHIFT, 2), float(np.exp(rng.normal(0, BOX_SCALE)))
    while True:
        height = max(sine, (LOWEST - middle[2]) / distance)
        across = math.sqrt(max(1 - height**2, 0.0))
        place = np.array([across * np.cos(azimuth), across * np.sin(azimuth), height])
        position = middle + distance * place
        view = aim(position, roll, joints, joints, crop_size, size, shift, scale, name)
        if view.camera.to_camera(joints)[:, 2].min() > NEAREST:
            break
        distance *= 1.25
    if rng.random() >= truncation:
        return view
    side = rng.choice(list(SIDES), p=list(SIDES.values())) + rng.normal(0, 4)
    outwards = np.array([np.cos(np.deg2rad(side)), np.sin(np.deg2rad(side))])
    share = rng.uniform(*CUT)
    border = _border(view.camera, joints, outwards, share)
    inside = view.camera.project(view.camera.to_camera(joints)) @ outwards < border[2]
    if rng.random() < CUT_BOXES and inside.sum() >= FEWEST:
        view = aim(position, roll, joints, joints[inside], crop_size, size, shift, scale, name)
        if view.camera.to_camera(joints)[:, 2].min() < NEAREST:
            view = aim(position, roll, joints, joints, crop_size, size, shift, scale, name)
        border = _border(view.camera, joints, outwards, share)
    return dataclasses.replace(view, border=border)


def black_outside(image: np.ndarray, affine: np.ndarray, border: np.ndarray) -> np.ndarray:
    """A crop [H, W, 3] that is black beyond the border of the picture, as crops of pictures are.

    Args:
      image: the crop as if the picture had no border.
      affine: [2, 3], maps pixels of the whole image to pixels of the crop.
      border: [3], see `View`.
    """
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width]
    whole = crops.apply_affine(crops.invert_affine(affine), np.stack([x, y], -1))
    return np.where((whole @ border[:2] > border[2])[..., None], 0, image).astype(image.dtype)


def aim(
    position: np.ndarray,
    roll: float,
    joints: np.ndarray,
    boxed: np.ndarray,
    crop_size: tuple[int, int],
    size: float,
    shift: np.ndarray,
    scale: float,
    name: str,
) -> View:
    """A camera at a place whose optical axis goes through the middle of the box that it sees.

    The box lies around the joints as the camera shows them, and so depends on where the camera
    looks. The camera is turned until both agree.

    Args:
      position: [3], place of the camera, world frame, metres.
      roll: angle of the camera about its optical axis, radians.
      joints: [J, 3], joints of the person, world frame, metres.
      boxed: [K, 3], the joints around which the box lies, world frame, metres.
      crop_size: width and height of the crop, pixels; the box has their aspect ratio.
      size: longer side of the box around `boxed`, pixels of the whole image.
      shift: [2], error of the middle of the box over its width.
      scale: factor of the width of the box.
      name: name of the camera.

    Returns:
      The view without a border.
    """
    principal = np.array(IMAGE_SIZE) / 2
    focal = 1000.0
    forward = joints.mean(0) - position
    for _ in range(_AIMINGS):
        rotation = _rotation(forward, roll)
        camera = Camera(name, rotation, position, np.array([focal, focal, *principal]))
        pixels = camera.project(camera.to_camera(boxed))
        centre, width = crops.joints_box(pixels, crop_size, BOX_MARGIN)
        centre = centre + shift * width
        factor = size / max(np.ptp(pixels, axis=0))
        if np.abs(centre - principal).max() < _CLOSE and abs(factor - 1) < _CLOSE:
            break
        forward = rotation.T @ np.array([*(centre - principal) / focal, 1.0])
        focal *= factor
    return View(camera, principal, width * scale)


def _rotation(forward: np.ndarray, roll: float) -> np.ndarray:
    """Rotation [3, 3], world to camera, of a camera that looks along a vector with a roll."""
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    right, down = (
        np.cos(roll) * right + np.sin(roll) * down,
        np.cos(roll) * down - np.sin(roll) * right,
    )
    return np.stack([right, down, forward])


def _border(camera: Camera, joints: np.ndarray, outwards: np.ndarray, share: float) -> np.ndarray:
    """The border [3] of `View` that cuts off a share of the extent of a person in a direction."""
    along = camera.project(camera.to_camera(joints)) @ outwards
    return np.array([*outwards, along.max() - share * np.ptp(along)])
