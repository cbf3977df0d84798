"""Makes the samples of one synthetic video from its number: a person moves before one camera.

The subject, the clothes, the room, the light and the camera are drawn once. The motion is one of
motion capture or one of the built-in activities.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np

from capf_jax.pose import crops
from capf_jax.pose.skeletons import H36M17
from data_pipeline.building import encode_crop
from data_pipeline.datasets.synthetic import motion, motion_capture, poses, recorded_motion
from data_pipeline.datasets.synthetic.bodies import Body, build_body, lowest_point, stool
from data_pipeline.datasets.synthetic.cameras import IMAGE_SIZE, Camera
from data_pipeline.datasets.synthetic.detections import Detections, detect_clip, hidden_joints
from data_pipeline.datasets.synthetic.motion import Motion
from data_pipeline.datasets.synthetic.primitives import Primitives, first_hit
from data_pipeline.datasets.synthetic.recorded_motion import Recording
from data_pipeline.datasets.synthetic.renderer import render
from data_pipeline.datasets.synthetic.samples import (
    ACTIVITIES_TRIED,
    BORDER,
    BOX_MARGIN,
    BOX_SCALE,
    BOX_SHIFT,
    CAMERAS,
    camera_of,
    subject_of,
)
from data_pipeline.datasets.synthetic.scenes import sample_scene
from data_pipeline.datasets.synthetic.settings import SPLITS, Settings
from data_pipeline.datasets.synthetic.subjects import Subject
from data_pipeline.records import Record

_CLIP = 3  # In seeds, beside the numbers of samples.py.
PLACES = 40  # Number of places and directions to try for a motion that stays in the whole image.
BOX_SECONDS = 0.5  # Time in which the error of the box changes.
STANDING_SHARE = 0.8  # Share of a recording's frames in which the person floats at most.


def make_clip(settings: Settings, split: str, number: int, frames: int) -> Iterator[Record]:
    """The samples of video `number` of a split, which depend on nothing but these arguments.

    Args:
      settings: of the dataset.
      split: 'train' or 'test'.
      number: of the video.
      frames: F; the last video of a split may be shorter than `settings.clip_frames`.

    Raises:
      NoPossiblePoseError: the body of the subject can take none of many poses.
      UserError: the motion-capture file of the configuration cannot be used.
    """
    rng = np.random.default_rng([settings.seed, SPLITS.index(split), _CLIP, number])
    subject = subject_of(settings.seed, split, int(rng.integers(settings.subjects(split))))
    camera = camera_of(settings.seed, split, int(rng.integers(CAMERAS[split])))
    moving = _motion(rng, settings, split, subject, frames)
    bodies = [build_body(pose, subject) for pose in moving.poses]
    shifts = _heights(moving, bodies, settings.fps)
    joints = moving.joints / 1000
    shifts += _place(rng, camera, joints + shifts[:, None])
    bodies = [body.translate(shift) for body, shift in zip(bodies, shifts, strict=True)]
    points = joints + shifts[:, None]  # [F, J, 3]
    if settings.surface:
        points = np.concatenate([points, np.stack([body.surface for body in bodies])], axis=1)
    joints3d = camera.to_camera(points)
    joints2d = camera.project(joints3d)
    solids = [body.primitives for body in bodies]
    if moving.activity == 'sitting':
        seat = stool(bodies[0])
        solids = [body.join(seat) for body in solids]
    hidden = np.stack([_hidden(camera, *one) for one in zip(solids, joints3d, strict=True)])
    detections = detect_clip(
        rng,
        joints2d,
        hidden,
        settings.noise_sigma,
        settings.fps,
        noise_seconds=settings.noise_seconds,
        bursts=settings.noise_bursts,
    )
    assert camera.rotation is not None  # Every camera of this dataset has a place.
    scene = sample_scene(rng, settings.light, camera.rotation[2])
    affines = _affines(rng, detections, settings)
    for frame in range(frames):
        image = render(
            rng,
            solids[frame],
            bodies[frame],
            subject,
            camera,
            scene,
            affines[frame],
            settings.crop_size,
            settings.supersample,
        )
        yield Record(
            image=encode_crop(image[..., ::-1], settings),
            joints2d_detected=detections[frame].joints2d,
            joints2d_truth=joints2d[frame],
            confidence=detections[frame].confidence,
            joints3d=joints3d[frame],
            intrinsics=camera.intrinsics,
            image_size=IMAGE_SIZE,
            affine=affines[frame],
            subject=subject.name,
            action=moving.activity,
            sequence=f'{split}_clip_{number:06d}',
            camera=camera.name,
            frame=frame,
        )


def _motion(
    rng: np.random.Generator, settings: Settings, split: str, subject: Subject, frames: int
) -> Motion:
    """A random motion of the recordings or of an activity."""
    share = settings.activities_share
    if settings.poses and (share == 0 or rng.random() >= share):
        recordings = _recordings(settings.pose_files, split)
        return recorded_motion.sample(rng, recordings, subject.proportions, frames, settings.fps)
    for trial in range(ACTIVITIES_TRIED):
        try:
            return motion.sample_motion(rng, subject.proportions, frames, settings.fps)
        except poses.NoPossiblePoseError:
            if trial == ACTIVITIES_TRIED - 1:
                raise
    raise AssertionError('the last trial has returned or raised')


@functools.lru_cache(maxsize=4)
def _recordings(paths: tuple[str, ...], split: str) -> tuple[Recording, ...]:
    """The recordings of motion-capture files for one split; each file is divided by itself."""
    rate = recorded_motion.RATE
    return recorded_motion.recordings_of(
        [motion_capture.load(path, rate).split(split) for path in paths]
    )


def _heights(moving: Motion, bodies: list[Body], fps: float) -> np.ndarray:
    """Shifts [F, 3] that put a person's soles on the floor, metres.

    A person who may leave the floor is shifted by one height, and only lifted further where a part
    of the body would be in the floor.
    """
    heights = np.array([-lowest_point(body.primitives) for body in bodies])
    if moving.flies:
        heights = np.maximum(heights, np.quantile(heights, STANDING_SHARE))
    # The lowest point changes at once from one foot to the other, and the body does not.
    reach = max(1, round(0.08 * fps))
    kernel = np.hanning(2 * reach + 3)[1:-1]
    padded = np.pad(heights, reach, 'edge')
    heights = np.convolve(padded, kernel / kernel.sum(), 'valid')
    return np.stack([0 * heights, 0 * heights, heights], axis=1)


def _place(rng: np.random.Generator, camera: Camera, points: np.ndarray) -> np.ndarray:
    """A random shift [3], metres, that keeps a motion in the whole image where that can be.

    Args:
      rng: source of randomness.
      camera: the camera.
      points: [F, 17, 3], the joints, metres, world with z up.
    """
    way = points[:, 0, :2]
    middle = np.array([*(way.min(0) + way.max(0)) / 2, 0.0])
    best, most = np.zeros(3), -np.inf
    for _ in range(PLACES):
        shift = np.array([*rng.uniform(-1.2, 1.2, 2), 0.0]) - middle
        inner = camera.project(camera.to_camera(points + shift))
        room = min(inner.min(), (np.array(IMAGE_SIZE) - inner).min())
        if room > most:
            best, most = shift, room
        if room > BORDER:
            break
    return best


def _hidden(camera: Camera, solids: Primitives, joints3d: np.ndarray) -> np.ndarray:
    """Whether each joint [J, 3] of the camera's frame is hidden, [J] bool."""
    assert camera.rotation is not None
    assert camera.position is not None
    rays = np.concatenate([joints3d[:, :2] / joints3d[:, 2:], np.ones((len(joints3d), 1))], 1)
    in_camera = solids.transform(camera.rotation, -camera.rotation @ camera.position)
    return hidden_joints(first_hit(in_camera, rays), joints3d[:, 2])


def _affines(
    rng: np.random.Generator, detections: list[Detections], settings: Settings
) -> list[np.ndarray]:
    """From pixels of the whole image to those of the crops [2, 3], whose boxes err as a tracker's."""
    decay = np.exp(-1.0 / (BOX_SECONDS * settings.fps))
    error, result = rng.normal(size=3), []
    for detection in detections:
        joints = detection.joints2d[: len(H36M17)]
        centre, width = crops.joints_box(joints, settings.crop_size, BOX_MARGIN)
        centre = centre + BOX_SHIFT * error[:2] * width
        width = float(width * np.exp(BOX_SCALE * error[2]))
        result.append(crops.box_affine(centre, width, settings.crop_size))
        error = decay * error + np.sqrt(1 - decay**2) * rng.normal(size=3)
    return result
