"""The arguments of the command `capf_jax.predict`, and which of them exclude each other."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

import numpy as np

from capf_jax import errors
from capf_jax.errors import UserError
from capf_jax.inference import other_detectors, photograph_camera, photographs, predictor
from capf_jax.inference.formats import catalog
from capf_jax.inference.people import AXES
from capf_jax.inference.photograph_camera import FIELD_OF_VIEW
from capf_jax.inference.video import video_arguments
from capf_jax.pose import joint_conversions, skeletons
from capf_jax.runtime import commands


def parse(argv: Sequence[str], description: str | None) -> argparse.Namespace:
    """The arguments of a command line.

    Args:
      argv: the name of the program and what stands behind it.
      description: what --help prints before the list of arguments.

    Raises:
      UserError: arguments that exclude each other, or numbers that mean nothing.
    """
    values = _parser(description).parse(argv)
    _check(values)
    return values


def _check(values: argparse.Namespace) -> None:
    """Refuses arguments that exclude each other."""
    ways = [
        name for name in ('intrinsics', 'calibration', 'fov') if getattr(values, name) is not None
    ]
    if len(ways) > 1:
        raise UserError(f'--{ways[0]} and --{ways[1]} both say what the camera is; give one')
    if values.camera and values.calibration is None:
        raise UserError('--camera names a camera of a calibration file; give --calibration too')
    if values.conversion and values.conversion not in joint_conversions.NAMES:
        raise errors.unknown('--conversion', values.conversion, joint_conversions.NAMES)
    if values.joints2d_skeleton and values.joints2d is None:
        raise UserError('--joints2d_skeleton is that of given 2D joints; give --joints2d too')
    if values.joints2d_skeleton not in ('', *skeletons.SKELETONS):
        raise errors.unknown('--joints2d_skeleton', values.joints2d_skeleton, skeletons.SKELETONS)
    if values.box is not None and values.joints2d is not None:
        raise UserError('--box and --joints2d both say where the people are; give one')
    if values.detector and values.detector_weights:
        raise UserError('--detector and --detector_weights both say what finds joints; give one')
    if bool(values.detector) != bool(values.detector_files):
        raise UserError(
            f'--detector and --detector_files go together; give {other_detectors.EXAMPLE}'
        )
    catalog.check(catalog.choose(values.format, others=('csv',)), is_video=False)
    if values.fov is not None:
        photograph_camera.from_field_of_view(values.fov, (1, 1))  # which refuses what is no angle
    if values.height is not None:
        photographs.check_height(values.height)
    for name in ('pitch', 'tilt'):
        degrees = getattr(values, name)
        if not abs(degrees) <= 360:
            raise UserError(f'--{name} is {degrees:g}; give an angle in degrees, such as 10')
    if not values.least_confidence <= 1:  # Heatmaps may be below 0, and then a negative one too.
        raise UserError(
            f'--least_confidence is {values.least_confidence:g}; a confidence is 0 to 1, such as '
            f'{photographs.LEAST_CONFIDENCE:g}'
        )
    if values.world == 'camera' and (values.pitch or values.tilt):
        raise UserError('--pitch and --tilt are for --world=y_up or z_up; add it')


def _parser(description: str | None) -> commands.Parser:
    parser = commands.Parser('capf_jax.predict', description)
    add = parser.add_argument
    add('source', nargs='+', help='pictures, videos, a folder, a pattern in quotes, or camera:0')
    add('--output', default='predictions', metavar='FOLDER', help='default predictions')
    add('--weights', default=str(predictor.LIFTER), help='default pretrained/photographs')
    add('--detector_weights', help='what finds the 2D joints; default: the detector in --weights')
    add('--detector', choices=tuple(other_detectors.NAMES),
        help='what finds the 2D joints: of another program, in --detector_files')  # fmt: skip
    add('--detector_files', metavar='FILE[,FILE]', type=lambda text: text.split(','),
        help='ONNX files of --detector=rtmpose: of YOLOX and of RTMPose')  # fmt: skip
    add('--finder_weights', default=str(predictor.FINDER), help='what finds the people')
    add('--joints2d', metavar='FILE', help='2D joints that another program found')
    add('--joints2d_skeleton', default='', metavar='NAME',
        help=f'of joints whose file does not say it: {", ".join(skeletons.SKELETONS)}')  # fmt: skip
    add('--conversion', default='', metavar='NAME',
        help=f'makes the 2D joints of the lifter: {", ".join(joint_conversions.NAMES)}; default: '
        'as the weights were trained')  # fmt: skip
    add('--box', type=_numbers(4, 'x,y,width,height'), action='append', metavar='X,Y,WIDTH,HEIGHT',
        help='a person, pixels; may be given several times')  # fmt: skip
    add('--intrinsics', type=_numbers(4, 'fx,fy,cx,cy'), metavar='FX,FY,CX,CY', help='pixels')
    add('--calibration', metavar='FILE', help='of Pose2Sim (.toml) or OpenCV (.yml, .xml)')
    add('--camera', default='', metavar='NAME', help='camera of the calibration')
    add('--fov', type=float, metavar='DEGREES',
        help=f'field of view of the longer side; {FIELD_OF_VIEW:g} is assumed')  # fmt: skip
    add('--height', type=float, metavar='METRES', help='standing height of everyone')
    add('--world', default='camera', choices=tuple(AXES), help='axes of the 3D joints')
    add('--pitch', type=float, default=0.0, metavar='DEGREES', help='how far the camera looks down')
    add('--tilt', type=float, default=0.0, metavar='DEGREES',
        help='how far the camera is turned clockwise about its axis')  # fmt: skip
    add('--least_confidence', type=float, default=photographs.LEAST_CONFIDENCE,
        help=f'of a person, 0 to 1; default {photographs.LEAST_CONFIDENCE:g}')  # fmt: skip
    add('--format', default='', metavar='NAME,NAME',
        help=f'further files: csv, {catalog.NAMES_IN_WORDS}')  # fmt: skip
    parser.add_flag('csv', default=False, help='write NAME.csv too')
    parser.add_flag('picture', default=True, help='write NAME.png')
    parser.add_flag('overwrite', default=False, help='make finished results again')
    parser.add_flag('flip_test', default=True, help='average with the mirrored person')
    video_arguments.add_to(parser)
    return parser


def _numbers(count: int, names: str) -> Callable[[str], list[float]]:
    """What reads 'a,b,c' as so many numbers."""

    def read(text: str) -> list[float]:
        try:
            numbers = [float(part) for part in text.split(',')]
        except ValueError:
            numbers = []
        if len(numbers) != count or not np.isfinite(numbers).all():
            raise argparse.ArgumentTypeError(f'must be {count} numbers {names}, not {text!r}')
        return numbers

    return read
