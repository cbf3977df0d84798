"""One synthetic sample from its number alone: subject, pose, camera, picture and detections."""

from __future__ import annotations

import dataclasses
import functools

import cv2
import numpy as np

from capf_jax.pose import crops
from capf_jax.pose.skeletons import H36M17
from data_pipeline.datasets.synthetic import bodies, motion_capture, poses
from data_pipeline.datasets.synthetic.cameras import IMAGE_SIZE, Camera, sample_camera
from data_pipeline.datasets.synthetic.detections import Detections, detect, hidden_joints
from data_pipeline.datasets.synthetic.primitives import Primitives, first_hit
from data_pipeline.datasets.synthetic.renderer import render
from data_pipeline.datasets.synthetic.scenes import Scene, sample_scene
from data_pipeline.datasets.synthetic.settings import SPLITS
from data_pipeline.datasets.synthetic.settings import Settings as SyntheticConfig
from data_pipeline.datasets.synthetic.subjects import Subject, sample_subject
from data_pipeline.records import Record

# What the first number after the seed is drawn for: samples never share chance with people.
_SAMPLE, _SUBJECT, _CAMERA = range(3)
CAMERAS = {'train': 40, 'test': 12}
BOX_MARGIN = 1.2  # the crop over the detected joints
BOX_SHIFT = 0.03  # standard deviation of the crop's middle, share of its width
BOX_SCALE = 0.06  # standard deviation of the logarithm of its width
BORDER = 20  # pixels that a joint keeps from the edge of the whole image
ATTEMPTS = 20  # places tried for a person before one at the edge is taken
ACTIVITIES_TRIED = 10  # activities tried for a person whose body takes no pose of the first


@dataclasses.dataclass(frozen=True)
class Person:
    """Everything about one sample but its pixels. World frame: metres, z up, floor at 0."""

    subject: Subject
    activity: str
    body: bodies.Body
    solids: Primitives  # the body and what it sits on
    joints3d: np.ndarray  # [J, 3], metres, camera frame, joints of the configuration
    joints2d: np.ndarray  # [J, 2], pixels, true
    camera: Camera
    scene: Scene
    detections: Detections


@functools.lru_cache(maxsize=4096)
def subject_of(seed: int, split: str, number: int) -> Subject:
    """Subject `number` of a split; no two splits share one."""
    rng = np.random.default_rng([seed, SPLITS.index(split), _SUBJECT, number])
    return sample_subject(rng, f'{split}_{number:03d}')


@functools.lru_cache(maxsize=4096)
def camera_of(seed: int, split: str, number: int) -> Camera:
    """Camera `number` of a split; no two splits share one."""
    rng = np.random.default_rng([seed, SPLITS.index(split), _CAMERA, number])
    return sample_camera(rng, f'{split}_{number:02d}')


def sample_person(rng: np.random.Generator, config: SyntheticConfig, split: str) -> Person:
    """Draws a subject in a pose somewhere in a room, and what a 2D detector says of it."""
    subject = subject_of(config.seed, split, int(rng.integers(config.subjects(split))))
    camera = camera_of(config.seed, split, int(rng.integers(CAMERAS[split])))
    activity, pose = _pose(rng, config, split, subject)
    body = bodies.build_body(pose, subject)
    height = -bodies.lowest_point(body.primitives)  # the shoes decide what stands on the floor
    points = pose.joints / 1000
    if config.surface:
        points = np.concatenate([points, body.surface])
    for _ in range(ATTEMPTS):
        shift = np.array([*rng.uniform(-1.2, 1.2, 2), height])
        joints3d = camera.to_camera(points + shift)
        joints2d = camera.project(joints3d)
        inner = joints2d[: len(H36M17)]
        if inner.min() > BORDER and (inner < np.subtract(IMAGE_SIZE, BORDER)).all():
            break
    body = body.shifted(shift)
    rays = np.concatenate([joints3d[:, :2] / joints3d[:, 2:], np.ones((len(joints3d), 1))], 1)
    solids = body.primitives
    if activity == 'sitting':
        solids = solids.joined(bodies.stool(body))
    in_camera = solids.moved(camera.rotation, -camera.rotation @ camera.position)
    hidden = hidden_joints(first_hit(in_camera, rays), joints3d[:, 2])
    detections = detect(rng, joints2d, hidden, config.noise_sigma)
    scene = sample_scene(rng, config.light, camera.rotation[2])
    return Person(subject, activity, body, solids, joints3d, joints2d, camera, scene, detections)


def _pose(rng, config: SyntheticConfig, split: str, subject: Subject):
    """An activity and a pose of it, turned any way: from the sampler or from motion capture."""
    if config.poses:
        return _recorded(config.poses, split).sample(rng, subject.proportions)
    for tried in range(1, ACTIVITIES_TRIED + 1):
        activity = poses.sample_activity(rng)
        try:
            return activity, poses.sample_pose(rng, activity, subject.proportions)
        except poses.NoPossiblePoseError:
            # One odd body must not end the rendering of thousands: it does something else.
            if tried == ACTIVITIES_TRIED:
                raise


@functools.lru_cache(maxsize=4)
def _recorded(path: str, split: str) -> motion_capture.MotionCapture:
    """The part of a motion-capture file that a split may use."""
    return motion_capture.load(path).split(split)


def sample_box(rng: np.random.Generator, detections: Detections, crop_size: tuple[int, int]):
    """A person detector's box: around the noisy joints, shifted and scaled. Never the truth's."""
    centre, width = crops.joints_box(detections.joints2d[: len(H36M17)], crop_size, BOX_MARGIN)
    centre = centre + rng.normal(0, BOX_SHIFT, 2) * width
    return centre, float(width * np.exp(rng.normal(0, BOX_SCALE)))


def make_sample(config: SyntheticConfig, split: str, index: int) -> Record:
    """Sample `index` of a split: the same whichever process makes it, and in whatever order."""
    rng = np.random.default_rng([config.seed, SPLITS.index(split), _SAMPLE, index])
    person = sample_person(rng, config, split)
    crop_size = (config.width, config.height)
    affine = crops.box_affine(*sample_box(rng, person.detections, crop_size), crop_size)
    image = render(
        rng,
        person.solids,
        person.body,
        person.subject,
        person.camera,
        person.scene,
        affine,
        crop_size,
        config.supersample,
    )
    quality = [cv2.IMWRITE_JPEG_QUALITY, config.jpeg_quality]
    _, encoded = cv2.imencode('.jpg', image[..., ::-1], quality)
    return Record(
        image=encoded.tobytes(),
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
