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
    python -m capf_jax.predict holiday/ --joints2d=openpose/     # holiday/a.jpg: a_keypoints.json

Files for other programs come beside them where --format names some (docs/formats.md):

    python -m capf_jax.predict photo.jpg --format=trc,bvh,gltf,html

With published weights, converted by python -m converters.convert:

    python -m capf_jax.predict photo.jpg --weights=ca_pf.safetensors \\
        --detector_weights=hrnet_w32.safetensors

With 2D joints by ONNX files of YOLOX and RTMPose, which are no part of this repository:

    python -m capf_jax.predict photo.jpg --detector=rtmpose \\
        --detector_files=yolox_m.onnx,rtmpose-m.onnx
"""

from __future__ import annotations

import argparse
import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import jax
from tqdm import tqdm

from capf_jax.backends import programs
from capf_jax.errors import UserError
from capf_jax.inference import (
    ahead,
    joints2d_folders,
    other_detectors,
    predict_arguments,
    predictor,
    result_files,
    result_origin,
    sources,
)
from capf_jax.inference.calibration_files import Calibration
from capf_jax.inference.camera_choice import CameraChoice
from capf_jax.inference.estimator import Estimator
from capf_jax.inference.formats import catalog
from capf_jax.inference.photograph_camera import PhotographCamera
from capf_jax.inference.photograph_models import Models
from capf_jax.inference.predictor import Predictor
from capf_jax.inference.result_files import FIGURE, Output, Writer
from capf_jax.inference.sources import Picture, Sources
from capf_jax.inference.video import camera_command, camera_frames, video_command
from capf_jax.pose import cameras
from capf_jax.runtime import commands, files
from capf_jax.runtime.compilation_cache import use_compilation_cache, use_stored_programs

_AHEAD = 4  # pictures that are decoded before their turn
# The arguments that a picture's result depends on, and those of them that name files.
_OPTIONS = (
    'box', 'intrinsics', 'camera', 'fov', 'height', 'world', 'pitch', 'tilt', 'flip_test',
    'least_confidence', 'detector', 'conversion',
    'joints2d_skeleton',
)  # fmt: skip
_FILES = (
    'weights', 'detector_weights', 'detector_files', 'finder_weights', 'joints2d', 'calibration',
)  # fmt: skip


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code: 1 if a picture among several could not be done."""
    values = predict_arguments.parse(argv, __doc__)
    numbers = [camera_frames.number_of(source) for source in values.source]
    for source, camera in zip(values.source, numbers, strict=True):
        if camera is None:
            continue
        if len(numbers) > 1:
            raise UserError(
                f'{source} is recorded alone; name the other sources in a second command'
            )
        _start()
        return camera_command.run(values, camera, lambda: _predictor(values))
    everything = sources.find(values.source[0] if len(values.source) == 1 else values.source)
    pictures, videos = everything.split()
    code = 0
    if videos.paths:
        _start()
        code = video_command.run(
            values, videos, lambda: _predictor(values, videos), pictures.names()
        )
        if not pictures.paths:
            return code
    if values.box is not None and not pictures.single:
        raise UserError('--box is for one picture; for several give --joints2d with their boxes')
    outputs = _outputs(values, pictures)
    options = result_origin.options_of(values, _OPTIONS, _FILES)
    jobs = result_files.unfinished(pictures.paths, outputs, options, values.overwrite)
    finished = len(outputs) - len(jobs)
    if not jobs:
        return code
    _start()
    with Writer(len(outputs), finished) as writer:
        prepare = writer.prepare_figures if values.picture else lambda: None
        people_of = predictor.with_own_data(_predictor(values, pictures, prepare), pictures)
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
    print(f'{people_words} in {pictures_words}: {files.path_here(values.output)}')
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


def _predictor(
    values: argparse.Namespace,
    source: Sources | None = None,
    prepare: Callable[[], None] = lambda: None,
) -> Predictor:
    """The networks and settings that the arguments name, before the first picture is opened.

    Args:
      values: the arguments.
      source: the pictures or videos whose people are to be predicted; None for a camera.
      prepare: is called once, when it holds up the compilers least.
    """
    calibration = Calibration.read(values.calibration) if values.calibration else None
    joints = None
    if values.joints2d:
        joints = joints2d_folders.read(values.joints2d, values.joints2d_skeleton)
    if joints is not None and source is not None:
        joints2d_folders.check_pictures(joints, single=source.single)
    detector, finder = None, None
    if values.detector:
        detector, finder = other_detectors.load(values.detector, values.detector_files)
    lifter = _load(values.weights)
    if values.detector_weights:
        detector = _load(values.detector_weights)
    has_videos = source is None or all(map(sources.is_video, source.paths))
    models = Models.of(lifter, detector, values.conversion, has_videos=has_videos)
    joints_file = joints or (None if source is None else source.joints)
    detects = joints_file is None
    if joints_file is not None:
        models.conversion_of(joints_file.skeleton)
    if detects:
        models.check_detector()
        ahead.compile_lifter(models, prepare)
    else:
        prepare()
    if detects and values.box is None and finder is None:
        # It is read while the lifter is compiled.
        ahead.compile_finder(predictor.default_finder(values.finder_weights))
    return Predictor(
        models,
        CameraChoice(
            values.intrinsics,
            calibration,
            values.camera,
            values.fov,
        ),
        lambda: finder or predictor.default_finder(values.finder_weights),
        joints,
        values.height,
        values.flip_test,
        values.least_confidence,
        values.world,
        cameras.upright_rotation(values.pitch, values.tilt)
        if values.pitch or values.tilt
        else None,
    )


def _load(path: str) -> Estimator:
    # On a CPU batches are no faster than one person after the other, and each size of them is a
    # program that has to be compiled.
    return Estimator.load(path, largest_batch=1 if jax.default_backend() == 'cpu' else 8)


def _outputs(values: argparse.Namespace, pictures: Sources) -> list[Output]:
    """Where each picture's results go.

    Raises:
      UserError: a result would overwrite a picture.
    """
    folder = files.path_here(values.output)
    formats = catalog.choose(values.format, others=('csv',))
    has_csv = values.csv or 'csv' in catalog.names_in(values.format)
    # JSON comes last: it is what tells that a picture is finished.
    endings = ('npz', *(('csv',) if has_csv else ()), *((FIGURE,) if values.picture else ()))
    outputs = [Output(folder / name, (*endings, 'json'), formats) for name in pictures.names()]
    own = {path.resolve() for path in pictures.paths}
    for output in outputs:
        for path in (*output.paths, *catalog.paths(formats, output.stem, is_video=False)):
            if path.resolve() in own:
                raise UserError(
                    f'{path} is a picture of the source and would be overwritten; name another '
                    'folder with --output'
                )
    return outputs


if __name__ == '__main__':
    commands.run(main)
