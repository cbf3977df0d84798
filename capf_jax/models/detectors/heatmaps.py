"""Heatmaps and joints: decoding, the flip test, and the targets that a detector learns.

Joints are in pixels of the crop, counted from the centre of the top left one, x to the right and y
down.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from jaxtyping import Float

from capf_jax.models.detectors.detection import Detection
from capf_jax.pose.batch import Array

if TYPE_CHECKING:  # the catalog imports the detectors, and some of them this module
    from capf_jax.models.detectors.catalog import DetectorEntry

STRIDE = 4  # crop pixels per pixel of a heatmap, of every detector
REACH = 2  # heatmap pixels around the most probable one that its joint is the mean of
FLOOR = 1e-3  # share of a heatmap's peak below which its logarithm is cut off
# Heatmap pixels from where a joint is expected at which it counts half as much as right there: of
# MoveNet, whose published graph has this number rounded to half precision.
NEARNESS = 1.8


@functools.partial(jax.jit, static_argnames='subpixel')
def heatmaps_to_joints(
    heatmaps: Float[Array, 'B H W J'], *, subpixel: bool = False
) -> tuple[Float[jax.Array, 'B J 2'], Float[jax.Array, 'B J']]:
    """Joints at the peaks of heatmaps.

    Args:
      heatmaps: maps whose pixel (x, y) sits at crop pixel (4x, 4y).
      subpixel: False moves the arg-max a quarter pixel toward the higher neighbour, as published
        detectors do (docs/method.md, "Heatmaps and 2D joints"): in both coordinates or, where the
        arg-max is in the first two or the last row or column, in none. True puts the joint at the
        peak of a parabola through the logarithms of the arg-max and its neighbours, which is exact
        for a Gaussian; it suits detectors whose targets are centred between pixels, as those
        trained here (Zhang et al., "Distribution-Aware Coordinate Representation for Human Pose
        Estimation", CVPR 2020). A coordinate on the border has no neighbour there and stays.

    Returns:
      Joints in pixels of the crop, and the heights of the peaks.
    """
    b, height, width, joints = heatmaps.shape
    flat = heatmaps.reshape(b, height * width, joints)
    peak = jnp.argmax(flat, axis=1)  # [B, J]
    x, y = peak % width, peak // width

    def value_at(dx: int, dy: int) -> jax.Array:
        column, row = jnp.clip(x + dx, 0, width - 1), jnp.clip(y + dy, 0, height - 1)
        return jnp.take_along_axis(flat, (row * width + column)[:, None], axis=1)[:, 0]

    centre = value_at(0, 0)
    neighbours = jnp.stack(
        [
            jnp.stack([value_at(-1, 0), value_at(1, 0)], -1),
            jnp.stack([value_at(0, -1), value_at(0, 1)], -1),
        ],
        axis=-2,
    )  # [B, J, (x, y), (before, after)]
    before, after = neighbours[..., 0], neighbours[..., 1]
    position = jnp.stack([x, y], axis=-1)
    last = jnp.array([width - 1, height - 1])
    if subpixel:
        shift = _parabola_peak(before, centre, after)
        inside = (position > 0) & (position < last)
    else:
        shift = 0.25 * jnp.sign(after - before)
        inside = jnp.all((position > 1) & (position < last), axis=-1, keepdims=True)
    return (position + jnp.where(inside, shift, 0.0)) * STRIDE, centre


@jax.jit
def probabilities_to_joints(
    heatmaps: Float[Array, 'B H W J'],
) -> tuple[Float[jax.Array, 'B J 2'], Float[jax.Array, 'B J']]:
    """Joints at the mean position around the most probable pixel, within `REACH` of it.

    Of all estimates, the mean of a probability has the least squared error. Only pixels near the
    peak enter it, since the second most probable place is often the same joint of the other side.

    Args:
      heatmaps: probabilities that sum to 1 over the pixels of each map.

    Returns:
      Joints in pixels of the crop, and the most probable pixels' probabilities.
    """
    b, height, width, joints = heatmaps.shape
    flat = heatmaps.reshape(b, height * width, joints)
    peak = jnp.argmax(flat, axis=1)  # [B, J]

    columns, rows = jnp.arange(width)[:, None], jnp.arange(height)[:, None, None]
    inside = (jnp.abs(columns - (peak % width)[:, None, None]) <= REACH) & (
        jnp.abs(rows - (peak // width)[:, None, None]) <= REACH
    )  # [B, H, W, J]
    near = jnp.where(inside, heatmaps, 0.0)
    total = near.sum(axis=(1, 2))
    x, y = ((near * pixels).sum(axis=(1, 2)) / total for pixels in (columns, rows))
    return jnp.stack([x, y], axis=-1) * STRIDE, flat.max(axis=1)


def _parabola_peak(before: jax.Array, centre: jax.Array, after: jax.Array) -> jax.Array:
    """Offset [B, J, 2] in [-0.5, 0.5] of the peak of a parabola through three logarithms."""
    peak = jnp.maximum(centre, 1e-12)[..., None]
    before, after = (jnp.log(jnp.maximum(value / peak, FLOOR)) for value in (before, after))
    curvature = before + after  # the centre's logarithm is 0; never positive at an arg-max
    flat = curvature > -1e-6
    shift = 0.5 * (before - after) / jnp.where(flat, -1.0, curvature)
    return jnp.where(flat, 0.0, jnp.clip(shift, -0.5, 0.5))


@jax.jit
def refined_joints(
    heatmaps: Float[Array, 'B H W J'],
    offsets: Float[Array, 'B H W J 2'],
    guesses: Float[Array, 'B J 2'],
) -> tuple[Float[jax.Array, 'B J 2'], Float[jax.Array, 'B J']]:
    """Joints at the best pixel near a first guess, moved by that pixel's offset, as of MoveNet.

    Args:
      heatmaps: how likely each joint is at each pixel, of anyone in the crop.
      offsets: from each pixel to the joint near it, heatmap pixels.
      guesses: where the person's joints are expected, heatmap pixels.

    Returns:
      Joints in pixels of the crop, and the heatmaps' values at the best pixels.
    """
    batch, height, width, joints = heatmaps.shape
    rows, columns = jnp.arange(height)[:, None, None], jnp.arange(width)[:, None]
    x, y = guesses[:, None, None, :, 0], guesses[:, None, None, :, 1]
    distance = jnp.sqrt(jnp.square(columns - x) + jnp.square(rows - y))
    weighted = (heatmaps / (distance + NEARNESS)).reshape(batch, height * width, joints)
    best = jnp.argmax(weighted, axis=1)  # [B, J]

    flat = heatmaps.reshape(batch, height * width, joints)
    confidence = jnp.take_along_axis(flat, best[:, None], axis=1)[:, 0]
    of_pixels = offsets.reshape(batch, height * width, joints, 2)
    offset = jnp.take_along_axis(of_pixels, best[:, None, :, None], axis=1)[:, 0]
    pixel = jnp.stack([best % width, best // width], axis=-1)
    return (pixel + offset) * STRIDE, confidence


def joints_of(
    detection: Detection, entry: DetectorEntry
) -> tuple[Float[jax.Array, 'B J 2'], Float[jax.Array, 'B J']]:
    """The joints that a detector finds: the one way from a Detection to joints.

    Args:
      detection: with heatmaps, and with the offsets and guesses of a detector that refines.
      entry: the catalog's entry of the detector.

    Returns:
      Joints in pixels of the crop, and their confidences.

    Raises:
      ValueError: the detection or its entry has no heatmaps.
    """
    if entry.decode is None or detection.heatmaps is None:
        raise ValueError(f'{entry.name} has no heatmaps, and so no joints')
    return DECODERS[entry.decode](detection)


Joints = tuple[jax.Array, jax.Array]
# By the name that a catalog's entry has: 'quarter_pixel' for published detectors, 'parabola' and
# 'mean' for those trained here, on Gaussians and on probabilities, 'refined' for MoveNet.
DECODERS: dict[str, Callable[[Detection], Joints]] = {
    'quarter_pixel': lambda detection: heatmaps_to_joints(detection.heatmaps),
    'parabola': lambda detection: heatmaps_to_joints(detection.heatmaps, subpixel=True),
    'mean': lambda detection: probabilities_to_joints(detection.heatmaps),
    'refined': lambda detection: refined_joints(*detection[1:]),
}


@functools.partial(jax.jit, static_argnames='swap')
def average_flipped(
    heatmaps: Float[Array, 'B H W J'], mirrored: Float[Array, 'B H W J'], swap: tuple[int, ...]
) -> Float[jax.Array, 'B H W J']:
    """The flip test: the mean of a crop's heatmaps and those of its mirror image, turned back.

    Pixel x of a map sits at crop pixel 4x, not in the middle of its 4 crop pixels, so that a map
    that is turned back lies 3 crop pixels too far left. It is moved by one pixel of the map, the
    nearest whole number, and its first column stays where it was too (docs/method.md, "Heatmaps
    and 2D joints").

    Args:
      heatmaps: those of the crops.
      mirrored: those of the mirrored crops.
      swap: the joint that each joint is in the mirror, `Skeleton.flip`.
    """
    back = mirrored[:, :, ::-1][..., list(swap)]
    return (heatmaps + jnp.concatenate([back[:, :, :1], back[:, :, :-1]], axis=2)) / 2


@functools.partial(jax.jit, static_argnames='map_size')
def target_heatmaps(
    joints: Float[Array, 'B J 2'], map_size: tuple[int, int], sigma: float | Array
) -> Float[jax.Array, 'B H W J']:
    """A Gaussian of height 1 at every joint, centred between pixels where the joint is.

    Args:
      joints: joints in pixels of the crop; the map of a joint outside it shows the Gaussian's
        flank alone.
      map_size: (height, width) of the heatmaps.
      sigma: standard deviation, heatmap pixels.
    """
    height, width = map_size
    centre = joints[:, None] / STRIDE  # [B, 1, J, 2]

    def falloff(length: int, axis: int) -> jax.Array:
        distance = jnp.arange(length)[:, None] - centre[..., axis]  # [B, length, J]
        return jnp.exp(-jnp.square(distance) / (2 * sigma**2))

    return falloff(height, 1)[:, :, None] * falloff(width, 0)[:, None]
