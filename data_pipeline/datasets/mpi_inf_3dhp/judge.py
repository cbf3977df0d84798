"""Whether the labels of a clip can be right: finite, millimetres, in front, and on the pixels."""

from __future__ import annotations

import numpy as np

from capf_jax.pose import cameras
from data_pipeline.building.problems import ranges
from data_pipeline.datasets.mpi_inf_3dhp.annotations import Poses

# Limits of the distance from the pelvis to the farthest joint, median over a clip. A distance
# outside them is in another unit than mm.
_EXTENT_MM = (200.0, 2500.0)
# The largest median distance of the projected `annot3` to `annot2`. Real frames have 0.4 px, and
# hundreds of pixels with the intrinsics of another camera.
_REPROJECTION_PX = 5.0


def labels(poses: Poses, frames: np.ndarray, intrinsics: np.ndarray, where: str) -> list[str]:
    """What is wrong with the labels of `frames`; `where` names the file and the camera."""
    problems = []
    arrays = {'annot2': poses.joints2d, 'the 3D target': poses.joints3d, 'annot3': poses.true3d}
    odd = np.zeros(len(frames), bool)
    for name, array in arrays.items():
        bad = ~np.isfinite(array[frames]).all(axis=(1, 2))
        new = bad & ~odd
        odd |= bad
        if new.any():
            problems.append(
                f'{where}: {name} has NaN or infinite joints in frames '
                f'{ranges(frames[new].tolist())}, counted from 0; download the file again'
            )
    frames = frames[~odd]
    if not len(frames):
        return problems
    true3d = poses.true3d[frames]
    root = poses.root[frames]
    extent = float(np.median(np.linalg.norm(true3d - root[:, None], axis=-1).max(axis=1)))
    if not _EXTENT_MM[0] <= extent <= _EXTENT_MM[1]:
        problems.append(
            f'{where}: people of annot3 reach {extent:.4g} from the pelvis, which is not '
            "millimetres; take the dataset's own file"
        )
        return problems
    behind = root[:, 2] <= 0
    if behind.any():
        problems.append(
            f'{where}: the pelvis of annot3 is behind the camera in frames '
            f"{ranges(frames[behind].tolist())}; take the dataset's own file"
        )
        return problems
    with np.errstate(divide='ignore', invalid='ignore'):  # a hand may have depth 0
        projected = cameras.project(true3d, intrinsics)
    distance = float(np.nanmedian(np.linalg.norm(projected - poses.joints2d[frames], axis=-1)))
    if not distance <= _REPROJECTION_PX:
        problems.append(
            f'{where}: annot3 projects {distance:.0f} px (median) from annot2; the labels are of '
            "another camera or the calibration is, take the dataset's own files"
        )
    return problems
