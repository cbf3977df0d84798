"""The weights of the detector that training starts from, read from the file of a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from capf_jax.errors import UserError
from capf_jax.inference.weight_files import differing_tensors, load_weights

CLASSIFIER = 'classifier'  # kind of the weight file of a network with a head of classes


def load_detector(path: str, shapes: Any, joints: str = '', name: str = '') -> dict[str, Any]:
    """Reads a detector's variables, float32, from a weight file of this project.

    Args:
      path: the file, named by `config.model.detector_weights`.
      shapes: the tree of shapes that the detector of the configuration has.
      joints: name of the skeleton whose joints it must detect; '' where that does not matter.
      name: the configuration's name of the detector.

    Returns:
      {'params': ..., 'batch_stats': ...} of arrays, without `batch_stats` where it has none.

    Raises:
      FileNotFoundError: there is no such file.
      UserError: the file holds other tensors or shapes, or a detector of other joints.
    """
    tree, metadata = load_weights(path)
    if metadata.get('kind') == 'ca_pf':
        raise UserError(
            f'{path} holds a lifter beside its detector: name it by training.start instead of '
            'model.detector_weights, with training.start_part=detector to leave the lifter out'
        )
    if metadata.get('kind') == CLASSIFIER:
        tree = tree.get('detector', {})
        if 'head' in shapes.get('params', {}):
            raise UserError(
                f'{path} holds a network that was trained to tell classes apart, and has no '
                'heatmaps: set config.model.detector_head to False'
            )
    return check_detector(path, tree, metadata, shapes, joints, name)


def check_detector(
    path: str,
    tree: Mapping[str, Any],
    metadata: Mapping[str, Any],
    shapes: Any,
    joints: str = '',
    name: str = '',
) -> dict[str, Any]:
    """A detector's variables, float32, if they are those of the configuration.

    Args:
      path: the file, for messages.
      tree: the variables that it holds.
      metadata: what it says of itself.
      shapes, joints, name: see `load_detector`.

    Raises:
      UserError: the file holds other tensors or shapes, or a detector of other joints.
    """
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
            f'{path} detects the joints of {held_joints!r}, the configuration says {joints!r}: set '
            f'model.detector_skeleton to {held_joints!r}, or, if the published file learnt '
            f'{joints!r}, convert that again with --skeleton={joints}'
        )
    if different:
        raise UserError(
            f'{path} holds the weights of another detector: {len(different)} tensors differ, '
            f'first {different[0]}; set model.detector and model.hrnet to those of the file'
        )
    return jax.tree.map(lambda array: jnp.asarray(array, jnp.float32), tree)
