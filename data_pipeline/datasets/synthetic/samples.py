"""Makes one synthetic sample from its number: subject, pose, camera, picture and detections."""

from __future__ import annotations

import contextlib
import dataclasses
import functools

import numpy as np

from capf_jax.pose import crops
from capf_jax.pose.skeletons import H36M17
from data_pipeline.building import encode_crop
from data_pipeline.datasets.synthetic import clutter, motion_capture, poses
from data_pipeline.datasets.synthetic.bodies import Body, build_body, lowest_point, stool
from data_pipeline.datasets.synthetic.cameras import IMAGE_SIZE, Camera, sample_camera
from data_pipeline.datasets.synthetic.detections import Detections, detect, hidden_joints
from data_pipeline.datasets.synthetic.photographs import (
    View,
    black_outside,
    sample_view,
)
from data_pipeline.datasets.synthetic.primitives import Primitives, first_hit
from data_pipeline.datasets.synthetic.renderer import render
from data_pipeline.datasets.synthetic.scenes import Scene, sample_scene
from data_pipeline.datasets.synthetic.settings import SPLITS, Settings
from data_pipeline.datasets.synthetic.subjects import Subject, sample_subject
from data_pipeline.records import Record

# A part of every seed says what its random numbers are for, so that samples, subjects and cameras
# never share them.
_SAMPLE, _SUBJECT, _CAMERA = range(3)
CAMERAS = {'train': 40, 'test': 12}  # Number of cameras of each split.
BOX_MARGIN = 1.2  # Size of a crop's box over the smallest box around the detected joints.
BOX_SHIFT = 0.03  # Standard deviation of the middle of the box over its width.
BOX_SCALE = 0.06  # Standard deviation of the logarithm of the width of the box.
BORDER = 20  # Smallest distance of a joint from the edge of the whole image, pixels.
CLUTTERED = 0.7  # Share of the photographs whose room is full of things.
ATTEMPTS = 20  # Number of places to try before a person may be too near to the edge.
ACTIVITIES_TRIED = 10  # Number of activities to try for a body that can take no pose of the first.


@dataclasses.dataclass(frozen=True)
class Person:
    """All of one sample except for its pixels. World frame: metres, z up, the floor is z = 0.

    Attributes:
      subject: who the person is.
      activity: what the person does: an activity of poses.py, or the name of a recording.
      body: the body, world frame, metres.
      solids: the body and what it sits on, world frame, metres.
      joints3d: [J, 3], true 3D joints of the skeleton of the configuration, camera frame, metres.
      joints2d: [J, 2], true 2D joints, pixels of the whole image.
      camera: the camera.
      scene: the room.
      detections: the 2D joints as a detector would find them.
      view: the camera and the box of a photograph; None for a camera of the studio.
    """

    subject: Subject
    activity: str
    body: Body
    solids: Primitives
    joints3d: np.ndarray
    joints2d: np.ndarray
    camera: Camera
    scene: Scene
    detections: Detections
    view: View | None


@functools.lru_cache(maxsize=4096)
def subject_of(seed: int, split: str, number: int) -> Subject:
    """Subject `number` of a split; no subject is in both splits."""
    rng = np.random.default_rng([seed, SPLITS.index(split), _SUBJECT, number])
    return sample_subject(rng, f'{split}_{number:03d}')


@functools.lru_cache(maxsize=4096)
def camera_of(seed: int, split: str, number: int) -> Camera:
    """Camera `number` of a split; no camera is in both splits."""
    rng = np.random.default_rng([seed, SPLITS.index(split), _CAMERA, number])
    return sample_camera(rng, f'{split}_{number:02d}')


def sample_person(rng: np.random.Generator, settings: Settings, split: str) -> Person:
    """A random subject of a split in a random pose and place, and the detections of its 2D joints.

    Args:
      rng: source of randomness.
      settings: of the dataset.
      split: 'train' or 'test'.

    Raises:
      NoPossiblePoseError: the body of the subject can take none of many poses.
      UserError: the motion-capture file of the configuration cannot be used.
    """
    subject = subject_of(settings.seed, split, int(rng.integers(settings.subjects(split))))
    studio = settings.cameras == 'studio'
    if studio:
        camera = camera_of(settings.seed, split, int(rng.integers(CAMERAS[split])))
    activity, pose = _pose(rng, settings, split, subject)
    body = build_body(pose, subject)
    height = -lowest_point(body.primitives)  # The soles stand on the floor, not the ankles.
    points = pose.joints / 1000
    if settings.surface:
        points = np.concatenate([points, body.surface])
    view = None
    if studio:
        shift = _place_in_studio(rng, camera, points, height)
    else:
        shift = np.array([0.0, 0.0, height])
        name = f'{split}_{int(rng.integers(2**32)):08x}'
        crop_size = (settings.width, settings.height)
        at = (points + shift)[: len(H36M17)]
        view = sample_view(rng, at, crop_size, settings.truncation, name)
        camera = view.camera
    joints3d = camera.to_camera(points + shift)
    joints2d = camera.project(joints3d)
    body = body.translate(shift)
    rays = np.concatenate([joints3d[:, :2] / joints3d[:, 2:], np.ones((len(joints3d), 1))], 1)
    solids = body.primitives
    if activity == 'sitting':
        solids = solids.join(stool(body))
    assert camera.rotation is not None  # Every camera of this dataset has a place.
    assert camera.position is not None
    in_camera = solids.transform(camera.rotation, -camera.rotation @ camera.position)
    hidden = hidden_joints(first_hit(in_camera, rays), joints3d[:, 2])
    if view is not None and view.border is not None:
        hidden |= joints2d @ view.border[:2] > view.border[2]
    detections = detect(rng, joints2d, hidden, settings.noise_sigma)
    scene = sample_scene(rng, settings.light, camera.rotation[2])
    if view is not None:
        scene = dataclasses.replace(scene, cluttered=bool(rng.random() < CLUTTERED))
    return Person(
        subject, activity, body, solids, joints3d, joints2d, camera, scene, detections, view
    )


