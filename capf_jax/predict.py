"""People of photographs and videos in 2D and 3D: one file, a folder, a pattern, or a camera.

    python -m capf_jax.predict photo.jpg
    python -m capf_jax.predict holiday/ --output=poses --csv
    python -m capf_jax.predict 'holiday/*.jpg' --fov=70 --height=1.75

Of each picture NAME.npz and NAME.json are written into --output, and NAME.png, which shows it;
docs/predict.md describes them. What is finished is not made again, unless --overwrite says so.

Of each video NAME.npz is written, with everyone over time; docs/video.md describes it. Ctrl-C
leaves the frames that are finished, and the same command goes on behind them:

    python -m capf_jax.predict dance.mp4 --world=y_up
    python -m capf_jax.predict dance.mp4 --time_range=2:5.5 --stride=2 --smoothing=savgol
    python -m capf_jax.predict camera:0

How far away people are depends on the camera. It is given by numbers or by a calibration file (of
Pose2Sim or OpenCV), read from the picture (EXIF), or assumed:

    python -m capf_jax.predict photo.jpg --intrinsics=1680,1680,540,960
    python -m capf_jax.predict frames/ --calibration=Calib.toml --camera=cam_01
    python -m capf_jax.predict photo.jpg --world=z_up --pitch=10

Where the people are, or their 2D joints, may be given too; joints in the forms of
capf_jax/inference/joints2d_files.py:

    python -m capf_jax.predict photo.jpg --box=120,80,200,460 --box=400,90,180,450
    python -m capf_jax.predict holiday/ --joints2d=keypoints.json

With published weights, converted by python -m converters.convert:

    python -m capf_jax.predict photo.jpg --weights=ca_pf.safetensors \\
        --detector_weights=hrnet_w32.safetensors
"""

from __future__ import annotations

import argparse
import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import jax
import numpy as np
from tqdm import tqdm

from capf_jax.backends import programs
from capf_jax.errors import UserError
from capf_jax.inference import (
    camera_frames,
    joints2d_files,
    photograph_camera,
    photographs,
    predictor,
    sources,
    video_arguments,
    video_command,
)
from capf_jax.inference.estimator import Estimator
from capf_jax.inference.people import AXES, People
from capf_jax.inference.photograph_camera import FIELD_OF_VIEW, Calibration, PhotographCamera
from capf_jax.inference.photograph_models import Models
from capf_jax.inference.predictor import CameraChoice, Predictor
from capf_jax.inference.result_files import FIGURE, Output, Writer
from capf_jax.inference.sources import Picture, Sources
from capf_jax.pose import cameras
from capf_jax.runtime import commands, files
from capf_jax.runtime.compilation_cache import use_compilation_cache, use_stored_programs

