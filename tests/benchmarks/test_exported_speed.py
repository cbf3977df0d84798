"""The table of speeds, and that a program which computes something else is not timed."""

import json

import numpy as np
import pytest
import torch

from benchmarks import exported_speed, torch_exported
from benchmarks.exported_speed import ESTIMATOR, SUBJECTS
from capf_jax.errors import UserError
from capf_jax.models.detectors.heatmaps import heatmaps_to_joints


def test_a_row_compares_the_best_of_the_others_with_the_estimator():
    times = {
        ESTIMATOR: [[0.008, 0.012], [0.009, 0.010]],
        'ONNX Runtime': [[0.018, 0.030], [0.019, 0.020]],
        'OpenVINO': [],
    }
    cells = exported_speed.row('lifter, batch 1', times)
    assert cells == ['lifter, batch 1', '10.0 (8.0)', '20.0 (18.0)', '', '2.00x']


def test_two_calls_pass_before_the_clock_runs():
    calls = []
    fastest, median = exported_speed.timed(lambda: calls.append(1), 0.0)
    assert len(calls) == 7
    assert 0 <= fastest <= median


def test_a_program_of_other_poses_is_refused(tmp_path, monkeypatch):
    manifest = {'inputs': [{'name': 'joints2d'}], 'parity': {'file': 'proof.npz'}}
    (tmp_path / 'lifter.json').write_text(json.dumps(manifest))
    ones = np.ones((5, 17, 3))
    np.savez(tmp_path / 'proof.npz', **{'inputs/joints2d': ones, 'outputs/pose': ones})
    monkeypatch.setattr(exported_speed, 'program', lambda *_: lambda inputs: [1.01 * inputs[0]])
    with pytest.raises(UserError, match='OpenVINO gives other pose than the proof'):
        exported_speed.measure('OpenVINO', SUBJECTS['lifter'], 7, tmp_path, 0.0)
    monkeypatch.setattr(exported_speed, 'program', lambda *_: lambda inputs: inputs)
    assert len(exported_speed.measure('OpenVINO', SUBJECTS['lifter'], 7, tmp_path, 0.0)) == 2


def test_joints_of_the_pytorch_program_are_ours():
    heatmaps = np.random.default_rng(0).random((3, 17, 8, 6), np.float32)
    joints, peaks = torch_exported._joints(torch.from_numpy(heatmaps))
    expected = heatmaps_to_joints(heatmaps.transpose(0, 2, 3, 1))
    np.testing.assert_allclose(joints, expected[0])
    np.testing.assert_allclose(peaks, expected[1])