def _place_in_studio(
    rng: np.random.Generator, camera: Camera, points: np.ndarray, height: float
) -> np.ndarray:
    """A random shift [3], metres, that puts a person on the floor and into the whole image.

    Args:
      rng: source of randomness.
      camera: the camera of the whole image.
      points: [J, 3], of the person, whose first 17 are the joints of H36M17, metres.
      height: how far the person is lifted, metres.
    """
    for _ in range(ATTEMPTS):
        shift = np.array([*rng.uniform(-1.2, 1.2, 2), height])
        inner = camera.project(camera.to_camera(points + shift))[: len(H36M17)]
        if inner.min() > BORDER and (inner < np.subtract(IMAGE_SIZE, BORDER)).all():
            break
    return shift


def _pose(
    rng: np.random.Generator, settings: Settings, split: str, subject: Subject
) -> tuple[str, poses.Pose]:
    """The name of an activity or a recording and a random pose of it."""
    # A dataset of recordings alone draws no number here, as before activities could be mixed in.
    share = settings.activities_share
    if settings.poses and (share == 0 or rng.random() >= share):
        return _recordings(settings.pose_files, split).sample(rng, subject.proportions)
    for _ in range(ACTIVITIES_TRIED - 1):
        activity = poses.sample_activity(rng)
        # A body that can take no pose of an activity must not end the rendering of thousands of
        # others, so it gets another activity.
        with contextlib.suppress(poses.NoPossiblePoseError):
            return activity, poses.sample_pose(rng, activity, subject.proportions)
    activity = poses.sample_activity(rng)
    return activity, poses.sample_pose(rng, activity, subject.proportions)


@functools.lru_cache(maxsize=4)
def _recordings(paths: tuple[str, ...], split: str) -> motion_capture.MotionCapture:
    """The poses of motion-capture files for one split; each file is divided by itself."""
    return motion_capture.join([motion_capture.load(path).split(split) for path in paths])


def sample_box(
    rng: np.random.Generator, detections: Detections, crop_size: tuple[int, int]
) -> tuple[np.ndarray, float]:
    """A random box as a person detector would find it, which never depends on the true joints.

    Args:
      rng: source of randomness.
      detections: the detected joints, around which the box lies.
      crop_size: width and height of the crop, pixels; the box has their aspect ratio.

    Returns:
      The centre [2] and the width of the box, pixels of the whole image.
    """
    centre, width = crops.joints_box(detections.joints2d[: len(H36M17)], crop_size, BOX_MARGIN)
    centre = centre + rng.normal(0, BOX_SHIFT, 2) * width
    return centre, float(width * np.exp(rng.normal(0, BOX_SCALE)))


def make_sample(settings: Settings, split: str, index: int) -> Record:
    """Sample `index` of a split, which depends on nothing but these arguments.

    It is the same in every process and whatever samples were made before it.

    Raises:
      NoPossiblePoseError: the body of the subject can take none of many poses.
      UserError: the motion-capture file of the configuration cannot be used.
    """
    rng = np.random.default_rng([settings.seed, SPLITS.index(split), _SAMPLE, index])
    person = sample_person(rng, settings, split)
    crop_size = (settings.width, settings.height)
    if person.view is None:
        centre, width = sample_box(rng, person.detections, crop_size)
    else:
        centre, width = person.view.centre, person.view.width
    affine = crops.box_affine(centre, width, crop_size)
    image = render(
        rng,
        person.solids,
        person.body,
        person.subject,
        person.camera,
        person.scene,
        affine,
        crop_size,
        settings.supersample,
    )
    if person.view is not None:
        image = clutter.degrade(rng, clutter.occlude(rng, image))
        if person.view.border is not None:
            image = black_outside(image, affine, person.view.border)
    return Record(
        image=encode_crop(image[..., ::-1], settings),
        joints2d_detected=person.detections.joints2d,
        joints2d_truth=person.joints2d,
        confidence=person.detections.confidence,
        joints3d=person.joints3d,
        intrinsics=person.camera.intrinsics,
        image_size=IMAGE_SIZE,
        affine=affine,
        subject=person.subject.name,
        action=person.activity,
        sequence=f'{split}_{index:06d}',
        camera=person.camera.name,
        frame=0,
    )
