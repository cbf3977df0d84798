"""The weights of a detector that training starts from, read from the file a config names."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from capf_jax.errors import UserError
from capf_jax.inference.weight_files import differing_tensors, load_weights


def load_detector(path: str, shapes: Any, joints: str = '', name: str = '') -> dict[str, Any]:
    """A detector's variables, float32, from a safetensors file of ours.

    Args:
      path: the file, named by `config.model.detector_weights`.
      shapes: the tree of shapes that the detector of the configuration has.
      joints: name of the joints that it must find; '' where that does not matter.
      name: of the detector, for the error.

    Raises:
      UserError: the file holds other tensors or shapes, or a detector of other joints.
    """
    tree, metadata = load_weights(path)
    different = differing_tensors(tree, shapes)
    held = (metadata.get('model') or {}).get('detector', name)
    if different and held != name:
        raise UserError(
            f'{path} holds the weights of {held!r}, and model.detector is {name!r}: set '
            f'model.detector_weights to a file of {name!r}, or model.detector to {held!r}'
        )
    held_joints = metadata.get('skeleton', joints)
    if joints and held_joints != joints:
        raise UserError(
            f'{path} finds the joints of {held_joints!r}, the configuration says {joints!r}: set '
            f'model.detector_skeleton to {held_joints!r}'
        )
    if different:
        raise UserError(
            f'{path} holds the weights of another detector: {len(different)} tensors differ, '
            f'first {different[0]}; set model.detector and model.hrnet to those it is of'
        )
    return jax.tree.map(lambda array: jnp.asarray(array, jnp.float32), tree)
