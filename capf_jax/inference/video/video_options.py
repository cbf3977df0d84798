"""What a user may ask of videos, as Python's arguments name it."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable

from capf_jax import errors
from capf_jax.errors import UserError
from capf_jax.inference.camera_choice import CameraChoice
from capf_jax.inference.people import AXES
from capf_jax.inference.video import option_checks, short_gaps
from capf_jax.inference.video.smoothing import CUTOFF, Smoothing
from capf_jax.inference.video.video_frames import FrameChoice
from capf_jax.inference.video.video_tracks import Finish
from capf_jax.pose import cameras

# Options of the command that have another name in Python.
_NAMES_OF_THE_COMMAND = {'world': 'axes', 'calibration': 'camera', 'intrinsics': 'camera'}


def plan_of(
    *,
    time_range: tuple[float | None, float | None] = (0.0, None),
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
      time_range: seconds, start and stop; None for the beginning or the end.
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
      UserError: a value of another type, or one that means nothing.
    """
    start, stop = option_checks.time_range(time_range)
    stride = option_checks.whole_number('stride', stride, '1 for every frame, 2, 3 ...')
    if axes not in AXES:
        raise errors.unknown('axes', axes, AXES)
    pitch = option_checks.number('pitch', pitch, 'degrees, such as 10')
    tilt = option_checks.number('tilt', tilt, 'degrees, such as 5')
    up = -cameras.upright_rotation(pitch, tilt)[1] if pitch or tilt else None
    gaps = option_checks.number('fill_gaps', fill_gaps, 'seconds, 0 to fill none')
    if gaps < 0:
        raise UserError(f'gaps of {gaps} s cannot be filled; give seconds, 0 for none')
    filters = Smoothing(smoothing, option_checks.number('cutoff', cutoff, 'hertz, such as 3'))
    bones = option_checks.switch('constant_bones', constant_bones)
    feet = option_checks.switch('still_feet', still_feet)
    return FrameChoice(start, stop, stride), Finish(filters, bones, axes, feet, up, gaps)


def check_names(names: Iterable[str], others: Iterable[str]) -> None:
    """Checks that all names are of options of videos.

    Args:
      names: what the user gave by name.
      others: what else could have been given by name, which a sentence names too.

    Raises:
      UserError: a name of neither; the sentence names the nearest.
    """
    known = [*inspect.signature(plan_of).parameters]
    for name in names:
        if name in known:
            continue
        if name in _NAMES_OF_THE_COMMAND:
            raise UserError(
                f'{name!r} is an option of the command alone; in Python it is '
                f'{_NAMES_OF_THE_COMMAND[name]!r}'
            )
        raise errors.unknown('an argument of predict', name, [*others, *known])


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
