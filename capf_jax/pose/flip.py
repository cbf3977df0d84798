"""Mirroring people left to right, in images and in all their joints, on NumPy and JAX arrays.

The left arm of a mirrored person is the right arm of the real one, so that left and right joints
change places. Mirroring twice gives the same batch back.
"""

from __future__ import annotations

from jaxtyping import Bool, Float

from capf_jax.pose.batch import Array, Batch
from capf_jax.pose.skeletons import Skeleton


def flip_pose(pose: Float[Array, '*batch J 3'], skeleton: Skeleton) -> Float[Array, '*batch J 3']:
    """Mirrored 3D pose in the camera frame: x negated, left and right swapped."""
    mirror = pose.__array_namespace__().asarray([-1, 1, 1], dtype=pose.dtype)
    return pose[..., list(skeleton.flip), :] * mirror


def flip_joints(
    joints: Float[Array, 'B J 2'], last: Array | float, skeleton: Skeleton
) -> Float[Array, 'B J 2']:
    """Mirrored 2D joints: x becomes `last` - x, left and right swapped.

    Args:
      joints: joints in any unit.
      last: what x = 0 becomes, a number or [B, 1]: the image's width in pixels of the whole image,
        w_crop - 1 in pixels of the crop, 0 where x is normalised by the image.
      skeleton: says which joints change places.
    """
    joints = joints[:, list(skeleton.flip)]
    np_like = joints.__array_namespace__()
    return np_like.stack([last - joints[..., 0], joints[..., 1]], axis=-1)


def flip_batch(batch: Batch, flipped: Bool[Array, ' B'], skeleton: Skeleton) -> Batch:
    """The batch with those people mirrored where `flipped` is true (docs/method.md, Training).

    Whole-image x becomes w - x, so that the x normalised by the image is negated; crop x becomes
    w_crop - 1 - x, where the reversed pixel columns lie. `affine` still maps one to the other.
    Features made in advance are there of both, the plain and the mirrored crop, and change places.
    The frames of a window are mirrored with their target.

    Args:
      batch: see Batch; `joints2d` and the others have the skeleton's J joints.
      flipped: an array of the same kind as the batch's.
      skeleton: says which joints change places.
    """
    np_like = batch.images.__array_namespace__()
    crop_width = batch.images.shape[-2]
    image_width = batch.image_size[:, :1]

    def where(mirrored: Array, plain: Array) -> Array:
        chosen = flipped.reshape(flipped.shape + (1,) * (plain.ndim - 1))
        return np_like.where(chosen, mirrored, plain)

    if batch.contexts is not None and batch.context_joints is not None:
        batch = batch._replace(
            contexts=where(batch.contexts[:, ::-1], batch.contexts),
            context_joints=where(batch.context_joints[:, ::-1], batch.context_joints),
        )
    if batch.frames is not None:
        window = len(batch.frames.valid) // len(batch.valid)
        frames = flip_batch(batch.frames, np_like.repeat(flipped, window), skeleton)
        batch = batch._replace(frames=frames)
    return batch._replace(
        images=where(batch.images[:, :, ::-1], batch.images),
        joints2d=where(flip_joints(batch.joints2d, image_width, skeleton), batch.joints2d),
        joints2d_crop=where(
            flip_joints(batch.joints2d_crop, crop_width - 1, skeleton), batch.joints2d_crop
        ),
        joints2d_crop_truth=where(
            flip_joints(batch.joints2d_crop_truth, crop_width - 1, skeleton),
            batch.joints2d_crop_truth,
        ),
        affine=where(_mirror_affine(batch.affine, image_width, crop_width), batch.affine),
        joints3d=where(flip_pose(batch.joints3d, skeleton), batch.joints3d),
    )


def _mirror_affine(affine: Array, image_width: Array, crop_width: int) -> Array:
    """Affine [B, 2, 3] between the mirrored image and the mirrored crop; image_width is [B, 1].

    With the crop's (X, Y) = (a x + b y + c, d x + e y + f), put x = w - x' and X' = w_crop - 1 - X.
    """
    np_like = affine.__array_namespace__()
    width = image_width[:, 0]
    (a, b, c), (d, e, f) = ([affine[:, i, j] for j in range(3)] for i in range(2))
    first = np_like.stack([a, -b, crop_width - 1 - a * width - c], axis=-1)
    second = np_like.stack([-d, e, d * width + f], axis=-1)
    return np_like.stack([first, second], axis=-2)
