"""What a network costs: its parameters, and the FLOPs of one forward pass.

FLOPs are counted as the paper's Table 3 counts them: 2 x the multiply-adds of the dense layers and
convolutions. The products of queries, keys and values, sampling, norms and activations are left
out.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, cast

import flax.linen as nn
import jax
import jax.numpy as jnp

from capf_jax.models.ca_pf import ContextAwarePoseFormer
from capf_jax.models.detectors.catalog import CROP
from capf_jax.models.poseformer import PoseFormer
from capf_jax.models.temporal import TemporalLifter

LAYERS = (nn.Dense, nn.Conv, nn.ConvTranspose)  # whose multiply-adds are counted


@dataclasses.dataclass(frozen=True)
class Cost:
    """What one network costs.

    Attributes:
      parameters: how many numbers training can change; running statistics are none.
      flops: 2 x the multiply-adds of one forward pass, see above.
    """

    parameters: int
    flops: int

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.parameters + other.parameters, self.flops + other.flops)


def cost(module: nn.Module, *inputs: Any) -> Cost:
    """The cost of a module on these inputs; nothing is computed.

    Args:
      module: any Flax module that is called with `inputs` alone.
      inputs: arrays or `jax.ShapeDtypeStruct`s; for the FLOPs of one person their batch is 1.
    """
    flops = 0

    def count(layer: Any, args: Any, kwargs: Any, context: Any) -> Any:
        nonlocal flops
        output = layer(*args, **kwargs)
        if isinstance(context.module, LAYERS) and context.method_name == '__call__':
            flops += 2 * multiply_adds(context.module, args[0].shape, output.shape)
        return output

    with nn.intercept_methods(count):  # Initialising calls every layer once.
        variables = jax.eval_shape(module.init, jax.random.key(0), *inputs)
    return Cost(parameters(variables['params']), flops)


def parameters(tree: Any) -> int:
    """How many numbers the arrays of a tree, or their shapes, have together."""
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


def multiply_adds(layer: nn.Module, taken: tuple[int, ...], made: tuple[int, ...]) -> int:
    """Multiply-adds of one call of a layer of `LAYERS`.

    Args:
      layer: the layer.
      taken: shape of its input.
      made: shape of its output.
    """
    if isinstance(layer, nn.Dense):
        return math.prod(made) * taken[-1]
    kernel = math.prod(layer.kernel_size)
    if isinstance(layer, nn.ConvTranspose):  # Every pixel of the input meets the whole kernel.
        return math.prod(taken) * kernel * made[-1]
    return math.prod(made) * kernel * taken[-1] // layer.feature_group_count


def detector_cost(detector: nn.Module, crop: tuple[int, int] = CROP) -> Cost:
    """The cost of a 2D detector on one crop of (H, W) pixels."""
    return cost(detector, jax.ShapeDtypeStruct((1, *crop, 3), jnp.float32))


def costs(model: ContextAwarePoseFormer, crop: tuple[int, int] = CROP) -> dict[str, Cost]:
    """The costs of a whole CA-PF on one person, by the part: 'detector', where it runs, 'lifter'.

    Args:
      model: the model.
      crop: (H, W) of its crops, pixels.
    """
    return {
        **_detector_costs(model, crop),
        'lifter': cost(model.lifter, *lifter_inputs(model, crop)),
    }


def sequence_costs(model: ContextAwarePoseFormer, crop: tuple[int, int] = CROP) -> dict[str, Cost]:
    """The costs of CA-PF-S by the part that a new frame of a stream passes.

    Args:
      model: a model whose lifter is a `TemporalLifter`.
      crop: (H, W) of its crops, pixels.

    Returns:
      'detector' and 'projection', where they run, of one frame; 'lifter, one frame', and 'lifter,
      over time', which are the lifter's parameters together. A window that no stream has kept costs
      F times the first and once the last.
    """
    lifter = cast(TemporalLifter, model.lifter)
    inputs = lifter_inputs(model, crop)
    whole = cost(lifter, *lifter_inputs(model, crop, lifter.frames))
    single = cost(lifter.of_one_frame(), *inputs)
    # The head belongs to the part over time, and the single-frame lifter has it too.
    head = _head_cost(lifter)
    one_frame = Cost(single.parameters - head.parameters, single.flops - head.flops)
    over_time = Cost(
        whole.parameters - one_frame.parameters, whole.flops - lifter.frames * one_frame.flops
    )
    parts = _detector_costs(model, crop)
    if model.projection is not None:
        contexts = [
            jax.ShapeDtypeStruct((1, lifter.num_joints, channels), jnp.float32)
            for channels in model.entry.channels
        ]
        parts['projection'] = cost(model.projection, contexts)
    return {**parts, 'lifter, one frame': one_frame, 'lifter, over time': over_time}


def beside_ca_pf_s(model: ContextAwarePoseFormer, crop: tuple[int, int] = CROP) -> dict[str, Cost]:
    """CA-PF-S on a window that no stream has kept, and the published PoseFormer; no detectors."""
    lifter = cast(TemporalLifter, model.lifter)
    frames = lifter.frames
    other = PoseFormer(num_joints=lifter.num_joints, frames=frames)
    words = 'frame' if frames == 1 else 'frames'
    return {
        f'CA-PF-S, {frames} {words}': cost(lifter, *lifter_inputs(model, crop, frames)),
        f'PoseFormer as published, {frames} {words}': poseformer_costs(other)['lifter'],
    }


def poseformer_costs(model: PoseFormer) -> dict[str, Cost]:
    """The cost of PoseFormer on one window."""
    shape = (1, model.frames, model.num_joints, 2)
    return {'lifter': cost(model, jax.ShapeDtypeStruct(shape, jnp.float32))}


def lifter_inputs(
    model: ContextAwarePoseFormer, crop: tuple[int, int] = CROP, people: int = 1
) -> tuple[Any, ...]:
    """The shapes of what a model's lifter is called with, in the order of its arguments.

    Args:
      model: the model.
      crop: (H, W) of its crops, pixels.
      people: of one batch.
    """

    def floats(*shape: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((people, *shape), jnp.float32)

    joints = model.lifter.num_joints
    joints2d, joints2d_crop = floats(joints, model.lifter.joint_numbers), floats(joints, 2)
    if model.detector is None:
        return joints2d, joints2d_crop, ()
    if model.projection is not None:
        contexts = tuple(floats(joints, model.projection.channels) for _ in model.entry.levels)
        return joints2d, joints2d_crop, (), contexts
    detection, _ = jax.eval_shape(
        model.detector.init_with_output, jax.random.key(0), floats(*crop, 3)
    )
    return joints2d, joints2d_crop, detection.maps


def _detector_costs(model: ContextAwarePoseFormer, crop: tuple[int, int]) -> dict[str, Cost]:
    return {} if model.detector is None else {'detector': detector_cost(model.detector, crop)}


def _head_cost(lifter: TemporalLifter) -> Cost:
    """The last norm and linear layer, for all joints of one pose."""
    width, joints = lifter.width, lifter.num_joints
    return Cost(2 * width + 3 * (width + 1), 2 * 3 * width * joints)
