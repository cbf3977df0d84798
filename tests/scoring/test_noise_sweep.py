"""Noise on the 2D joints has the size that is asked for, and is scored for each size."""

import json

import jax
import numpy as np
import pytest

from capf_jax import evaluate
from capf_jax.pose import crops
from capf_jax.runtime import commands
from capf_jax.scoring import noise_sweep, poses
from tests import tiny


def turned(size=4):
    """Random people with crops that are turned, scaled and shifted, 2D input as the truth is."""
    affine = np.tile(np.array([[0.3, -0.1, 7], [0.1, 0.3, -9]], np.float32), (size, 1, 1))
    batch = tiny.batch(size)._replace(affine=affine)
    crop = crops.apply_affine(affine, batch.joints2d)
    return batch._replace(joints2d_crop=crop, joints2d_crop_truth=crop)


def test_no_noise_changes_nothing():
    batch = turned()
    noisy = noise_sweep.add_noise(batch, 0.0)
    np.testing.assert_array_equal(noisy.joints2d, batch.joints2d)
    np.testing.assert_array_equal(noisy.joints2d_crop, batch.joints2d_crop)


def test_image_and_crop_joints_move_together():
    batch = turned()
    noisy = noise_sweep.add_noise(batch, 5.0)
    expected = crops.apply_affine(batch.affine, np.asarray(noisy.joints2d))
    np.testing.assert_allclose(noisy.joints2d_crop, expected, atol=1e-3)
    assert np.abs(noisy.joints2d - batch.joints2d).min() > 0


def test_noise_has_the_standard_deviation_asked_for():
    batch = turned(200)
    moved = np.asarray(noise_sweep.add_noise(batch, 5.0).joints2d) - batch.joints2d
    assert moved.std() == pytest.approx(5, rel=0.05)
    assert moved.mean() == pytest.approx(0, abs=0.2)


def test_noise_belongs_to_the_sample_and_not_to_the_batch():
    batch = turned(6)
    part = jax.tree.map(lambda array: array[4:], batch)
    whole = noise_sweep.add_noise(batch, 2.0).joints2d
    np.testing.assert_array_equal(noise_sweep.add_noise(part, 2.0).joints2d, whole[4:])


def test_the_2d_error_is_in_pixels_of_the_whole_image():
    batch = turned()
    off = batch._replace(
        joints2d=batch.joints2d + np.float32([3, 4]) * (np.arange(17) < 1)[:, None]
    )
    np.testing.assert_allclose(poses.input_error_px(off), 5 / 17, atol=1e-3)


def test_the_command_writes_table_json_and_picture(evaluated_run, capsys):
    run = evaluated_run
    argv = ['evaluate', f'--workdir={run}', '--checkpoint=latest', '--noise=0,2,8']
    assert evaluate.main(argv) == 0
    name = 'evaluation_latest_test_noflip_noise'
    content = json.loads((run / f'{name}.json').read_text())
    errors = [row['input_2d_error_px'] for row in content['noise']]
    assert [row['sigma_px'] for row in content['noise']] == [0, 2, 8]
    assert errors[0] == pytest.approx(np.sqrt(0.5), abs=1e-3)  # as tiny_people's detections are
    assert errors[0] < errors[1] < errors[2]
    assert content['protocol']['noise_sigma_px'] == [0, 2, 8]
    assert (run / f'{name}.png').exists()
    assert 'noise [px]' in capsys.readouterr().out


def test_without_noise_the_sweep_scores_as_the_evaluation_does(evaluated_run, config):
    run = evaluate.open_run(evaluated_run, config, 'latest')
    (swept,) = run.sweep_noise([0.0]).values()
    np.testing.assert_allclose(swept.predictions, run.evaluate().predictions, atol=1e-6)


@pytest.mark.parametrize(
    ('flag', 'sentence'),
    [('--noise=1,two', 'no list of numbers'), ('--noise=-1', '--noise has -1')],
)
def test_a_sigma_that_is_none_is_named(evaluated_run, flag, sentence, capsys, monkeypatch):
    argv = ['evaluate', f'--workdir={evaluated_run}', '--checkpoint=latest', flag]
    monkeypatch.setattr('sys.argv', argv)
    with pytest.raises(SystemExit):
        commands.run(evaluate.main)
    assert sentence in capsys.readouterr().err
