"""Names of joints as markers of biomechanics: those of Pose2Sim, which its OpenSim models know."""

from __future__ import annotations

from capf_jax.pose.skeletons import Skeleton

# Where one name would not do, or another program's joint is nearly at the same place.
_NAMES = {'pelvis': 'Hip', 'thorax': 'Neck', 'head_top': 'Head'}


def marker_names(skeleton: Skeleton) -> tuple[str, ...]:
    """The marker of each joint, such as 'RHip', 'Neck' or 'LBigToe'; all differ."""
    names = []
    for joint in skeleton.joints:
        side, _, name = joint.partition('_')
        if side in ('left', 'right'):
            names.append(side[0].upper() + _joined(name))
        elif joint == 'head' and 'head_top' in skeleton.joints:
            names.append('HeadCentre')  # MPI-INF-3DHP's, inside the head
        elif joint == 'thorax' and 'neck' in skeleton.joints:
            names.append('Thorax')
        else:
            names.append(_NAMES.get(joint, _joined(joint)))
    return tuple(names)


def _joined(name: str) -> str:
    return ''.join(word.capitalize() for word in name.split('_'))
