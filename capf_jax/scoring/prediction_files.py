"""The file format of predicted poses: how it is written and read, and what is wrong with a file.

The file is a NumPy archive (.npz, no pickles) for M samples in any order:

    poses     [M, J, 3] float, camera frame (x right, y down, z away), relative to the root joint
    unit      'm' or 'mm', the unit of `poses`
    subject, action, sequence, camera   [M] text, as in the dataset
    frame     [M] int, as in the dataset
    index     [M] int, the sample's position in the split; instead of the five labels above
    skeleton  the joint set of `poses`, such as 'h36m17'; may be missing, is checked otherwise
    dataset   full name of the dataset; may be missing, is checked otherwise
    split     TFDS split, such as 'test'; may be missing. With index it must be the very split that
              is scored; with labels it must have a name in common with it, as test[:500] with test
    pose_frame  'camera', or 'viewing_ray' where `poses` are in that frame; may be missing likewise

Labels are used where all five are there. Joints have the order of capf_jax/pose/skeletons.py.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from capf_jax.errors import UserError
from capf_jax.pose.skeletons import Skeleton
from capf_jax.runtime import array_files, files
from data_pipeline.records import LABELS

UNITS = {'m': 1.0, 'mm': 0.001}  # in metres
LARGEST = 2_000_000_000  # bytes of the arrays of a file
FORMAT = 'the docstring of capf_jax/scoring/prediction_files.py has the format'


@dataclasses.dataclass(frozen=True)
class Predictions:
    """Poses of M samples, and which samples they are.

    Attributes:
      path: the file.
      poses: [M, J, 3] metres, camera frame, relative to the root.
      names: 'index' or the five labels -> [M].
      dataset, split, pose_frame: what they were predicted for, and the frame that they are in; ''
        where the file does not say.
    """

    path: files.AnyPath
    poses: Float[np.ndarray, 'M J 3']
    names: Mapping[str, Shaped[np.ndarray, ' M']]
    dataset: str = ''
    split: str = ''
    pose_frame: str = ''

    @property
    def matched_by(self) -> str:
        """What says which sample a pose belongs to, in words."""
        return ', '.join(self.names)


def save(
    path: files.AnyPath,
    poses: Float[np.ndarray, 'M J 3'],
    labels: Mapping[str, Shaped[np.ndarray, ' M']],
    origin: Mapping[str, str],
) -> files.AnyPath:
    """Writes poses in the format above, whole or not at all.

    Args:
      path: the file.
      poses: [M, J, 3] metres, camera frame, relative to the root.
      labels: the five labels and 'index' -> [M].
      origin: 'skeleton', and further text to keep, such as the dataset and the split.

    Returns:
      The path.
    """
    arrays: dict[str, Any] = {'poses': poses.astype(np.float32), 'unit': 'm', **labels, **origin}
    with files.whole(path) as temporary, temporary.open('wb') as file:
        np.savez_compressed(file, **arrays)
    return path


def load(path: str | os.PathLike, skeleton: Skeleton) -> Predictions:
    """Reads a file of the format above.

    Args:
      path: the file.
      skeleton: the joints that the poses must have.

    Raises:
      FileNotFoundError: there is no such file.
      UserError: the file is not of the format; the message says what is wrong.
    """
    path = files.user_path(path)
    if not path.is_file():
        raise FileNotFoundError(f'there is no file {path} with predictions; correct its path')
    arrays = _read(path)
    poses = arrays.get('poses')
    if poses is None or 'unit' not in arrays:
        missing = ' and '.join(repr(name) for name in ('poses', 'unit') if name not in arrays)
        raise UserError(f'{path} has no {missing}, only {listed(arrays)}; {FORMAT}')
    if poses.ndim != 3 or poses.shape[1:] != (len(skeleton), 3) or poses.dtype.kind not in 'fiu':
        raise UserError(
            f'poses in {path} are {poses.dtype} {list(poses.shape)}; '
            f'they must be numbers [M, {len(skeleton)}, 3], the joints of {skeleton.name!r}'
        )
    unit = str(arrays['unit'])
    if unit not in UNITS:
        raise UserError(f"unit in {path} is {unit!r}; it must be 'm' or 'mm'")
    made_for = str(arrays.get('skeleton', skeleton.name))
    if made_for != skeleton.name:
        raise UserError(
            f'{path} has the joints of {made_for!r}, the dataset those of {skeleton.name!r}; '
            'bring the poses into that order'
        )
    broken = np.flatnonzero(~np.isfinite(poses).all((1, 2)))
    if broken.size:
        raise UserError(
            f'{len(broken)} of {len(poses)} poses in {path} hold NaN or infinity, the first is '
            f'pose {broken[0]}; give a number for every joint'
        )
    origin = (str(arrays.get(name, '')) for name in ('dataset', 'split', 'pose_frame'))
    return Predictions(path, poses * UNITS[unit], _names(path, arrays, len(poses)), *origin)


def _read(path: files.AnyPath) -> dict[str, np.ndarray]:
    """The arrays of the format in an archive; UserError where it is none, or holds Python objects.

    What an archive declares is compared with what it holds before memory is taken.
    """
    names = {'poses', 'unit', 'skeleton', 'dataset', 'split', 'pose_frame', 'index', *LABELS}
    try:
        with files.local(path) as copy:
            return array_files.read(copy, names, LARGEST)
    except ValueError as error:
        raise UserError(
            f'{path} is no NumPy archive of plain arrays ({error}); '
            'write it with numpy.savez, text as arrays of str'
        ) from error


def _names(path: files.AnyPath, arrays: Mapping[str, np.ndarray], number: int) -> dict:
    """The five labels or 'index', [M] each; UserError where neither is there or they misfit."""
    by = LABELS if all(name in arrays for name in LABELS) else ('index',)
    if any(name not in arrays for name in by):
        raise UserError(
            f'{path} does not say which samples its poses belong to: it has neither index nor all '
            f'of {", ".join(LABELS)}, only {listed(arrays)}; {FORMAT}'
        )
    for name in by:
        if arrays[name].shape != (number,):
            raise UserError(
                f'{name} in {path} has the shape {list(arrays[name].shape)}; '
                f'it must name each of the {number} poses'
            )
        if name in ('index', 'frame') and arrays[name].dtype.kind not in 'iu':
            raise UserError(f'{name} in {path} is {arrays[name].dtype}; it must be whole numbers')
    whole = {name: arrays[name].astype(np.int64) for name in by if name in ('index', 'frame')}
    return {name: whole.get(name, arrays[name].astype(str)) for name in by}


def listed(values: Any, most: int = 8) -> str:
    """The first values, joined by commas, and how many more there are."""
    values = list(values)
    more = f' and {len(values) - most} more' if len(values) > most else ''
    return (', '.join(map(str, values[:most])) or 'nothing') + more
