"""`Batch`: the people of one step, and the shapes of what is known of them.

Legend of the whole repository: B batch, J joints, L feature levels, F frames,
H W map or crop height and width, C channels, M heads, K sampling points.
"""

from __future__ import annotations

from typing import Any, NamedTuple

Array = Any  # a NumPy array on the host, a JAX array on the device
AXIS = 'batch'  # the name of the axis along which devices share a batch, and over which steps sum


class Batch(NamedTuple):
    """B people, each cropped from one image.

    A NamedTuple is a JAX tree without importing JAX, which data workers must not do. Of a dataset
    of features made in advance, and where config.data.pictures is False, `images` has the shape
    [B, H, W, 0]: it tells the size of the crops, and holds no picture.

    For a sequence lifter a person stands among the F frames of a window, and `frames` has those of
    all windows, one after another: row b * F + f is frame f of window b. They are in the order of
    time, and person b itself is frame F // 2, or the last one of a causal window. `frames.valid` is
    False only where a picture does not decode.
    """

    images: Array  # [B, H, W, 3] uint8, RGB crops
    joints2d: Array  # [B, J, 2] float32, 2D joints (detected or true), pixels of the whole image
    joints2d_crop: Array  # [B, J, 2] float32, the same joints, pixels of the crop
    joints2d_crop_truth: Array  # [B, J, 2] float32, true 2D joints, pixels of the crop
    image_size: Array  # [B, 2] float32, (width, height) of the whole image, pixels
    affine: Array  # [B, 2, 3] float32, whole-image pixels -> crop pixels
    joints3d: Array  # [B, J, 3] float32, metres, frame of the model, relative to the root joint
    valid: Array  # [B] bool, False for the padding of a last batch
    index: Array  # [B] int32, position of the sample in its split
    # Of a dataset of features alone; the axis of two is the plain crop and the mirrored one.
    contexts: Array | None = None  # [B, 2, J, C] float16, all levels' maps at `context_joints`
    context_joints: Array | None = None  # [B, 2, J, 2] float32, the lifter's 2D joints, crop pixels
    # Where config.data.classes lists action labels: [B] int32, the place of a person's among them.
    label: Array | None = None
    frames: Batch | None = None  # the people of all frames of B windows, [B * F, ...]
