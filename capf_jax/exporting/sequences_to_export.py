"""What a weight file of windows of frames can be exported as; see `networks_to_export`.

Windows are those that the file was trained on: the middle frame is the target, or the last one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax

from capf_jax.errors import UserError
from capf_jax.exporting import tensors
from capf_jax.exporting.tensors import ALL, Export, Tensor
from capf_jax.inference import sequences
from capf_jax.inference.estimator import Estimator
from capf_jax.inference.networks import Network
from capf_jax.models import ca_pf

Function = Callable[..., tuple[jax.Array, ...]]


def of_estimator(estimator: Estimator, part: str) -> Export:
    """A PoseFormer or a CA-PF-S.

    Args:
      estimator: it holds a sequence lifter.
      part: 'lifter', or 'all' from the crops of all frames where the file holds a detector.

    Raises:
      UserError: the lifter takes more than an exported one can be given.
    """
    lifter = estimator.sequence_lifter
    assert lifter is not None  # the caller has looked
    if estimator.frame == ca_pf.VIEWING_RAY:
        raise UserError(
            f'{estimator.path} holds a lifter of windows in the viewing-ray frame, whose export is '
            'not written yet: name a file in the frame of the camera'
        )
    frames, number = int(lifter.module.frames), len(estimator.skeleton)
    if lifter.whole is None or lifter.whole.detector is None:
        inputs, function = (tensors.joints2d(number)[0],), _of_joints(lifter)
    elif part == ALL and estimator.detector is not None:
        sequences.check_model(estimator, lifter)
        size = tensors.crop_of(estimator)
        inputs = (tensors.crops(size), *tensors.joints2d(number))
        function = _of_crops(lifter, sequences.variables_of(estimator))
    elif lifter.whole.lifter.runs_deformable:
        raise UserError(
            f'{estimator.path} holds a lifter of windows that looks around the joints in the maps '
            'of every frame: use --part=all'
        )
    else:
        channels = sum(lifter.whole.context_channels)
        inputs = (tensors.joints2d(number)[0], tensors.contexts(number, channels))
        function = _of_contexts(lifter)
    windows = tuple(tensors.of_frames(one, frames) for one in inputs)
    return Export(part, function, windows, (_pose(estimator, number),), estimator)


def _pose(estimator: Estimator, number: int) -> Tensor:
    target = 'last' if estimator.metadata.get('causal') else 'middle'
    frame = estimator.frame or ca_pf.CAMERA
    return dataclasses.replace(
        tensors.pose(number, frame),
        meaning=f'3D joints of the {target} frame relative to the root, '
        f'{tensors.FRAMES.get(frame, frame)}',
    )


def _rows(array: Any) -> Any:
    """[B, F, ...] -> [B * F, ...]."""
    return array.reshape(-1, *array.shape[2:])


def _exported_lift(lift: Callable[..., Any]) -> Function:
    """A function of a window's arrays that gives a lifter's outputs, as one of the pose alone."""

    @tensors.exact
    def pose(*windows: Any) -> tuple[jax.Array, ...]:
        return (lift(*windows)[0],)

    return pose


def _of_joints(lifter: Network) -> Function:
    """2D joints of a window -> pose."""

    def lift(joints2d: Any) -> Any:
        if lifter.whole is None:  # a PoseFormer
            return lifter.module.apply(lifter.variables, joints2d)
        rows = _rows(joints2d)
        return lifter.module.apply(lifter.variables, rows, rows, ())

    return _exported_lift(lift)


def _of_contexts(lifter: Network) -> Function:
    """2D joints and contexts of a window -> pose."""
    whole = lifter.whole
    assert whole is not None  # only a CA-PF-S has contexts

    def lift(joints2d: Any, contexts: Any) -> Any:
        joints2d = _rows(joints2d)
        by_level = whole.split_contexts(_rows(contexts))
        return whole.lifter.apply(lifter.variables, joints2d, joints2d, (), by_level)

    return _exported_lift(lift)


def _of_crops(lifter: Network, variables: dict[str, Any]) -> Function:
    """Crops and 2D joints of a window -> pose."""
    whole = lifter.whole
    assert whole is not None  # only a CA-PF-S has a detector

    def lift(crops: Any, joints2d: Any, joints2d_crop: Any) -> Any:
        rows = _rows(crops), _rows(joints2d_crop), _rows(joints2d)
        inputs = whole.crop_inputs(variables, *rows)[0]
        return whole.lifter.apply(variables['lifter'], *inputs)

    return _exported_lift(lift)
