"""What a type of numbers costs, on predictions whose errors are known."""

import types

import numpy as np
import pytest

from benchmarks import onnx_types
from benchmarks.onnx_types import Predictions
from capf_jax.errors import UserError


def test_a_row_is_in_millimetres_and_pixels():
    truth, joints = np.zeros((10, 10, 3)), np.zeros((10, 10, 2))
    exact = Predictions({'pose': truth + np.array([0.003, 0, 0]), 'joints': joints}, 0.1)
    pose = exact.outputs['pose'].copy()
    pose[0, 0, 1] = 0.2
    off = Predictions({'pose': pose, 'joints': joints + np.array([3, 4])}, 0.02)
    mpjpe, mean, _, most, mean2d, most2d, milliseconds = onnx_types.row(off, exact, truth)
    assert mpjpe == pytest.approx((99 * 3 + np.hypot(3, 200)) / 100)
    assert (mean, most, mean2d, most2d, milliseconds) == pytest.approx((2, 200, 5, 5, 20))


def test_a_file_without_2d_joints_has_no_pixels():
    exact = Predictions({'pose': np.zeros((3, 17, 3))}, 0.1)
    assert onnx_types.row(exact, exact, np.zeros((3, 17, 3)))[4:6] == [None, None]


def test_a_network_without_poses_is_refused():
    detector = types.SimpleNamespace(
        inputs=[types.SimpleNamespace(name='crops')], outputs=[types.SimpleNamespace(name='joints')]
    )
    with pytest.raises(UserError, match='name a weight file of a CA-PF'):
        onnx_types.read(detector, None, 5)
