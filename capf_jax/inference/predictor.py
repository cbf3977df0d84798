"""`Predictor`: all that is settled before the first picture is opened, then people of pictures.

`Estimator.predict` and the command `capf_jax.predict` both are a Predictor and a loop.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import logging
import os
import pathlib
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from capf_jax.errors import UserError
from capf_jax.inference import given_joints, joints2d_folders, photographs, sources
from capf_jax.inference.calibration_files import Calibration
from capf_jax.inference.camera_choice import CameraChoice
from capf_jax.inference.given_joints import GivenJoints
from capf_jax.inference.joints2d_files import JointsFile
from capf_jax.inference.people import People
from capf_jax.inference.person_boxes import Finder, words_of_most
from capf_jax.inference.photograph_models import JointDetector, Models
from capf_jax.inference.sources import Picture
from capf_jax.inference.weight_files import PRETRAINED
from capf_jax.runtime import commands

if TYPE_CHECKING:
    from capf_jax.inference.estimator import Estimator
    from capf_jax.inference.tracks import Tracks
    from capf_jax.inference.video.video_frames import FrameChoice
    from capf_jax.inference.video.video_tracks import Finish

_LOGGER = logging.getLogger(__name__)
FINDER = PRETRAINED / 'movenet_multipose.safetensors'
LIFTER = PRETRAINED / 'photographs.safetensors'
_UNNAMED = ('estimator', 'options')  # parameters of `predict` that nobody gives by name


@dataclasses.dataclass(frozen=True, eq=False)
class Predictor:
    """People of pictures, by fixed networks and settings.

    Attributes:
      models: the networks.
      cameras: how the camera of each picture is come by.
      finder: gives the finder of people; it is called at the first picture that needs one.
      joints: 2D joints by picture; None to let the detector find them.
      height: metres; everyone is scaled to this standing height.
      flip_test: average with the prediction for the mirrored person.
      least_confidence: see `photographs.people_of`.
      axes: of the people of pictures, a name of `people.AXES`.
      upright: see `People.along`; None for what the calibration tells, or else a level camera.
    """

    models: Models
    cameras: CameraChoice = dataclasses.field(default_factory=CameraChoice)
    finder: Callable[[], Finder] | None = None
    joints: JointsFile | None = None
    height: float | None = None
    flip_test: bool = True
    least_confidence: float = photographs.LEAST_CONFIDENCE
    axes: str = 'camera'
    upright: Float[np.ndarray, '3 3'] | None = None

    def people(
        self, picture: Picture, path: str = '', boxes: Any = None, joints: GivenJoints | None = None
    ) -> People:
        """The people of one picture.

        Args:
          picture: the picture.
          path: its file, or any name.
          boxes: [N, 4] x, y, width, height; None to find them.
          joints: the 2D joints; None to take those of the file, or to find them.

        A line of the log, which goes to stderr, says where the finder may have left people out.

        Raises:
          UserError: what is given does not fit the picture or the networks.
        """
        if joints is None and self.joints is not None:
            joints = self.joints.of_picture(path)
        camera_name = joints.camera if joints is not None else ''
        finder = None
        if boxes is None and joints is None and self.finder is not None:
            finder = self.finder()
        camera = self.cameras.camera(picture, path, camera_name)
        people = photographs.people_of(
            picture.pixels,
            self.models,
            camera,
            finder=finder,
            boxes=boxes,
            joints=joints,
            source=pathlib.PurePath(path).name,
            height=self.height,
            flip_test=self.flip_test,
            least_confidence=self.least_confidence,
        )
        words = '' if finder is None else words_of_most(finder, len(people))
        if words:
            _LOGGER.warning('%s: %s', pathlib.PurePath(path).name or 'picture', words)
        if self.axes == 'camera':
            return people
        return people.along(self.axes, camera.upright if self.upright is None else self.upright)


def default_finder(path: str | os.PathLike = FINDER) -> Finder:
    """The finder of people that comes with the repository; it is read once.

    Raises:
      FileNotFoundError: there is no such file.
      UserError: the file is none of a finder.
    """
    return _finder(str(path))


@functools.cache
def _finder(path: str) -> Finder:
    from capf_jax.inference.people_finder import PeopleFinder

    return PeopleFinder.load(path)


def of_arguments(
    estimator: Estimator,
    camera: Any = None,
    *,
    detector: JointDetector | None = None,
    finder: Finder | None = None,
    height: float | None = None,
    flip_test: bool = True,
    conversion: str = '',
    least_confidence: float = photographs.LEAST_CONFIDENCE,
    has_videos: bool = False,
) -> Predictor:
    """The Predictor of the arguments of `Estimator.predict`; `has_videos` is that of `Models.of`.

    Raises:
      UserError: the files cannot do it, or the camera or the conversion is none.
    """
    return Predictor(
        Models.of(estimator, detector, conversion, has_videos=has_videos),
        CameraChoice.of(camera),
        default_finder if finder is None else lambda: finder,
        height=height,
        flip_test=flip_test,
        least_confidence=least_confidence,
    )


def predict(
    estimator: Estimator,
    source: Any,
    boxes: Any = None,
    joints2d: Any = None,
    camera: Any = None,
    *,
    joints2d_skeleton: str = '',
    detector: JointDetector | None = None,
    finder: Finder | None = None,
    height: float | None = None,
    flip_test: bool = True,
    conversion: str = '',
    least_confidence: float = photographs.LEAST_CONFIDENCE,
    shows_progress: bool = False,
    **options: Any,
) -> People | Tracks | list[People | Tracks | None]:
    """`Estimator.predict`, which says what the arguments are."""
    pictures = None if isinstance(source, np.ndarray) else sources.find(source)
    are_videos = [] if pictures is None else [sources.is_video(path) for path in pictures.paths]
    has_videos = any(are_videos)
    plan = _plan(options, has_videos)
    predictor = of_arguments(
        estimator,
        camera,
        detector=detector,
        finder=finder,
        height=height,
        flip_test=flip_test,
        conversion=conversion,
        least_confidence=least_confidence,
        has_videos=bool(are_videos) and all(are_videos),
    )
    joints = None
    if isinstance(joints2d, (str, os.PathLike)):
        joints_file = joints2d_folders.read(joints2d, joints2d_skeleton)
        predictor = dataclasses.replace(predictor, joints=joints_file)
    elif isinstance(joints2d, GivenJoints) or joints2d is None:
        joints = joints2d
        if joints2d_skeleton:
            raise UserError(
                'joints2d_skeleton is that of 2D joints which do not say it; give it with an array '
                'or a file of joints2d, or leave it out'
            )
    else:
        joints = given_joints.given(joints2d, None, joints2d_skeleton or estimator.skeleton.name)
    if pictures is None:
        return predictor.people(sources.of_array(source), 'array', boxes, joints)
    if has_videos and (boxes is not None or joints2d is not None):
        raise UserError('boxes and 2D joints are those of pictures; give none with videos')
    if not pictures.single and (boxes is not None or joints is not None):
        raise UserError(
            'boxes and 2D joints are those of one picture; for several give a file of 2D joints, '
            'or call predict once for each'
        )
    if predictor.joints is not None:
        joints2d_folders.check_pictures(predictor.joints, single=pictures.single)
    predictor = with_own_data(predictor, pictures)
    results: list[People | Tracks | None] = []
    errors: list[Exception] = []
    warnings_of_all: list[str] = []
    for path in pictures.paths:
        result = None
        try:
            if plan is not None and sources.is_video(path):
                result, warning = _tracks(path, predictor, plan, shows_progress)
                warnings_of_all += [warning] if warning else []
            else:
                result = predictor.people(sources.read(path), str(path), boxes, joints)
        except (UserError, OSError) as error:
            if pictures.single or not commands.is_expected(error):
                raise
            errors.append(error)
            warnings_of_all.append(f'{error}; its result is None')
        results.append(result)
    if len(errors) == len(results):  # What is wrong with all of them is wrong with the call.
        raise errors[0]
    for warning in warnings_of_all:
        warnings.warn(warning, stacklevel=3)  # the line that called `Estimator.predict`
    if pictures.single and results[0] is not None:
        return results[0]
    return results


def _plan(options: Mapping[str, Any], has_videos: bool) -> tuple[FrameChoice, Finish] | None:
    """What is done with videos; None where none is among the sources.

    Args:
      options: what was given by name, and is no argument of `predict` itself.
      has_videos: whether a video is among the sources.

    Raises:
      UserError: an unknown name, a value that means nothing, or an option of videos without one.
    """
    if not options and not has_videos:
        return None
    from capf_jax.inference.video import video_options

    own = inspect.signature(predict).parameters
    video_options.check_names(options, [name for name in own if name not in _UNNAMED])
    if has_videos:
        return video_options.plan_of(**options)
    raise UserError(
        f'{", ".join(options)}: an option of videos alone, and the source has none; leave it '
        'out. `People.along` turns the poses of pictures to other axes'
    )


def _tracks(
    path: pathlib.Path,
    predictor: Predictor,
    plan: tuple[FrameChoice, Finish],
    shows_progress: bool,
) -> tuple[Tracks, str]:
    """The people of a video, by the plan of `video_options.plan_of`, and what to tell of it."""
    from capf_jax.inference.video import video_prediction

    run = video_prediction.VideoRun(predictor, *plan)
    result = video_prediction.predict_file(path, run, shows_progress=shows_progress)
    failure = f'{result.failure}; its tracks end there' if result.failure else ''
    return result.tracks, failure or result.note


def with_own_data(predictor: Predictor, pictures: sources.Sources) -> Predictor:
    """The predictor with the joints and cameras of a folder of own data, where none are given."""
    own = pictures.joints
    if own is None:
        return predictor
    cameras = predictor.cameras
    choices = (cameras.intrinsics, cameras.calibration, cameras.field_of_view, cameras.of_all)
    if own.cameras and all(choice is None for choice in choices):
        cameras = CameraChoice(calibration=Calibration(own.path, own.cameras))
    return dataclasses.replace(predictor, cameras=cameras, joints=predictor.joints or own)
