"""The skeletons are those of docs/method.md, and each agrees with itself."""

import numpy as np
import pytest

from capf_jax.pose import skeletons

# Left and right joints as docs/method.md, Human3.6M and MPI-INF-3DHP, lists them.
LEFT_RIGHT = {
    'h36m17': ([4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]),
    'mpi_inf_3dhp17': ([5, 6, 7, 11, 12, 13], [2, 3, 4, 8, 9, 10]),
}
EVERY = pytest.mark.parametrize('joints', skeletons.SKELETONS.values(), ids=lambda s: s.name)


@pytest.mark.parametrize('name', LEFT_RIGHT)
def test_left_and_right_are_those_of_the_method_page(name):
    joints = skeletons.get(name)
    assert (list(joints.left), list(joints.right)) == LEFT_RIGHT[name]


@pytest.mark.parametrize(('name', 'root'), [('h36m17', 0), ('mpi_inf_3dhp17', 14)])
def test_the_root_is_the_pelvis_of_the_method_page(name, root):
    assert skeletons.get(name).root == root


@EVERY
def test_a_flip_twice_changes_nothing(joints):
    flip = np.array(joints.flip)
    np.testing.assert_array_equal(flip[flip], np.arange(len(joints)))


@EVERY
def test_a_flip_swaps_the_names(joints):
    swap = {'left': 'right', 'right': 'left'}
    for name, mirrored in zip(joints.joints, joints.flip, strict=True):
        side, _, rest = name.partition('_')
        assert joints.joints[mirrored] == (f'{swap[side]}_{rest}' if side in swap else name)


@pytest.mark.parametrize('name', LEFT_RIGHT)  # not COCO, where one shoulder hangs on the other
def test_a_flip_keeps_the_bones(name):
    joints = skeletons.get(name)
    mirrored = {(joints.flip[parent], joints.flip[child]) for parent, child in joints.bones}
    assert mirrored == set(joints.bones)


@EVERY
def test_every_joint_hangs_on_the_root(joints):
    for joint in range(len(joints)):
        for _ in range(len(joints)):
            joint = joints.parents[joint]
        assert joint == joints.root


@EVERY
def test_joints_have_names_of_their_own_and_a_parent_each(joints):
    assert len(joints) == len(joints.parents) == len(set(joints.joints))


@pytest.mark.parametrize('name', ['h36m17', 'mpi_inf_3dhp17', 'coco17'])
def test_a_name_that_ends_in_17_has_seventeen_joints(name):
    assert len(skeletons.get(name)) == 17


def test_points_of_the_surface_come_after_the_joints():
    assert skeletons.H36M17_SURFACE.joints[:17] == skeletons.H36M17.joints


def test_an_unknown_joint_names_the_nearest():
    with pytest.raises(ValueError, match="nearest name is 'left_knee'"):
        skeletons.H36M17.index('left_kne')


def test_an_unknown_skeleton_lists_the_known():
    with pytest.raises(ValueError, match='h36m17'):
        skeletons.get('h36m18')
