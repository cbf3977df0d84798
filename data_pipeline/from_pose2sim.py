"""Turns the Pose2Sim "Balancing" sample (4 cameras, 100 frames) into the own-data format.

    python -m data_pipeline.from_pose2sim SOURCE TARGET
    python -m data_pipeline.from_pose2sim pose2sim-balancing data/pose2sim-balancing

SOURCE holds sample.npz and videos/; TARGET is made, with annotations.json and the videos. The 2D
joints are the real OpenPose detections, the 3D joints are triangulated (pseudo ground truth).
Frames in which OpenPose reports a bystander instead (one of 400) are left out.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Sequence

import numpy as np

from capf_jax.errors import UserError
from capf_jax.pose.skeletons import H36M17
from capf_jax.runtime import commands
from data_pipeline.datasets.own_data.annotations import FILE

# h36m17 joints that OpenPose's BODY_25B has.
_BODY_25B = {
    'right_hip': 12, 'right_knee': 14, 'right_ankle': 16,
    'left_hip': 11, 'left_knee': 13, 'left_ankle': 15,
    'left_shoulder': 5, 'left_elbow': 7, 'left_wrist': 9,
    'right_shoulder': 6, 'right_elbow': 8, 'right_wrist': 10,
}  # fmt: skip
_UPPER_NECK, _HEAD_TOP = 17, 18
# A person's middle may lie this many pixels from its median over the neighbouring frames: the
# person moves by 100 pixels at most, and the bystander stands 500 pixels away.
_LARGEST_JUMP = 250.0
# The other joints are weighted sums of BODY_25B joints, by the rules that gave the sample its 3D
# joints, so that 2D and 3D mean the same points.
_PELVIS = {11: 0.5, 12: 0.5}
_THORAX = {_UPPER_NECK: 0.5, 5: 0.25, 6: 0.25}
_SPINE = {11: 0.262, 12: 0.262, _UPPER_NECK: 0.238, 5: 0.119, 6: 0.119}  # 0.476 from the pelvis
_NOSE = {_UPPER_NECK: 0.55, _HEAD_TOP: 0.45}
_HEAD = {_UPPER_NECK: 0.1, _HEAD_TOP: 0.9}
_DERIVED = {'pelvis': _PELVIS, 'thorax': _THORAX, 'spine': _SPINE, 'nose': _NOSE, 'head': _HEAD}


def body_25b_to_h36m17(joints: np.ndarray, confidence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joints [F, 25, 2] and confidence [F, 25] of BODY_25B -> [F, 17, 2], [F, 17] of h36m17.

    A derived joint has the confidence of the least sure joint that it is made of.
    """
    weights = np.zeros((len(H36M17), joints.shape[1]))
    for joint, part in _BODY_25B.items():
        weights[H36M17.index(joint), part] = 1
    for joint, parts in _DERIVED.items():
        for part, weight in parts.items():
            weights[H36M17.index(joint), part] = weight
    least = np.where(weights > 0, confidence[:, None, :], np.inf).min(axis=-1)
    return weights @ joints, least


def fill_missing(joints: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Joints [F, J, 2] with those of confidence 0 interpolated linearly over the frames.

    Raises:
      UserError: a joint is never detected.
    """
    filled = joints.copy()
    frames = np.arange(len(joints))
    for joint in range(joints.shape[1]):
        detected = confidence[:, joint] > 0
        if not detected.any():
            raise UserError(f'joint {joint} is not detected in any frame')
        for axis in range(2):
            filled[:, joint, axis] = np.interp(
                frames, frames[detected], joints[detected, joint, axis]
            )
    return filled


def of_another_person(joints: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """[F] bool: frames whose joints [F, J, 2] jump away from those of the frames around them."""
    detected = np.where(confidence[..., None] > 0, joints, np.nan)
    centre = np.nanmedian(detected, axis=1)  # [F, 2]
    padded = np.pad(centre, ((2, 2), (0, 0)), mode='edge')
    around = np.median(np.lib.stride_tricks.sliding_window_view(padded, 5, axis=0), axis=-1)
    return np.linalg.norm(centre - around, axis=-1) > _LARGEST_JUMP


def convert(source: pathlib.Path, target: pathlib.Path) -> int:
    """Writes the folder `target`; returns the number of entries.

    Raises:
      FileNotFoundError: `source` is not the sample.
      FileExistsError: `target` is there already; it is left as it is.
    """
    if not (source / 'sample.npz').is_file():
        raise FileNotFoundError(f'{source} holds no sample.npz: it is not the Pose2Sim sample')
    if target.exists():
        raise FileExistsError(f'{target} is there already; remove it or name another folder')
    with np.load(source / 'sample.npz') as sample:
        content, videos = annotate({name: sample[name] for name in sample.files})
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = pathlib.Path(tempfile.mkdtemp(prefix=f'.{target.name}-', dir=target.parent))
    try:
        (unfinished / 'videos').mkdir()
        for video in videos:
            shutil.copyfile(source / video, unfinished / video)
        (unfinished / FILE).write_text(json.dumps(content), encoding='utf-8')
        unfinished.chmod(0o755)
        os.rename(unfinished, target)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return len(content['entries'])


def annotate(sample: dict[str, np.ndarray]) -> tuple[dict, list[str]]:
    """Content of the annotation file, and the videos it names, from the arrays of sample.npz."""
    cameras, entries, videos = {}, [], []
    for camera, detections in enumerate(sample['openpose_body25b_xyc'].astype(np.float64)):
        name = f'cam{camera + 1:02d}'
        videos.append(f'videos/{name}.mp4')
        matrix = sample['K'][camera]
        cameras[name] = {
            'fx': matrix[0, 0], 'fy': matrix[1, 1], 'cx': matrix[0, 2], 'cy': matrix[1, 2],
            'distortion': sample['dist_k1k2p1p2k3'][camera].tolist(),
        }  # fmt: skip
        parts, sureness = detections[..., :2], detections[..., 2]
        # Joints of BODY_25B that h36m17 does not need may be missing in every frame.
        used = sorted({*_BODY_25B.values(), _UPPER_NECK, _HEAD_TOP})
        other = of_another_person(parts[:, used], sureness[:, used])
        sureness[other] = 0
        parts[:, used] = fill_missing(parts[:, used], sureness[:, used])
        joints2d, confidence = body_25b_to_h36m17(parts, sureness)
        for frame, joints3d in enumerate(sample['joints_3d_cam_mm'][camera]):
            if other[frame]:
                continue
            entries.append(
                {
                    'video': videos[-1],
                    'frame': frame,
                    'camera': name,
                    'joints2d': np.round(joints2d[frame], 2).tolist(),
                    'confidence': np.round(confidence[frame], 4).clip(0, 1).tolist(),
                    'joints3d': np.round(joints3d.astype(np.float64), 3).tolist(),
                    'subject': 'P00',
                    'sequence': f'balancing-{name}',
                    'action': 'balancing',
                }
            )
    return {'skeleton': H36M17.name, 'cameras': cameras, 'entries': entries}, videos


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code."""
    parser = commands.Parser('data_pipeline.from_pose2sim', __doc__)
    parser.add_argument('source', type=commands.path, help='the folder pose2sim-balancing')
    parser.add_argument('target', type=commands.path, help='the folder to make')
    values = parser.parse(argv)
    count = convert(values.source, values.target)
    print(f'{values.target}: {count} entries')
    return 0


if __name__ == '__main__':
    commands.run(main)
