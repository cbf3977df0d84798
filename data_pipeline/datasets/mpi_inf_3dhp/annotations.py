"""Label files of MPI-INF-3DHP: `annot.mat` (MATLAB 5) and the test set's `annot_data.mat` (7.3).

Both hold `annot2` (pixels), `annot3` (mm, camera frame) and `univ_annot3`, the published target:
the same pose scaled to one body height for all people. Only `annot3` fits the pixels, so that its
pelvis is kept beside the target, whichever that is.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterable

import h5py
import numpy as np
import scipy.io

from capf_jax.errors import UserError
from capf_jax.pose.skeletons import MPI_INF_3DHP17
from data_pipeline.datasets.mpi_inf_3dhp.published import ACTIVITIES, FILE_JOINTS, JOINTS

TRAIN_FILE, TEST_FILE = 'annot.mat', 'annot_data.mat'
TARGETS = ('univ_annot3', 'annot3')
_NUM_JOINTS = len(MPI_INF_3DHP17)
_ARRAYS = {'annot2': 2, 'annot3': 3, 'univ_annot3': 3}  # array -> numbers for each joint
# An HDF5 file begins with its signature, or in MATLAB's case after a text of 512 bytes.
_HDF5 = b'\x89HDF\r\n\x1a\n'


@dataclasses.dataclass(frozen=True)
class Poses:
    """What the labels say of one camera's video; row f is frame f, counted from 0."""

    joints2d: np.ndarray  # [F, 17, 2] pixels of the whole image
    joints3d: np.ndarray  # [F, 17, 3] mm: the target
    true3d: np.ndarray  # [F, 17, 3] mm, camera frame: `annot3`, which fits the pixels
    valid: np.ndarray  # [F] bool
    actions: np.ndarray  # [F] str, '' in the training set

    @property
    def root(self) -> np.ndarray:
        """[F, 3] mm, camera frame: the pelvis that the pixels show."""
        return self.true3d[:, MPI_INF_3DHP17.root]

    def __len__(self) -> int:
        return len(self.valid)


def read_train(
    path: pathlib.Path, cameras: Iterable[str], targets: str = 'univ_annot3'
) -> dict[str, Poses]:
    """Labels of a training sequence's cameras.

    Args:
      path: an `annot.mat`.
      cameras: which cameras, numbered as the videos are.
      targets: the array that becomes `joints3d`, of TARGETS.

    Raises:
      FileNotFoundError: there is no such file.
      UserError: it is of another version, cut short, or lacks an array or a camera.
    """
    _check_version(path, version=5)
    try:
        content = scipy.io.loadmat(path, variable_names=tuple(_ARRAYS))
    except Exception as error:  # a damaged file can make SciPy raise any error
        raise UserError(
            f'{path} does not read as a MATLAB 5 file ({error}); copy or download it again'
        ) from error
    _check_names(path, content)
    return {camera: _train_poses(path, content, camera, targets) for camera in cameras}


def read_test(path: pathlib.Path, targets: str = 'univ_annot3') -> Poses:
    """Labels of a test sequence, all frames; `valid` says which of them count.

    Args:
      path: an `annot_data.mat`.
      targets: the array that becomes `joints3d`, of TARGETS.

    Raises:
      FileNotFoundError: there is no such file.
      UserError: it is of another version, cut short, or lacks an array.
    """
    _check_version(path, version=7.3)
    try:
        with h5py.File(path) as content:
            _check_names(path, content, also=('valid_frame', 'activity_annotation'))
            arrays = {name: _test_array(path, name, np.asarray(content[name])) for name in _ARRAYS}
            valid = np.asarray(content['valid_frame']).ravel() == 1
            activities = np.asarray(content['activity_annotation']).ravel()
    except (OSError, KeyError, TypeError) as error:  # what h5py raises on damaged files
        raise UserError(
            f'{path} does not read as a MATLAB 7.3 file ({error}); copy or download it again'
        ) from error
    counts = {len(values) for values in (*arrays.values(), valid, activities)}
    if len(counts) > 1:
        raise UserError(
            f'{path} has arrays of different lengths, {sorted(counts)} frames; copy or download '
            'it again'
        )
    known = np.isin(activities, np.arange(1, len(ACTIVITIES) + 1))
    if not known[valid].all():
        frame = int(np.flatnonzero(valid & ~known)[0])
        raise UserError(
            f'{path} gives frame {frame} the activity {activities[frame]:g}; they are numbered 1 '
            f'to {len(ACTIVITIES)}'
        )
    names = np.array(['', *ACTIVITIES])[np.where(known, activities, 0).astype(int)]
    return Poses(arrays['annot2'], arrays[targets], arrays['annot3'], valid, names)


