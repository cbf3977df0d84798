"""What a network costs: its parameters, and the FLOPs of one forward pass.

FLOPs are counted as the paper's Table 3 counts them: 2 x the multiply-adds of the dense layers and
convolutions. The products of queries, keys and values, sampling, norms and activations are left
out.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from capf_jax.models.ca_pf import ContextAwarePoseFormer
from capf_jax.models.detectors.catalog import CROP

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

    variables = jax.eval_shape(module.init, jax.random.key(0), *inputs)
    with nn.intercept_methods(count):
        jax.eval_shape(module.apply, variables, *inputs)
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
    parts, maps, detector = {}, (), model.detector
    if detector is not None:
        images = jax.ShapeDtypeStruct((1, *crop, 3), jnp.float32)
        detection = jax.eval_shape(detector.init_with_output, jax.random.key(0), images)[0]
        maps = detection.maps
        parts['detector'] = detector_cost(detector, crop)
    joints = model.lifter.num_joints
    joints2d = jax.ShapeDtypeStruct((1, joints, model.lifter.joint_numbers), jnp.float32)
    joints2d_crop = jax.ShapeDtypeStruct((1, joints, 2), jnp.float32)
    return {**parts, 'lifter': cost(model.lifter, joints2d, joints2d_crop, maps)}
