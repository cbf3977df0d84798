"""Exports of published models, in small: one row, its table, and what the exit code says."""

import json

import numpy as np
import pytest

from benchmarks import exports
from capf_jax.errors import UserError
from capf_jax.models.poseformer import PoseFormer
from tests import tiny
from tests.inference.test_estimator import filled, save


@pytest.fixture(scope='module')
def row(tmp_path_factory):
    """Of a small PoseFormer."""
    path = tmp_path_factory.mktemp('weights') / 'poseformer.safetensors'
    fields = {'frames': 3, 'channels': 8, 'layers': 1, 'heads': 2}
    tensors = filled(PoseFormer(**fields).init, np.zeros((1, 3, tiny.JOINTS, 2), np.float32))
    save(path, 'poseformer', tensors, tiny.config(), model=fields)
    return exports.row_of('poseformer_9f', path, 'stablehlo')


def test_a_row_holds_size_differences_and_times(row):
    assert row['bytes'] > 10_000
    assert list(row['differences']) == ['pose']
    off, allowed = row['differences']['pose']
    assert 0 <= off <= allowed == 1e-4
    assert 0 < row['call_seconds'] < row['export_seconds']


def test_rows_that_are_there_are_not_made_again(row, tmp_path, capsys):
    path = tmp_path / 'poseformer_9f_stablehlo.json'
    arguments = ['exports', 'poseformer_9f', '--format=stablehlo', f'--out={tmp_path}']
    path.write_text(json.dumps(row))
    assert exports.main(arguments) == 0
    assert f'| {row["bytes"] / 1e6:.1f} ' in capsys.readouterr().out
    far = {'pose': [1e-3, 1e-4], 'joints': [5e-3, 1e-2]}
    path.write_text(json.dumps({**row, 'differences': far}))
    assert exports.main(arguments) == 1
    assert 'pose 1.0e-03 of 1e-04' in capsys.readouterr().out


def test_an_unknown_file_names_the_nearest(tmp_path):
    with pytest.raises(UserError, match="NAME is 'poseformer_8f'; the nearest is 'poseformer_"):
        exports.main(['exports', 'poseformer_8f', f'--out={tmp_path}'])
