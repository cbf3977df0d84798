"""Windows of frames, as an Estimator lifts them: checks, mirroring, and the compiled programs."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, cast

import flax.linen as nn
import jax
import numpy as np

from capf_jax.backends import programs
from capf_jax.errors import UserError
from capf_jax.inference import input_checks
from capf_jax.inference.networks import Network
from capf_jax.models.ca_pf import ContextAwarePoseFormer
from capf_jax.models.poseformer import PoseFormer
from capf_jax.models.temporal import TemporalLifter
from capf_jax.pose.flip import flip_joints

if TYPE_CHECKING:
    from capf_jax.inference.estimator import Estimator


def needs_crops(lifter: Network) -> bool:
    """Whether a sequence lifter looks at pictures."""
    return lifter.whole is not None and lifter.whole.detector is not None


def checked(
    estimator: Estimator,
    joints2d: Any,
    crops: Any = None,
    joints2d_crop: Any = None,
    *,
    frames: int | None = None,
) -> tuple[np.ndarray, ...]:
    """The windows that a sequence lifter takes.

    Args:
      estimator: it holds a sequence lifter.
      joints2d: [B, F, J, 2], normalised by the image.
      crops: [B, F, H, W, 3], and joints2d_crop [B, F, J, 2], where it has a detector; else None.
      joints2d_crop: see there.
      frames: F of these windows; None for that of the lifter.

    Returns:
      The arrays that are not None.

    Raises:
      UserError: they are not of these shapes and units, or some are missing or too many.
    """
    lifter = estimator.sequence_lifter
    assert lifter is not None  # the caller has looked
    frames, joints = frames or int(lifter.module.frames), len(estimator.skeleton)
    joints2d = input_checks.normalised_joints(joints2d, (frames, joints, 2))
    if not needs_crops(lifter):
        if crops is not None or joints2d_crop is not None:
            raise UserError(
                f'{estimator.path} lifts coordinates alone: leave crops and joints2d_crop out'
            )
        return (joints2d,)
    check_model(estimator, lifter)
    if crops is None or joints2d_crop is None:
        raise UserError(
            f'{estimator.path} looks at pictures: give the crops of all frames and joints2d_crop'
        )
    crops, joints2d_crop = np.asarray(crops), np.asarray(joints2d_crop)
    if crops.ndim != 5 or crops.shape[1] != frames:
        raise UserError(
            f'crops has the shape {list(crops.shape)}; it must be uint8 [B, {frames}, H, W, 3]'
        )
    size = crops.shape[2:4]
    flat = input_checks.crops(crops.reshape(-1, *crops.shape[2:]), estimator.crop_size)
    if joints2d_crop.shape[1:] != (frames, joints, 2):
        raise UserError(
            f'joints2d_crop has the shape {list(joints2d_crop.shape)}; it must be '
            f'[B, {frames}, {joints}, 2]'
        )
    in_crops = input_checks.crop_joints(joints2d_crop.reshape(-1, joints, 2), (joints, 2), size)
    joints2d_crop = in_crops.reshape(joints2d_crop.shape)
    input_checks.same_length(joints2d=joints2d, crops=crops, joints2d_crop=joints2d_crop)
    return joints2d, flat.reshape(crops.shape), joints2d_crop


def checked_contexts(
    estimator: Estimator, lifter: Network, joints2d: Any, contexts: Any
) -> tuple[np.ndarray, np.ndarray]:
    """joints2d [B, F, J, 2] and contexts [B, F, J, C], float32, for a lifter that takes them.

    Raises:
      UserError: they are not of these shapes, or the lifter takes none.
    """
    whole, frames, joints = lifter.whole, lifter.module.frames, len(estimator.skeleton)
    if whole is None or whole.detector is None or whole.lifter.runs_deformable:
        raise UserError(
            f'{estimator.path} takes no contexts: it lifts coordinates alone, or looks around the '
            'joints in the maps'
        )
    if whole.reading is not None:
        raise UserError(
            f'{estimator.path} looks at heatmaps too, which contexts do not tell of: give crops '
            'and joints2d_crop'
        )
    joints2d = input_checks.normalised_joints(joints2d, (frames, joints, 2))
    contexts, channels = np.asarray(contexts), sum(whole.context_channels)
    if contexts.shape[1:] != (frames, joints, channels) or contexts.dtype.kind != 'f':
        raise UserError(
            f'contexts is {contexts.dtype} {list(contexts.shape)}; it must be float32 '
            f'[B, {frames}, {joints}, {channels}]'
        )
    input_checks.same_length(joints2d=joints2d, contexts=contexts)
    return joints2d, contexts.astype(np.float32)


def check_model(estimator: Estimator, lifter: Network) -> None:
    """UserError where a sequence lifter needs more than crops, joints and what the file holds."""
    whole = lifter.whole
    assert whole is not None  # only those with a detector are asked
    if estimator.detector is None:
        raise UserError(
            f'{estimator.path} holds a CA-PF-S without the detector and the projection that its '
            'contexts come from: give the file of a training run'
        )
    if whole.detector_joints:
        raise UserError(
            f"{estimator.path} was trained with its detector's own joints as further input; "
            f'evaluate it with python -m capf_jax.evaluate, which knows where the crops lie'
        )


def mirrored(estimator: Estimator, *windows: np.ndarray) -> tuple[np.ndarray, ...]:
    """Windows of mirrored people, in the form of `checked`."""

    def flipped(joints: np.ndarray, last: float) -> np.ndarray:
        flat = joints.reshape(-1, *joints.shape[-2:])
        return flip_joints(flat, last, estimator.skeleton).reshape(joints.shape)

    if len(windows) == 1:
        return (flipped(windows[0], 0),)
    joints2d, crops, joints2d_crop = windows
    last = crops.shape[-2] - 1
    return flipped(joints2d, 0), crops[..., ::-1, :], flipped(joints2d_crop, last)


def variables_of(estimator: Estimator) -> dict[str, Any]:
    """What a whole model is applied to."""
    parts = {
        'detector': estimator.detector,
        'lifter': estimator.sequence_lifter,
        'projection': estimator.projection,
    }
    return {name: part.variables for name, part in parts.items() if part is not None}


def lift(estimator: Estimator, lifter: Network, joints2d: Any, *pictures: Any) -> jax.Array:
    """The poses [B, J, 3] of windows in the form of `checked`."""
    precision = estimator.precision
    if isinstance(lifter.module, PoseFormer):
        return _lift_joints(lifter.module, precision, lifter.variables, joints2d)
    whole = cast(ContextAwarePoseFormer, lifter.whole)
    rows = [_rows(array) for array in (joints2d, *pictures)]
    return _lift_windows(whole, precision, variables_of(estimator), *rows)


def encode(estimator: Estimator, joints2d: Any, *pictures: Any) -> jax.Array:
    """The tokens of single frames, [B, J, D], which `over_time` takes.

    Args:
      estimator: it holds a sequence lifter.
      joints2d: [B, J, 2], normalised by the image.
      *pictures: crops [B, H, W, 3] and joints2d_crop [B, J, 2] where there is a detector.
    """
    lifter = cast(Network, estimator.sequence_lifter)
    precision = estimator.precision
    if isinstance(lifter.module, PoseFormer):
        return _encode_joints(lifter.module, precision, lifter.variables, joints2d)
    whole = cast(ContextAwarePoseFormer, lifter.whole)
    return _encode_frames(whole, precision, variables_of(estimator), joints2d, *pictures)


def lift_contexts(estimator: Estimator, lifter: Network, joints2d: Any, contexts: Any) -> jax.Array:
    """The poses [B, J, 3] of windows in the form of `checked_contexts`."""
    whole = cast(ContextAwarePoseFormer, lifter.whole)
    rows = _rows(joints2d), _rows(contexts)
    return _lift_vectors(whole, estimator.precision, lifter.variables, *rows)


@functools.partial(programs.jit, static_argnums=(0, 1, 2))
def over_time(
    module: nn.Module, precision: str, step: int, variables: Any, tokens: jax.Array
) -> jax.Array:
    """The poses [B, J, 3] of windows whose frames are encoded.

    Args:
      module: the sequence lifter.
      precision: of matrix products.
      step: frames from one of a window to the next.
      variables: of the module.
      tokens: [B, (F - 1) * step + 1, J, D], neighbouring frames.
    """
    with jax.default_matmul_precision(precision):
        pose = module.apply(variables, tokens[:, ::step], method='over_time')
        return cast(jax.Array, pose)


def _rows(array: Any) -> Any:
    """[B, F, ...] -> [B * F, ...]."""
    return array.reshape(-1, *array.shape[2:])


@functools.partial(programs.jit, static_argnums=(0, 1), few_rows=True)
def _lift_joints(module: PoseFormer, precision: str, variables: Any, joints: Any) -> jax.Array:
    with jax.default_matmul_precision(precision):
        return cast(Any, module.apply(variables, joints))[0]


@functools.partial(programs.jit, static_argnums=(0, 1), few_rows=True)
def _encode_joints(module: PoseFormer, precision: str, variables: Any, joints: Any) -> jax.Array:
    with jax.default_matmul_precision(precision):
        tokens = module.apply(variables, joints[:, None], method='relate_joints')
        return cast(jax.Array, tokens)[:, 0]


@functools.partial(programs.jit, static_argnums=(0, 1))
def _lift_vectors(
    whole: ContextAwarePoseFormer, precision: str, variables: Any, joints2d: Any, contexts: Any
) -> jax.Array:
    with jax.default_matmul_precision(precision):
        by_level = whole.split_contexts(contexts)
        return cast(Any, whole.lifter.apply(variables, joints2d, joints2d, (), by_level))[0]


@functools.partial(programs.jit, static_argnums=(0, 1))
def _lift_windows(
    whole: ContextAwarePoseFormer, precision: str, variables: Any, *rows: Any
) -> jax.Array:
    with jax.default_matmul_precision(precision):
        inputs = _inputs(whole, variables, *rows)
        return cast(Any, whole.lifter.apply(variables['lifter'], *inputs))[0]


@functools.partial(programs.jit, static_argnums=(0, 1))
def _encode_frames(
    whole: ContextAwarePoseFormer, precision: str, variables: Any, *rows: Any
) -> jax.Array:
    with jax.default_matmul_precision(precision):
        inputs = _inputs(whole, variables, *rows)
        single = cast(TemporalLifter, whole.lifter).of_one_frame()
        return cast(Any, single.apply(variables['lifter'], *inputs))[1]['joints']


def _inputs(
    whole: ContextAwarePoseFormer,
    variables: Any,
    joints2d: Any,
    crops: Any = None,
    joints2d_crop: Any = None,
) -> tuple[Any, ...]:
    """The lifter's arguments for people in rows."""
    if whole.detector is None:  # The lifter of coordinates alone does not read the crop's joints.
        return joints2d, joints2d, ()
    return whole.crop_inputs(variables, crops, joints2d_crop, joints2d)[0]
