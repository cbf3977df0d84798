"""The colours of a person's clothes and head, by which people are told apart over time."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from capf_jax.pose import skeletons

# The places that show each part, as mixtures of joints; both sides count as one part, since one of
# them is often hidden.
_PARTS: tuple[tuple[tuple[str, ...], ...], ...] = (
    (('head',), ('head', 'nose')),
    (('spine', 'left_shoulder'), ('spine', 'right_shoulder'), ('spine', 'thorax')),
    (('spine', 'pelvis'),),
    (('left_shoulder', 'left_elbow'), ('right_shoulder', 'right_elbow')),
    (('left_elbow', 'left_wrist'), ('right_elbow', 'right_wrist')),
    (('left_hip', 'left_knee'), ('right_hip', 'right_knee')),
    (('left_knee', 'left_ankle'), ('right_knee', 'right_ankle')),
)
PARTS = len(_PARTS)
CHANNELS = 3
_RADIUS = 0.015  # of the patch at a place, a share of the person's extent
_LIGHTNESS = 0.5  # how much lightness, which shadows change, counts beside hue
_USUAL = 25.0  # Lab units by which two people usually differ
_FEWEST = 3  # parts that tell people apart


def colours_of(
    pixels: UInt8[np.ndarray, 'H W 3'],
    joints2d: Float[np.ndarray, 'N J 2'],
    sure: Bool[np.ndarray, 'N J'],
    skeleton: str,
) -> Float[np.ndarray, 'N K 3']:
    """The mean colour of each person's K = `PARTS` parts; NaN where a part is not sure.

    Args:
      pixels: the image, RGB.
      joints2d: pixels of it.
      sure: whether each joint is; parts of others are not looked at.
      skeleton: the name of that of the joints.

    Returns:
      Lab as OpenCV scales it to 8 bits, the lightness counted less.
    """
    names = skeletons.get(skeleton)
    out = np.full((len(joints2d), PARTS, CHANNELS), np.nan)
    for n, (joints, is_sure) in enumerate(zip(joints2d, sure, strict=True)):
        if not is_sure.any():
            continue
        radius = max(round(_RADIUS * np.ptp(joints[is_sure], axis=0).max()), 1)
        for part, places in enumerate(_PARTS):
            patches = [
                _patch(pixels, joints[[names.index(joint) for joint in place]].mean(axis=0), radius)
                for place in places
                if all(joint in names.joints for joint in place)
                and all(is_sure[names.index(joint)] for joint in place)
            ]
            colours = [patch.reshape(-1, CHANNELS).mean(axis=0) for patch in patches if patch.size]
            if colours:
                out[n, part] = np.mean(colours, axis=0)
    shows = np.isfinite(out[..., 0])
    if shows.any():
        rgb = out[shows].astype(np.uint8)[None]
        lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)[0].astype(np.float64)
        out[shows] = lab * [_LIGHTNESS, 1, 1]
    return out


def difference(one: Float[np.ndarray, 'K 3'], other: Float[np.ndarray, 'K 3']) -> float | None:
    """How much two people differ: 0 for one, about 1 for two; None where too little shows."""
    parts = np.linalg.norm(one - other, axis=-1)
    parts = parts[np.isfinite(parts)]
    if len(parts) < _FEWEST:
        return None
    return float(np.mean(np.minimum(parts / _USUAL, 3)))


def _patch(pixels: np.ndarray, place: np.ndarray, radius: int) -> np.ndarray:
    if not np.isfinite(place).all():
        return pixels[:0]
    x, y = (round(number) for number in place)
    return pixels[max(y - radius, 0) : max(y + radius + 1, 0),
                  max(x - radius, 0) : max(x + radius + 1, 0)]  # fmt: skip
