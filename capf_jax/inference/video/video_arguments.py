"""The arguments of `capf_jax.predict` that are about videos."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from capf_jax.errors import UserError
from capf_jax.inference.video import short_gaps, smoothing
from capf_jax.runtime.commands import Parser


def add_to(parser: Parser) -> None:
    """Adds the arguments to those of the command."""
    add = parser.add_argument
    add('--time_range', type=_range, default=(0.0, None), metavar='START:STOP',
        help='of videos and cameras, seconds; either may be left out')  # fmt: skip
    add('--stride', type=int, default=1, metavar='N',
        help='of videos and cameras, take each N-th frame')  # fmt: skip
    add('--smoothing', choices=smoothing.NAMES,
        help='of videos; default butterworth, and one_euro for a camera')  # fmt: skip
    add('--cutoff', type=float, default=smoothing.CUTOFF, metavar='HERTZ',
        help=f'of the smoothing; default {smoothing.CUTOFF:g}, more for fast people')  # fmt: skip
    parser.add_flag('constant_bones', default=True, help="keep each person's bones one length")
    parser.add_flag('still_feet', default=True, help='keep feet that stand from sliding')
    add('--fill_gaps', type=float, default=short_gaps.LONGEST, metavar='SECONDS',
        help=f'of videos, fill in who is hidden; default {short_gaps.LONGEST:g}')  # fmt: skip
    parser.add_flag('json', default=False, help='of videos, write NAME.json too')


def check(values: argparse.Namespace) -> None:
    """UserError where arguments do not fit videos."""
    if values.box is not None or values.joints2d is not None:
        name = 'box' if values.box is not None else 'joints2d'
        raise UserError(f'--{name} is for pictures; people of videos are found frame by frame')


def options(values: argparse.Namespace, smoothing: str = 'butterworth') -> dict[str, Any]:
    """The arguments as those of `video_options.plan_of`.

    Args:
      values: of the command.
      smoothing: what is taken where the user names none.
    """
    return {
        'time_range': values.time_range,
        'stride': values.stride,
        'smoothing': values.smoothing or smoothing,
        'cutoff': values.cutoff,
        'constant_bones': values.constant_bones,
        'still_feet': values.still_feet,
        'fill_gaps': values.fill_gaps,
        'axes': values.world,
        'pitch': values.pitch,
        'tilt': values.tilt,
    }


def _range(text: str) -> tuple[float, float | None]:
    """Start and stop of 'START:STOP'."""
    parts = text.split(':')
    try:
        start, stop = (float(part) if part.strip() else None for part in parts)
    except ValueError:
        start, stop = np.nan, None
    if start is not None and not np.isfinite(start):
        raise argparse.ArgumentTypeError(f'must be seconds START:STOP, such as 2:5.5, not {text!r}')
    return start or 0.0, stop
