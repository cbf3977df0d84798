"""What a user may ask of videos, as Python's arguments name it."""

from __future__ import annotations

import dataclasses

import numpy as np

from capf_jax import errors
from capf_jax.errors import UserError
from capf_jax.inference.camera_choice import CameraChoice
from capf_jax.inference.people import AXES
from capf_jax.inference.video import short_gaps
from capf_jax.inference.video.smoothing import CUTOFF, Smoothing
from capf_jax.inference.video.video_frames import FrameChoice
from capf_jax.inference.video.video_tracks import Finish
from capf_jax.pose import cameras


def plan_of(
    *,
    time_range: tuple[float, float | None] = (0.0, None),
    stride: int = 1,
    smoothing: str = 'butterworth',
    cutoff: float = CUTOFF,
    constant_bones: bool = True,
    still_feet: bool = True,
    fill_gaps: float = short_gaps.LONGEST,
    axes: str = 'camera',
    pitch: float = 0.0,
    tilt: float = 0.0,
) -> tuple[FrameChoice, Finish]:
    """Which frames of every video are taken, and what comes behind them; both of a `VideoRun`.

    Args:
      time_range: seconds, start and stop; None for the end.
      stride: each so-many-th frame is taken.
      smoothing: one of `smoothing.NAMES`.
      cutoff: Hz, of the smoothing.
      constant_bones: whether each person's bones keep their lengths.
      still_feet: whether feet that stand are kept from sliding.
      fill_gaps: seconds; a person who is hidden for no longer is filled in, as a guess.
      axes: of the 3D joints; 'y_up' and 'z_up' come with a floor.
      pitch: degrees by which the camera looks down.
      tilt: degrees by which it is turned clockwise. Without both, a calibration tells what
        is up, or else the video.

    Raises:
      UserError: a value that means nothing.
    """
    if axes not in AXES:
        raise errors.unknown('axes', axes, AXES)
    up = -cameras.upright_rotation(pitch, tilt)[1] if pitch or tilt else None
    if not (np.isfinite(fill_gaps) and fill_gaps >= 0):
        raise UserError(f'gaps of {fill_gaps} s cannot be filled; give seconds, 0 for none')
    filters = Smoothing(smoothing, cutoff)
    finish = Finish(filters, constant_bones, axes, still_feet, up, fill_gaps)
    return FrameChoice(*time_range, stride), finish


def with_up(finish: Finish, cameras: CameraChoice, source: str) -> Finish:
    """The same, with what is up by the calibration, where it tells and the user does not.

    Args:
      finish: of the user's options.
      cameras: how the camera is come by.
      source: the video's file, or the camera, such as 'camera:0'.

    Raises:
      UserError: the calibration has no camera for it.
    """
    if finish.up is not None or finish.axes == 'camera':
        return finish
    return dataclasses.replace(finish, up=cameras.up(source))