_AHEAD = 4  # pictures that are decoded before their turn


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code: 1 if a picture among several could not be done."""
    values = _parser().parse(argv)
    _check(values)
    camera = camera_frames.number_of(values.source[0]) if len(values.source) == 1 else None
    if camera is not None:
        _start()
        return video_command.run_camera(values, camera, lambda: _predictor(values))
    everything = sources.find(values.source[0] if len(values.source) == 1 else values.source)
    pictures, videos = everything.split()
    code = 0
    if videos.paths:
        _start()
        code = video_command.run(values, videos, lambda: _predictor(values), pictures.names())
        if not pictures.paths:
            return code
    if values.box is not None and not pictures.single:
        raise UserError('--box is for one picture; for several give --joints2d with their boxes')
    outputs = _outputs(values, pictures)
    jobs = [
        (path, output)
        for path, output in zip(pictures.paths, outputs, strict=True)
        if values.overwrite or not output.is_finished()
    ]
    finished = len(outputs) - len(jobs)
    if finished:
        print(f'{finished} of {len(outputs)} pictures are finished already (--overwrite redoes)')
    if not jobs:
        return code
    _start()
    with Writer(len(outputs), finished, values.picture) as writer:
        people_of = predictor.with_own_data(_predictor(values), pictures)
        _check_models(values, people_of)
        failures = _run(values, people_of, pictures, jobs, writer)
    for failure in failures:
        print(f'error: {failure}', file=sys.stderr)
    return int(bool(failures)) or code


def _start() -> None:
    """Prepares the process, before the first network is loaded."""
    programs.start_process()
    use_compilation_cache()
    use_stored_programs()


def _run(
    values: argparse.Namespace,
    people_of: Predictor,
    pictures: Sources,
    jobs: Sequence[tuple[pathlib.Path, Output]],
    writer: Writer,
) -> list[str]:
    """Predicts one picture after the other; returns what is wrong with those that failed."""
    failures: list[str] = []
    camera_words = ''
    number_of_people = 0
    total = len(pictures.paths)
    bar = tqdm(total=total, initial=total - len(jobs), unit=' pictures', disable=pictures.single)
    with bar:
        for (path, output), decoded in zip(jobs, _decoded(jobs), strict=True):
            try:
                picture = decoded.result()
                people = people_of.people(picture, str(path), values.box)
            except (UserError, OSError) as error:
                if pictures.single or not commands.is_expected(error):
                    raise
                failures.append(str(error))
                bar.update()
                continue
            people = _along(people, values)
            words = PhotographCamera(
                people.camera, people.camera_assumed, people.camera_origin
            ).words()
            if words != camera_words:
                bar.write(f'{path.name}: camera {words}', file=sys.stdout)
                camera_words = words
            writer.write(people, picture, output)
            number_of_people += len(people)
            bar.update()
    done = len(jobs) - len(failures)
    people_words = f'{number_of_people} {"person" if number_of_people == 1 else "people"}'
    pictures_words = '1 picture' if done == 1 else f'{done} pictures'
    print(f'{people_words} in {pictures_words}: {pathlib.Path(files.user_path(values.output))}')
    return failures


def _decoded(jobs: Sequence[tuple[pathlib.Path, Output]]) -> Iterator[Future[Picture]]:
    """The pictures, of which some are decoded ahead while others are predicted."""
    with ThreadPoolExecutor(1) as pool:
        waiting = [pool.submit(sources.read, path) for path, _ in jobs[:_AHEAD]]
        try:
            for number in range(len(jobs)):
                if number + _AHEAD < len(jobs):
                    waiting.append(pool.submit(sources.read, jobs[number + _AHEAD][0]))
                yield waiting.pop(0)
        finally:
            pool.shutdown(cancel_futures=True)


def _along(people: People, values: argparse.Namespace) -> People:
    if values.world == 'camera':
        return people
    return people.along(values.world, cameras.upright_rotation(values.pitch, values.tilt))


def _predictor(values: argparse.Namespace) -> Predictor:
    """The networks and settings that the arguments name."""
    calibration = Calibration.read(values.calibration) if values.calibration else None
    joints = joints2d_files.read(values.joints2d) if values.joints2d else None
    lifter = _load(values.weights)
    detector = _load(values.detector_weights) if values.detector_weights else None
    return Predictor(
        Models.of(lifter, detector),
        CameraChoice(
            values.intrinsics,
            calibration,
            values.camera,
            values.fov,
        ),
        lambda: predictor.default_finder(values.finder_weights),
        joints,
        values.height,
        values.flip_test,
        values.least_confidence,
    )


def _load(path: str) -> Estimator:
    # On a CPU batches are no faster than one person after the other, and each size of them is a
    # program that has to be compiled.
    return Estimator.load(path, largest_batch=1 if jax.default_backend() == 'cpu' else 8)


def _check_models(values: argparse.Namespace, people_of: Predictor) -> None:
    """Refuses weights that cannot do it, before the first of perhaps many pictures is opened."""
    if people_of.joints is not None:
        return
    people_of.models.check_detector()
    if values.box is None:
        predictor.default_finder(values.finder_weights)


def _outputs(values: argparse.Namespace, pictures: Sources) -> list[Output]:
    """Where each picture's results go.

    Raises:
      UserError: a result would overwrite a picture.
    """
    folder = pathlib.Path(files.user_path(values.output))
    # JSON comes last: it is what tells that a picture is finished.
    endings = ('npz', *(('csv',) if values.csv else ()), *((FIGURE,) if values.picture else ()))
    outputs = [Output(folder / name, (*endings, 'json')) for name in pictures.names()]
    own = {path.resolve() for path in pictures.paths}
    for output in outputs:
        for path in output.paths:
            if path.resolve() in own:
                raise UserError(
                    f'{path} is a picture of the source and would be overwritten; name another '
                    'folder with --output'
                )
    return outputs


def _check(values: argparse.Namespace) -> None:
    """Refuses arguments that exclude each other."""
    ways = [
        name for name in ('intrinsics', 'calibration', 'fov') if getattr(values, name) is not None
    ]
    if len(ways) > 1:
        raise UserError(f'--{ways[0]} and --{ways[1]} both say what the camera is; give one')
    if values.camera and values.calibration is None:
        raise UserError('--camera names a camera of a calibration file; give --calibration too')
    if values.box is not None and values.joints2d is not None:
        raise UserError('--box and --joints2d both say where the people are; give one')
    if values.fov is not None:
        photograph_camera.from_field_of_view(values.fov, (1, 1))  # which refuses what is no angle
    if values.height is not None:
        photographs.check_height(values.height)
    if values.world == 'camera' and (values.pitch or values.tilt):
        raise UserError('--pitch and --tilt are for --world=y_up or z_up; add it')


def _parser() -> commands.Parser:
    parser = commands.Parser('capf_jax.predict', __doc__)
    add = parser.add_argument
    add('source', nargs='+', help='pictures, videos, a folder, a pattern in quotes, or camera:0')
    add('--output', default='predictions', metavar='FOLDER', help='default predictions')
    add('--weights', default=str(predictor.LIFTER), help='default pretrained/photographs')
    add('--detector_weights', help='what finds the 2D joints; default: the detector in --weights')
    add('--finder_weights', default=str(predictor.FINDER), help='what finds the people')
    add('--joints2d', metavar='FILE', help='2D joints that another program found')
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
    parser.add_flag('csv', default=False, help='write NAME.csv too')
    parser.add_flag('picture', default=True, help='write NAME.png')
    parser.add_flag('overwrite', default=False, help='make finished pictures again')
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


if __name__ == '__main__':
    commands.run(main)
