"""`VideoClip`: one camera's view of one sequence, with the labels of its frames."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from capf_jax.errors import UserError
from capf_jax.pose import crops
from capf_jax.pose.skeletons import MPI_INF_3DHP17
from data_pipeline import building
from data_pipeline.datasets.mpi_inf_3dhp.footage import Frames, Video
from data_pipeline.datasets.mpi_inf_3dhp.settings import Settings
from data_pipeline.images import UnreadableError
from data_pipeline.records import Record


@dataclasses.dataclass(frozen=True, eq=False)
class VideoClip(building.Clip):
    """The frames of one recording that a split uses."""

    subject: str
    sequence: str
    camera: str
    footage: Video | Frames
    image_size: tuple[int, int]  # (width, height) that the camera's intrinsics are for
    intrinsics: np.ndarray  # [4] fx fy cx cy, pixels
    frames: np.ndarray  # [N] int, rising, counted from 0
    actions: tuple[str, ...]  # of every frame
    joints2d: np.ndarray  # [N, 17, 2] float32, pixels
    joints3d: np.ndarray  # [N, 17, 3] float32, mm: the targets
    root: np.ndarray  # [N, 3] float32, mm, camera frame: the pelvis of `annot3`
    settings: Settings
    may_lack: bool  # whether frames of a video that do not decode are left out

    @property
    def name(self) -> str:
        """Such as S1_Seq2_Cam4 or TS3_Cam0."""
        return f'{self.sequence}_Cam{self.camera}'

    @property
    def size(self) -> int:
        """Frames used."""
        return len(self.frames)

    def only(self, chosen: np.ndarray) -> VideoClip:
        """The clip of the frames that are chosen, [N] bool."""
        arrays = ('frames', 'joints2d', 'joints3d', 'root')
        return dataclasses.replace(
            self,
            actions=tuple(np.array(self.actions, object)[chosen]),
            **{name: getattr(self, name)[chosen] for name in arrays},
        )

    def records(self) -> Iterator[Record]:
        """Crops in the order of the frames.

        The box is that of Human3.6M, 2 m around the pelvis at its depth (docs/method.md,
        Human3.6M). It is always made from `annot3`, since `univ_annot3` is scaled and does not
        lie on the person.

        Raises:
          UserError: a frame does not decode, or is not of the size that the camera is for.
        """
        pictures = self.footage.read([int(frame) for frame in self.frames])
        for row, image in enumerate(pictures):
            if isinstance(image, UnreadableError):
                if self.may_lack:
                    continue
                raise image
            size = image.shape[1], image.shape[0]
            if size != self.image_size:
                actual, expected = ('x'.join(map(str, pair)) for pair in (size, self.image_size))
                raise UserError(
                    f'frame {self.frames[row]} of {self.name} has {actual} pixels where the '
                    f'camera has {expected}; take the original, labels do not fit another size'
                )
            joints2d = self.joints2d[row]
            yield building.make_record(
                image,
                *crops.root_box(self.root[row], self.intrinsics),
                self.settings,
                # The dataset comes without detections; published results use the true 2D joints.
                joints2d_detected=joints2d,
                joints2d_truth=joints2d,
                confidence=np.ones(len(MPI_INF_3DHP17), np.float32),
                joints3d=self.joints3d[row] / 1000,
                intrinsics=self.intrinsics,
                subject=self.subject,
                action=self.actions[row],
                sequence=self.sequence,
                camera=self.camera,
                frame=int(self.frames[row]),
            )
