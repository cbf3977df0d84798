"""RRD: people, camera and video for the viewer Rerun (https://rerun.io), by its library.

Metres along the axes of the tracks, on the timeline 'time', seconds from the first frame.
"""

from __future__ import annotations

import importlib
import pathlib
from typing import Any

import numpy as np

from capf_jax.figures.drawing import COLOURS, hue, side_of
from capf_jax.figures.sure_joints import bone_side, drawn_bones
from capf_jax.inference.formats import film
from capf_jax.inference.formats.axes import camera_along
from capf_jax.inference.formats.pictures import Pictures
from capf_jax.inference.tracks import Tracks
from capf_jax.pose import skeletons

_AXES = {'camera': 'RDF', 'y_up': 'RIGHT_HAND_Y_UP', 'z_up': 'RIGHT_HAND_Z_UP'}
_SURE, _UNSURE = 0.015, 0.006  # metres, radii of bones; those that are not sure are thin
_JOINT = 2.0  # radius of a joint by that of a bone
_TIME = 'time'


def write(path: pathlib.Path, tracks: Tracks, pictures: Pictures | None) -> None:
    """Writes a recording; nobody needs to be there.

    Args:
      path: the file.
      tracks: of any people.
      pictures: those of the tracks; None leaves the video out.

    Raises:
      OSError: the file could not be written.
    """
    rerun: Any = importlib.import_module('rerun')
    with rerun.RecordingStream('capf_jax') as recording:
        # Writing by itself, the library waits for ever where a disk is full.
        memory = recording.memory_recording()
        recording.log('world', getattr(rerun.ViewCoordinates, _AXES[tracks.axes]), static=True)
        times = tracks.times - (tracks.times[0] if len(tracks.times) else 0.0)
        _log_camera(rerun, recording, tracks, pictures, times)
        for person in range(len(tracks)):
            _log_person(rerun, recording, tracks, person, times)
        recording.flush()
        path.write_bytes(memory.drain_as_bytes())


def _log_camera(
    rerun: Any, recording: Any, tracks: Tracks, pictures: Pictures | None, times: np.ndarray
) -> None:
    """The camera, and its picture or video with the people drawn on it."""
    rotation, place = camera_along(tracks, tracks.axes)
    fx, fy, cx, cy = map(float, tracks.camera.intrinsics)
    shown = film.make(tracks, pictures) if pictures is not None and len(times) else None
    recording.log(
        'world/camera',
        rerun.Transform3D(translation=place, mat3x3=rotation.T),
        rerun.Pinhole(
            # Rerun counts pixels from the corner of the first one.
            image_from_camera=[[fx, 0, cx + 0.5], [0, fy, cy + 0.5], [0, 0, 1]],
            resolution=list(tracks.image_size),
            camera_xyz=rerun.ViewCoordinates.RDF,
        ),
        static=True,
    )
    if shown is None:
        return
    # The picture in the file is smaller than the camera's, and has an entity of its own.
    if not shown.is_video:
        image = rerun.EncodedImage(contents=shown.content, media_type='image/jpeg')
        recording.log('film', image, static=True)
        return
    video = rerun.AssetVideo(contents=shown.content, media_type='video/mp4')
    recording.log('film', video, static=True)
    for time in times[: shown.frames]:
        recording.set_time(_TIME, duration=float(time))
        recording.log('film', rerun.VideoFrameReference(seconds=float(time)))


def _log_person(rerun: Any, recording: Any, tracks: Tracks, person: int, times: np.ndarray) -> None:
    """One person, who is cleared in frames without a pose."""
    skeleton = skeletons.get(tracks.skeleton)
    entity = f'world/person_{tracks.ids[person]}'
    bones = np.array([list(bone) for bone in drawn_bones(skeleton)])
    bone_colours = [_rgba(COLOURS[bone_side(skeleton, (int(a), int(b)))]) for a, b in bones]
    joint_colours = [_rgba(COLOURS[side_of(skeleton, joint)]) for joint in range(len(skeleton))]
    is_shown = False
    for frame, time in enumerate(times):
        recording.set_time(_TIME, duration=float(time))
        if not tracks.valid[person, frame]:
            if is_shown:
                recording.log(entity, rerun.Clear(recursive=True))
            is_shown = False
            continue
        is_shown = True
        joints, sure = tracks.joints3d[person, frame], tracks.sure[person, frame]
        radii = np.where(sure[bones].all(axis=1), _SURE, _UNSURE)
        recording.log(
            f'{entity}/bones', rerun.LineStrips3D(joints[bones], colors=bone_colours, radii=radii)
        )
        recording.log(
            f'{entity}/joints',
            rerun.Points3D(
                joints, colors=joint_colours, radii=_JOINT * np.where(sure, _SURE, _UNSURE)
            ),
        )
        recording.log(
            f'{entity}/number',
            rerun.Points3D(
                joints[skeleton.root],
                colors=[_rgba(hue(int(tracks.ids[person])))],
                radii=[0.0],
                labels=[str(tracks.ids[person])],
                show_labels=True,
            ),
        )


def _rgba(colour: str) -> int:
    """'#RRGGBB' as one number, opaque."""
    return int(f'{colour[1:]}FF', 16)
