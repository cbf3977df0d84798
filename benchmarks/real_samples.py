"""Reads small sets of real pictures of people with true joints, which the repository never holds.

A folder has up to three sets, each a folder with `sample.npz`, its README, and pictures or videos:

- pose2sim-balancing: 4 cameras x 100 frames of one person, 3D joints triangulated (1 to 2 cm off);
- h36m-mmpose: 4 frames of Human3.6M;
- mpi-inf-3dhp-mmpose: 4 frames of MPI-INF-3DHP.

All joints are given in the order of H36M17. Millimetres; camera frame with x right, y down, z
forward; pixels of the picture as the lens made it.
"""

from __future__ import annotations

import dataclasses
import pathlib
import zipfile
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from capf_jax.errors import UserError, unknown
from capf_jax.pose.cameras import Camera
from capf_jax.pose.skeletons import MPI_INF_3DHP17

# The joints of MPI-INF-3DHP that stand at the places of H36M17's joints. Human3.6M's "nose" is
# between neck and face, where MPI-INF-3DHP has its "head".
_OF_3DHP = (
    'pelvis', 'right_hip', 'right_knee', 'right_ankle', 'left_hip', 'left_knee', 'left_ankle',
    'spine', 'neck', 'head', 'head_top', 'left_shoulder', 'left_elbow', 'left_wrist',
    'right_shoulder', 'right_elbow', 'right_wrist',
)  # fmt: skip


@dataclasses.dataclass(frozen=True, eq=False)
class Sample:
    """One person in one real picture.

    Attributes:
      picture: the picture, or the video that has it.
      frame: its number in the video from 0; None for a picture.
      camera: with intrinsics, distortion and image size; it stands at the origin.
      joints2d: [17, 2], true joints of H36M17, pixels of the picture, distorted by the lens.
      joints3d: [17, 3], true joints of H36M17, camera frame, mm.
    """

    picture: pathlib.Path
    frame: int | None
    camera: Camera
    joints2d: np.ndarray
    joints3d: np.ndarray


def read(folder: pathlib.Path, name: str, every: int = 1) -> list[Sample]:
    """The samples of a set, videos frame by frame.

    Args:
      folder: with the folders of the sets.
      name: of the set, one of SETS.
      every: of each video only each so-many-th frame, from the first on.

    Raises:
      UserError: there is no such set, it is not in the folder, or its file is damaged.
    """
    arrays = arrays_of(folder, name)
    try:
        return SETS[name](folder / name, arrays, every)
    except (KeyError, IndexError, ValueError) as error:
        raise _damaged(folder, name, error) from error


def arrays_of(folder: pathlib.Path, name: str) -> dict[str, np.ndarray]:
    """What the file of a set holds.

    Args:
      folder: with the folders of the sets.
      name: of the set, one of SETS.

    Raises:
      UserError: there is no such set, it is not in the folder, or its file is damaged.
    """
    if name not in SETS:
        raise unknown('the set of real samples', name, SETS)
    path = folder / name / 'sample.npz'
    if not path.is_file():
        raise UserError(f'{folder} has no {name}/sample.npz; name the folder with the real samples')
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        raise _damaged(folder, name, error) from error


def _damaged(folder: pathlib.Path, name: str, error: Exception) -> UserError:
    path = folder / name / 'sample.npz'
    return UserError(f'{path} cannot be read as the set {name}: {error}')


def pictures(samples: Sequence[Sample]) -> Iterator[np.ndarray]:
    """The picture [H, W, 3] uint8 RGB of each sample, in their order.

    A video is decoded once for samples that follow each other in it.

    Raises:
      UserError: a picture or a frame cannot be read.
    """
    video, path, position = None, None, 0
    for sample in samples:
        if sample.frame is None:
            image = cv2.imread(str(sample.picture))
        else:
            if video is None or path != sample.picture or position > sample.frame:
                video, path, position = cv2.VideoCapture(str(sample.picture)), sample.picture, 0
            image = None
            while position <= sample.frame:
                image = video.read()[1]
                position += 1
        if image is None:
            where = '' if sample.frame is None else f', frame {sample.frame},'
            raise UserError(f'{sample.picture}{where} cannot be read; copy the real samples again')
        yield np.ascontiguousarray(image[..., ::-1])


def _pose2sim(folder: pathlib.Path, arrays: dict[str, np.ndarray], every: int) -> list[Sample]:
    return [
        Sample(
            folder / 'videos' / f'cam{number + 1:02d}.mp4',
            frame,
            _camera(f'cam{number + 1:02d}', arrays, number),
            arrays['joints_2d_reprojected'][number, frame].astype(np.float64),
            arrays['joints_3d_cam_mm'][number, frame].astype(np.float64),
        )
        for number in range(len(arrays['K']))
        for frame in range(0, arrays['joints_3d_cam_mm'].shape[1], every)
    ]


def _human36m(folder: pathlib.Path, arrays: dict[str, np.ndarray], every: int) -> list[Sample]:
    del every  # There is no video.
    return [
        Sample(
            folder / 'images' / str(image),
            None,
            _camera(str(arrays['camera'][number]), arrays, number),
            arrays['joints_2d_gt'][number].astype(np.float64),
            arrays['joints_3d_cam_mm'][number].astype(np.float64),
        )
        for number, image in enumerate(arrays['image'])
    ]


def _mpi_inf_3dhp(folder: pathlib.Path, arrays: dict[str, np.ndarray], every: int) -> list[Sample]:
    del every  # There is no video.
    order = [MPI_INF_3DHP17.index(joint) for joint in _OF_3DHP]
    return [
        Sample(
            folder / 'images' / str(image),
            None,
            _camera(pathlib.PurePath(str(image)).stem, arrays, number),
            arrays['joints_2d'][number, order].astype(np.float64),
            arrays['joints_3d_cam_mm'][number, order].astype(np.float64),
        )
        for number, image in enumerate(arrays['image'])
    ]


def _camera(name: str, arrays: dict[str, np.ndarray], number: int) -> Camera:
    """Camera `number` of a set."""
    matrix = arrays['K'][number]
    distortion = arrays.get('dist_k1k2p1p2k3')
    height, width = (int(side) for side in arrays['image_hw'][number])
    return Camera(
        name,
        None,
        None,
        np.array([matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]]),
        None if distortion is None else distortion[number],
        (width, height),
    )


SETS = {
    'pose2sim-balancing': _pose2sim,
    'h36m-mmpose': _human36m,
    'mpi-inf-3dhp-mmpose': _mpi_inf_3dhp,
}
