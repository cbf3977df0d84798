"""Standing height: of known bodies, whatever their pose."""

import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.pose import skeletons, stature


def standing(skeleton, heights):
    """A person whose joints are at these heights, and hips and the like 0.1 to either side."""
    pose = np.zeros((len(skeleton), 3))
    for joint, name in enumerate(skeleton.joints):
        side, _, rest = name.partition('_')
        pose[joint] = [{'left': 0.1, 'right': -0.1}.get(side, 0), heights.get(rest, 0), 0]
        if name in heights:
            pose[joint, 1] = heights[name]
    return pose


HEIGHTS = {
    'ankle': 0.07, 'knee': 0.5, 'hip': 0.92, 'pelvis': 0.92, 'spine': 1.2, 'thorax': 1.45,
    'neck': 1.45, 'nose': 1.6, 'head': 1.745, 'head_top': 1.8,
}  # fmt: skip


@pytest.mark.parametrize('name', ['h36m17', 'mpi_inf_3dhp17'])
def test_a_standing_person_is_as_tall_as_he_is(name):
    skeleton = skeletons.get(name)
    pose = standing(skeleton, HEIGHTS)
    np.testing.assert_allclose(stature.standing_height(pose[None], skeleton), 1.8, rtol=0.01)


def test_a_bent_knee_changes_nothing():
    skeleton = skeletons.H36M17
    pose = standing(skeleton, HEIGHTS)
    bent = pose.copy()
    knee, ankle = skeleton.index('left_knee'), skeleton.index('left_ankle')
    bent[ankle] = bent[knee] + [0, 0, np.linalg.norm(pose[ankle] - pose[knee])]
    np.testing.assert_allclose(
        stature.standing_height(bent[None], skeleton), stature.standing_height(pose[None], skeleton)
    )


def test_actors_of_human36m_are_grown_up(real_samples):
    with np.load(real_samples / 'h36m-mmpose' / 'sample.npz') as sample:
        heights = stature.standing_height(sample['joints_3d_cam_mm'], skeletons.H36M17)
    assert ((heights > 1550) & (heights < 1900)).all()


def test_joints_without_legs_tell_no_height():
    with pytest.raises(UserError, match='do not tell a standing height'):
        stature.standing_height(np.zeros((1, 17, 3)), skeletons.COCO17)
