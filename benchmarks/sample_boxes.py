"""The box of a real sample's person: found in the whole picture, or around the true joints."""

from __future__ import annotations

import dataclasses

import numpy as np

from capf_jax.inference import person_boxes
from capf_jax.inference.person_boxes import Finder

LEAST_OVERLAP = 0.2  # Intersection over union from which a box is that of the person.


@dataclasses.dataclass(frozen=True)
class Boxes:
    """Where the person of a sample is looked for.

    Attributes:
      finder: what finds people in the whole picture; None for the box of the true joints.
      error: how far the box is off: moved by this share of its longer side, in a random direction,
        and larger or smaller by this share.
    """

    finder: Finder | None
    error: float = 0.0

    def of(
        self, pixels: np.ndarray, joints2d: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray | None:
        """The box [x, y, width, height] of the person with these true joints, or None.

        Args:
          pixels: [H, W, 3] uint8, the picture without distortion.
          joints2d: [17, 2], true joints, pixels of it.
          rng: source of the error.
        """
        box = true_box(joints2d)
        if self.finder is not None:
            boxes, _ = person_boxes.find_boxes(pixels, self.finder)
            overlaps = [overlap(one, box) for one in boxes]
            if not overlaps or max(overlaps) < LEAST_OVERLAP:
                return None
            box = boxes[int(np.argmax(overlaps))]
        return wrong_box(box, self.error, rng) if self.error else box


def true_box(joints2d: np.ndarray) -> np.ndarray:
    """The smallest box [x, y, width, height] around joints [17, 2]."""
    first, last = joints2d.min(0), joints2d.max(0)
    return np.concatenate([first, last - first])


def wrong_box(box: np.ndarray, error: float, rng: np.random.Generator) -> np.ndarray:
    """A box [x, y, width, height] that is off by a share, as `Boxes` describes it."""
    angle, sign = rng.uniform(0, 2 * np.pi), rng.choice([-1, 1])
    move = error * box[2:].max() * np.array([np.cos(angle), np.sin(angle)])
    size = box[2:] * (1 + sign * error)
    return np.concatenate([box[:2] + box[2:] / 2 + move - size / 2, size])


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes [x, y, width, height]."""
    first = np.maximum(one[:2], other[:2])
    last = np.minimum(one[:2] + one[2:], other[:2] + other[2:])
    common = np.prod(np.maximum(last - first, 0))
    return float(common / (one[2:].prod() + other[2:].prod() - common))