def _check_version(path: pathlib.Path, version: float) -> None:
    """UserError unless the file begins as one of MATLAB's `version`, 5 or 7.3, does."""
    if not path.is_file():
        raise FileNotFoundError(f'there is no {path}')
    with path.open('rb') as file:
        start = file.read(520)
    hdf5 = _HDF5 in (start[:8], start[512:])
    if hdf5 != (version == 7.3) or not (hdf5 or start.startswith(b'MATLAB 5.0')):
        kind = 'a MATLAB 7.3 file' if hdf5 else 'a MATLAB 5 file'
        if not (hdf5 or start.startswith(b'MATLAB 5.0')):
            kind = 'no MATLAB file'
        raise UserError(
            f"{path} is {kind} where the dataset has MATLAB {version:g}; take the dataset's own"
        )


def _check_names(path: pathlib.Path, content: Iterable[str], also: tuple[str, ...] = ()) -> None:
    names = sorted(name for name in content if name[0] not in '_#')
    missing = [name for name in (*_ARRAYS, *also) if name not in names]
    if missing:
        raise UserError(
            f'{path} has no {", ".join(missing)}, it has {", ".join(names) or "nothing"}; take '
            'the file of the original dataset, this is another version of it'
        )


def _train_poses(path: pathlib.Path, content: dict, camera: str, targets: str) -> Poses:
    arrays = {}
    for name, size in _ARRAYS.items():
        cells = content[name].ravel()
        if content[name].dtype != object or int(camera) >= len(cells):
            raise UserError(
                f'{path}: {name} has no camera {camera}; take the file of the original dataset, '
                'which has 14'
            )
        values = np.asarray(cells[int(camera)])
        if values.ndim != 2 or values.shape[1] != FILE_JOINTS * size:
            raise UserError(
                f'{path}: {name} of camera {camera} has shape {list(values.shape)} where '
                f'[frames, {FILE_JOINTS * size}] is needed; this is another version of the file'
            )
        arrays[name] = values.reshape(-1, FILE_JOINTS, size)[:, JOINTS].astype(np.float64)
    lengths = {name: len(values) for name, values in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise UserError(f'{path}: camera {camera} has arrays of different lengths, {lengths}')
    count = lengths['annot2']
    return Poses(
        arrays['annot2'],
        arrays[targets],
        arrays['annot3'],
        np.ones(count, bool),
        np.full(count, '', '<U1'),
    )


def _test_array(path: pathlib.Path, name: str, values: np.ndarray) -> np.ndarray:
    """[F, 17, 2 or 3] of an array that h5py gives as [F, 1, joints, numbers]."""
    size = _ARRAYS[name]
    if values.ndim != 4 or values.shape[1] != 1 or values.shape[2:] not in (
        (_NUM_JOINTS, size), (FILE_JOINTS, size),
    ):  # fmt: skip
        raise UserError(
            f'{path}: {name} has shape {list(values.shape)} where [frames, 1, {_NUM_JOINTS}, '
            f'{size}] is needed; this is another version of the file'
        )
    poses = values[:, 0].astype(np.float64)
    return poses if poses.shape[1] == _NUM_JOINTS else poses[:, JOINTS]
