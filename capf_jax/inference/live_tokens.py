"""From people's crops of a whole picture to the tokens that a stream of a sequence lifter keeps.

Where the file's own detector finds the 2D joints, it runs once a person: its maps show the lifter
what is around the very joints that it finds in them.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from capf_jax.backends import programs
from capf_jax.inference import aiming, network_programs, sequences
from capf_jax.inference.aiming import Aimed
from capf_jax.inference.networks import Network
from capf_jax.inference.photograph_models import Models
from capf_jax.inference.streaming import SequenceStream
from capf_jax.models.ca_pf import ContextAwarePoseFormer
from capf_jax.models.temporal import TemporalLifter
from capf_jax.pose.crops import BoxCrop
from capf_jax.pose.flip import flip_joints
from capf_jax.pose.normalise import normalise_by_image
from capf_jax.pose.skeletons import Skeleton


def encode(
    pixels: np.ndarray, aimed: Aimed, models: Models, stream: SequenceStream
) -> tuple[np.ndarray, Aimed]:
    """The tokens of N people of one picture.

    Args:
      pixels: RGB, uint8 [H, W, 3], without lens distortion.
      aimed: the people's crops and joints.
      models: the networks, of which the lifter is one of sequences.
      stream: of that lifter.

    Returns:
      [N, 1, J, D], with the flip test [N, 2, J, D], what `SequenceStream.advance` takes of each;
      and the people with the joints that go into the lifter. The mirrored person of the flip test
      has these joints mirrored, and the maps of its own, mirrored crop.

    Raises:
      UserError: joints that the lifter cannot take.
    """
    if not aimed.views:
        return np.zeros((0, 1, len(models.lifter.skeleton), 0), np.float32), aimed
    size = np.tile(
        np.array([[pixels.shape[1], pixels.shape[0]]], np.float32), (len(aimed.views), 1)
    )
    if models.lifts_own_joints:
        return _encode_own(aiming.crops_of(pixels, aimed.views), size, aimed, models, stream)
    lifter = cast(Network, models.lifter.sequence_lifter)
    by_image = normalise_by_image(aimed.joints2d, size)
    if not sequences.needs_crops(lifter):
        return np.stack([np.asarray(stream.encode(one)) for one in by_image]), aimed
    crops = aiming.crops_of(pixels, aimed.views)
    joints = [view.to_crop(one) for view, one in zip(aimed.views, aimed.joints2d, strict=True)]
    each = zip(by_image, crops, joints, strict=True)
    return np.stack([np.asarray(stream.encode(*one)) for one in each]), aimed


def _encode_own(
    crops: np.ndarray, size: np.ndarray, aimed: Aimed, models: Models, stream: SequenceStream
) -> tuple[np.ndarray, Aimed]:
    """`encode` with the joints that the lifter's own detector finds on the very crops."""
    estimator = models.lifter
    whole = cast(ContextAwarePoseFormer, cast(Network, estimator.sequence_lifter).whole)
    whole = dataclasses.replace(
        whole,
        detector=cast(Network, estimator.detector).module,
        conversion=models.conversion,
    )
    mirror = estimator.skeleton if stream.flip_test else None
    places = ()
    if not models.turns:
        affines = [cast(BoxCrop, view).affine for view in aimed.views]
        places = (np.stack(affines).astype(np.float32), size)
    tokens, joints_crop, confidence = network_programs.in_batches(
        functools.partial(
            _tokens, whole, estimator.precision, mirror, sequences.variables_of(estimator)
        ),
        estimator.largest_batch,
        crops,
        *places,
    )
    joints2d = aiming.on_photograph(np.asarray(joints_crop, np.float64), aimed.views)
    return tokens, Aimed(aimed.views, joints2d, np.asarray(confidence, np.float64))


@functools.partial(programs.jit, static_argnums=(0, 1, 2))
def _tokens(
    whole: ContextAwarePoseFormer,
    precision: str,
    mirror: Skeleton | None,
    variables: Any,
    crops: Any,
    affine: Any = None,
    image_size: Any = None,
) -> tuple[jax.Array, Any, jax.Array]:
    """Tokens [B, 1 or 2, J, D], joints in the crops [B, J, 2], and their confidences [B, J]."""
    single = cast(TemporalLifter, whole.lifter).of_one_frame()
    with jax.default_matmul_precision(precision):
        inputs, joints, confidence = whole.crop_inputs(
            variables, crops, affine=affine, image_size=image_size
        )
        copies = [inputs]
        if mirror is not None:
            # A robust lifter gets further numbers behind x and y.
            by_image = flip_joints(inputs.joints2d[..., :2], 0, mirror)
            flipped = flip_joints(joints, crops.shape[2] - 1, mirror)
            copies.append(whole.crop_inputs(variables, crops[:, :, ::-1], flipped, by_image)[0])
        tokens = [cast(Any, single.apply(variables['lifter'], *one))[1]['joints'] for one in copies]
        return jnp.stack(tokens, axis=1), joints, confidence
