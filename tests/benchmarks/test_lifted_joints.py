"""Errors joint by joint after lifting, on a lifter whose answers are known."""

import types

import numpy as np
import pytest

from benchmarks import lifted_joints
from benchmarks.lifted_joints import Crops
from capf_jax.pose.skeletons import H36M17


class Lifter:
    """Its poses are off by some metres at the left wrist, and right for joints that are given."""

    def __init__(self, error):
        self.error = error

    def lift_crops(self, crops, joints2d_crop=None):
        """Poses, joints, confidences."""
        pose = np.zeros((len(crops), 17, 3))
        if joints2d_crop is None:
            pose[:, H36M17.index('left_wrist'), 2] = self.error
        return pose, np.zeros((len(crops), 17, 2)), np.ones((len(crops), 17))


def test_left_and_right_are_one_row_of_millimetres():
    crops = Crops(np.zeros((3, 8, 8, 3), np.uint8), np.zeros((3, 17, 2)), np.zeros((3, 17, 3)))
    columns = lifted_joints.errors(crops, {'fitted': Lifter(0.02), 'gast': Lifter(0.04)})
    assert list(columns) == ['fitted', 'gast', lifted_joints.TRUE]
    table = {name: numbers for name, *numbers in lifted_joints.rows(columns)}
    assert len(table) == 11
    assert table['wrist'] == pytest.approx([10, 20, 0])
    assert table['knee'] == [0, 0, 0]
    assert table['mean of 17'] == pytest.approx([20 / 17, 40 / 17, 0])


def test_a_lifter_of_other_joints_is_refused():
    lifter = types.SimpleNamespace(
        lifter=types.SimpleNamespace(whole=types.SimpleNamespace(conversion=None)),
        sequence_lifter=None,
        joint_skeleton=None,
        frame='camera',
        path='a.safetensors',
        metadata={},
        skeleton=H36M17,
    )
    with pytest.raises(ValueError, match='has not learnt from the joints of its own detector'):
        lifted_joints.by_rule(lifter)
