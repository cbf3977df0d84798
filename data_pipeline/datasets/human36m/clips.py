"""`VideoClip`: one video of Human3.6M on its way to Records."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator

import numpy as np

from capf_jax.errors import UserError
from capf_jax.pose import crops
from capf_jax.pose.cameras import Camera
from data_pipeline import building, images, published_cameras
from data_pipeline.building.problems import ranges
from data_pipeline.datasets.human36m.recordings import Key, Recording
from data_pipeline.datasets.human36m.settings import Settings
from data_pipeline.records import Record

_SIZES = ((1000, 1000), (1000, 1002))  # (width, height) of the images that the labels are made for


@dataclasses.dataclass(frozen=True, eq=False)
class VideoClip(building.Clip):
    """The labelled frames of one subject, action, trial and camera."""

    key: Key
    recording: Recording
    pattern: str  # paths of the pictures, see frame_folders.Video
    settings: Settings

    @property
    def name(self) -> str:
        """The video's name in the H36M-Toolbox."""
        return self.key.video

    @property
    def size(self) -> int:
        """Labelled frames."""
        return len(self.recording.frames)

    def records(self) -> Iterator[Record]:
        """See Clip.

        Raises:
          UserError: pictures do not decode or have another size; all of this video are listed.
        """
        camera = published_cameras.human36m(self.key.subject, self.key.camera)
        bad: list[int] = []
        first = ''
        for index, frame in enumerate(self.recording.frames.tolist()):
            path = pathlib.Path(self.pattern.format(frame + 1))
            try:
                image = images.read(path)
                size = image.shape[1], image.shape[0]
                if size not in _SIZES:
                    raise UserError(
                        f'{path} has {size[0]}x{size[1]} pixels, and labels are for 1000x1000 or '
                        '1000x1002; take the pictures as the H36M-Toolbox makes them'
                    )
            except UserError as error:
                bad.append(frame + 1)
                first = first or str(error)
                continue
            if not bad:
                yield self._record(index, image, camera)
        if bad:
            others = f' (pictures {ranges(bad)} of this video)' if len(bad) > 1 else ''
            raise UserError(first + others)

    def _record(self, index: int, image: np.ndarray, camera: Camera) -> Record:
        recording = self.recording
        joints3d = recording.joints3d[index]
        centre, width = crops.root_box(1000 * joints3d[0], camera.intrinsics)
        return building.make_record(
            image,
            centre,
            width,
            self.settings,
            joints2d_detected=recording.detected[index],
            joints2d_truth=recording.truth[index],
            confidence=np.ones(len(joints3d)),  # no source has the detector's confidence
            joints3d=joints3d,
            intrinsics=camera.intrinsics,
            subject=self.key.subject,
            action=self.key.action,
            sequence=self.key.sequence,
            camera=self.key.camera,
            frame=int(recording.frames[index]),
        )
