"""Checks that 3D joints are those of people: their unit, their bone lengths and their sides."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from capf_jax.pose.skeletons import Skeleton
from data_pipeline.checks.findings import NOTE, Finding, ok_if

# Smallest and largest plausible values in metres: the distance from the root to the joint that is
# farthest from it, and the camera depth of the root, both medians over people.
_EXTENT = (0.3, 2.0)
_DEPTH = (0.2, 100.0)
# Smallest and largest plausible length of each bone, metres, by the joints at its ends. The ranges
# include small children and very tall people.
_BONES = {
    ('pelvis', 'hip'): (0.04, 0.25),
    ('hip', 'knee'): (0.22, 0.65),
    ('knee', 'ankle'): (0.20, 0.62),
    ('thorax', 'shoulder'): (0.06, 0.35),
    ('neck', 'shoulder'): (0.06, 0.35),
    ('shoulder', 'elbow'): (0.14, 0.48),
    ('elbow', 'wrist'): (0.12, 0.45),
}
# The same for bones of trunk and head, which joint sets divide differently.
_OTHER_BONE = (0.02, 0.75)
# Largest share of people with an implausible bone that is only noted: real labels have some errors.
_ODD_BONES = 0.005
# Largest plausible difference between the lengths of a left and a right bone over their mean,
# median over people. A real frame of MPI-INF-3DHP has thighs of 33 and 49 cm, so a few people prove
# nothing.
_MEDIAN_ASYMMETRY = 0.2
_APART = 0.04  # A difference of left and right below this is ignored, metres.
_BENT = 25.0  # A knee that is bent by more than this shows where the front is, degrees.
_ENOUGH = 20  # Smallest number of people, or of bent knees, from which anything follows.
_FORWARD_SHARE = 0.75  # Smallest plausible share of bent knees that point to the front.
# Smallest plausible share of people whose hips and shoulders have their left on the same side.
_ALIGNED_SHARE = 0.9


def judge(joints3d: np.ndarray, skeleton: Skeleton) -> Iterator[Finding]:
    """Findings about the 3D joints of people.

    Args:
      joints3d: [N, J, 3], which should be in the camera frame and in metres; all are finite.
      skeleton: their joint set.
    """
    extent = np.linalg.norm(joints3d - joints3d[:, skeleton.root, None], axis=-1).max(axis=1)
    middle, depth = float(np.median(extent)), float(np.median(joints3d[:, skeleton.root, 2]))
    metres = _EXTENT[0] <= middle <= _EXTENT[1] and _DEPTH[0] <= depth <= _DEPTH[1]
    yield ok_if(
        metres,
        'unit',
        f'the farthest joint is {middle:.3g} from the root and the root {depth:.3g} from the '
        'camera (medians)',
        'they must be in metres, in the camera frame, not relative to the root',
    )
    if metres:
        yield _bones(joints3d, skeleton)
        yield _symmetry(joints3d, skeleton)
    yield from _sides(joints3d, skeleton)


def _bones(joints3d: np.ndarray, skeleton: Skeleton) -> Finding:
    """Whether the bones have plausible lengths."""
    low, high, odd, worst_share = [], [], [], 0.0
    for parent, child in skeleton.bones:
        lengths = np.linalg.norm(joints3d[:, child] - joints3d[:, parent], axis=-1)
        names = skeleton.joints[parent], skeleton.joints[child]
        from_part, to_part = (name.split('_')[-1] for name in names)
        least, most = _BONES.get((from_part, to_part), _OTHER_BONE)
        outside = (lengths < least) | (lengths > most)
        low.append(float(lengths.min()))
        high.append(float(lengths.max()))
        if outside.any():
            worst = lengths[outside][0]
            worst_share = max(worst_share, float(outside.mean()))
            odd.append(
                f'{names[0]} to {names[1]} is {100 * worst:.1f} cm '
                f'({outside.sum()} of {len(lengths)} people, believed is {100 * least:.0f} to '
                f'{100 * most:.0f})'
            )
    says = f'from {100 * min(low):.1f} to {100 * max(high):.1f} cm' + ''.join(f'; {o}' for o in odd)
    if odd and worst_share <= _ODD_BONES:
        return Finding(NOTE, 'bone lengths', says)
    return ok_if(not odd, 'bone lengths', says, 'check the joint order and the unit of the labels')


def _symmetry(joints3d: np.ndarray, skeleton: Skeleton) -> Finding:
    """Whether the bones of left and right have similar lengths."""
    parents = {child: parent for parent, child in skeleton.bones}
    worst, name = 0.0, ''
    for left, right in zip(skeleton.left, skeleton.right, strict=True):
        if left not in parents or right not in parents:
            continue
        lengths = [
            np.linalg.norm(joints3d[:, joint] - joints3d[:, parents[joint]], axis=-1)
            for joint in (left, right)
        ]
        apart = np.abs(lengths[0] - lengths[1])
        apart[apart < _APART] = 0  # In a bone as short as a hip, the share alone would be large.
        difference = float(np.median(apart / np.mean(lengths, axis=0)))
        if difference >= worst:
            worst, name = difference, skeleton.joints[left].removeprefix('left_')
    says = f'differ by {100 * worst:.1f}% at most (median, bone that ends at the {name})'
    if worst > _MEDIAN_ASYMMETRY and len(joints3d) < _ENOUGH:
        return Finding(NOTE, 'left and right lengths', f'{says}, of few people')
    return ok_if(
        worst <= _MEDIAN_ASYMMETRY,
        'left and right lengths',
        says,
        'two joints of one side are exchanged',
    )


def _sides(joints3d: np.ndarray, skeleton: Skeleton) -> Iterator[Finding]:
    """Whether hips and shoulders agree on the left side, and whether knees point to the front."""
    at = {
        (side, part): joints3d[:, skeleton.index(f'{side}_{part}')]
        for side in ('left', 'right')
        for part in ('shoulder', 'hip', 'knee', 'ankle')
    }
    hips = at['left', 'hip'] - at['right', 'hip']
    shoulders = at['left', 'shoulder'] - at['right', 'shoulder']
    aligned = float(np.mean(np.einsum('nk,nk->n', hips, shoulders) > 0))
    yield ok_if(
        aligned >= _ALIGNED_SHARE,
        'hips and shoulders',
        f'{100 * aligned:.1f}% of people have both left sides on one side',
        'left and right are exchanged in a part of the body',
    )
    up = (at['left', 'shoulder'] + at['right', 'shoulder']) - (
        at['left', 'hip'] + at['right', 'hip']
    )
    front = np.cross(hips, up)  # The camera frame is right-handed.
    forward = []
    for side in ('left', 'right'):
        thigh = at[side, 'knee'] - at[side, 'hip']
        shin = at[side, 'ankle'] - at[side, 'knee']
        lengths = np.linalg.norm(thigh, axis=-1) * np.linalg.norm(shin, axis=-1)
        cosine = np.einsum('nk,nk->n', thigh, shin) / np.maximum(lengths, 1e-9)
        bent = np.degrees(np.arccos(np.clip(cosine, -1, 1))) > _BENT
        knee = at[side, 'knee'] - (at[side, 'hip'] + at[side, 'ankle']) / 2
        forward.append((np.einsum('nk,nk->n', knee, front) > 0)[bent])
    forward = np.concatenate(forward)
    if len(forward) < _ENOUGH:
        yield Finding(NOTE, 'front and back', f'only {len(forward)} knees are bent, too few to say')
        return
    share = float(np.mean(forward))
    says = f'{100 * share:.1f}% of {len(forward)} bent knees point to the front'
    yield ok_if(
        share >= _FORWARD_SHARE,
        'front and back',
        says,
        'left and right are exchanged, or poses are mirrored',
    )
