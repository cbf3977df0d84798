"""`Recording`: the labels of one video, from any source, and what is wrong with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from data_pipeline import published_cameras
from data_pipeline.building.problems import ranges
from data_pipeline.datasets.human36m.settings import ACTIONS, FIRST_ACTION

# The 17 joints of the skeleton h36m17 among the 32 of the raw files (docs/method.md, Human3.6M).
JOINTS = (0, 1, 2, 3, 6, 7, 8, 12, 16, 14, 15, 17, 18, 19, 25, 26, 27)
RAW_JOINTS = 32
NEAREST_MM, FARTHEST_MM = 1000.0, 15000.0  # limits of a root joint's depth
# The largest median distances of a correct video, in pixels. True 2D joints lie 0.1 px from the
# projected 3D joints, or 3 px without lens distortion; detections lie 5 px from the truth.
TRUTH_PX, DETECTION_PX = 10.0, 60.0


class Key(NamedTuple):
    """The names that identify a video."""

    subject: str  # 'S1'
    action: str  # one of ACTIONS
    trial: int  # 1 or 2, as the H36M-Toolbox numbers them
    camera: str  # one of HUMAN36M_CAMERAS

    @property
    def sequence(self) -> str:
        """'act_02_subact_01'."""
        return f'act_{ACTIONS.index(self.action) + FIRST_ACTION:02d}_subact_{self.trial:02d}'

    @property
    def video(self) -> str:
        """'s_01_act_02_subact_01_ca_01', the H36M-Toolbox's name of the video and its folder."""
        camera = published_cameras.HUMAN36M_CAMERAS.index(self.camera) + 1
        return f's_{int(self.subject[1:]):02d}_{self.sequence}_ca_{camera:02d}'


@dataclasses.dataclass(frozen=True, eq=False)
class Recording:
    """N frames of a video, N at least one."""

    frames: np.ndarray  # [N] int32, position in the video from 0, rising
    joints3d: np.ndarray  # [N, 17, 3] float32, metres, camera frame
    truth: np.ndarray  # [N, 17, 2] float32, pixels of the whole image, with lens distortion
    detected: np.ndarray  # [N, 17, 2] float32, pixels of the whole image

    def every(self, stride: int) -> Recording:
        """The frames whose position divides by `stride`."""
        return self.only(self.frames % stride == 0)

    def only(self, chosen: np.ndarray) -> Recording:
        """The frames that are chosen, [N] bool."""
        return Recording(*(getattr(self, field.name)[chosen] for field in dataclasses.fields(self)))


def problems(key: Key, recording: Recording) -> Iterator[str]:
    """Sentences on what is wrong with the labels of a video."""
    where = f'{key.subject} {key.action} (trial {key.trial}, camera {key.camera})'
    arrays = {
        '3D joints': recording.joints3d,
        'true 2D joints': recording.truth,
        'detected 2D joints': recording.detected,
    }
    broken = False
    for name, array in arrays.items():
        bad = ~np.isfinite(array).all(axis=(1, 2))
        if bad.any():
            broken = True
            numbers = ranges((recording.frames[bad] + 1).tolist())
            yield f'{where} has NaN or infinity in the {name} of frames {numbers}'
    if broken:
        return
    depth = 1000 * float(np.median(recording.joints3d[:, 0, 2]))
    if not NEAREST_MM < depth < FARTHEST_MM:
        yield (
            f'{where} has the pelvis {depth:.4g} mm ahead of the camera: another unit than mm, or '
            'not the files of the camera frame (D3_Positions_mono)'
        )
        return
    camera = published_cameras.human36m(key.subject, key.camera)
    projected = camera.project(recording.joints3d)
    off = _median_distance(projected, recording.truth)
    if off > TRUTH_PX:
        yield (
            f'{where} has 3D joints that project {off:.3g} px from the true 2D joints: files of '
            'another camera, subject or version'
        )
    off = _median_distance(projected, recording.detected)
    if off > DETECTION_PX:
        yield (
            f'{where} has detections {off:.3g} px from the true joints: of another video, joint '
            'order or version'
        )


def _median_distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.median(np.linalg.norm(one - other, axis=-1)))
