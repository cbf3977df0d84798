"""The command `capf_jax.evaluate` and the evaluation that it runs."""

import json

import numpy as np
import pytest

from capf_jax import assembly, data_assembly, evaluate
from capf_jax.pose import metrics, skeletons
from capf_jax.runtime import commands
from capf_jax.scoring import evaluation, joints2d, mean_pose, poses
from data_pipeline import loader
from tests import evaluated
from tests.data_pipeline import tiny_people


def score_poses(predict, builder, config):
    """The result of a predictor of poses on the test split."""
    scorer = poses.pose_scorer(assembly.protocol(config), skeletons.get(config.skeleton))
    split = data_assembly.open_split(builder, config)
    return evaluation.evaluate_split(evaluation.with_truth(predict, scorer), split, scorer)


def off_by(millimetres):
    """A predictor that puts every joint of sample i `millimetres` times i beside the truth."""

    def predict(batch):
        shift = millimetres / 1000 * batch.index[:, None, None] * np.array([1, 0, 0])
        return {'pose': batch.joints3d + shift, 'valid': batch.valid, 'index': batch.index}

    return predict


def test_every_sample_is_counted_once_and_padding_never(builder, config):
    result = score_poses(off_by(10), builder, config)
    np.testing.assert_allclose(result.errors['mpjpe'], 10.0 * np.arange(7), atol=1e-3)


def test_an_image_that_does_not_decode_is_left_out_and_said(tmp_path, monkeypatch):
    tiny_people.add_to_data_pipeline(monkeypatch)
    config = evaluated.tiny_config(tmp_path, cut=(2,))
    config.data.bad_image = 'skip'
    result = score_poses(off_by(10), tiny_people.build(tmp_path, cut=(2,)), config)
    assert (result.conditions['samples'], result.conditions['skipped_images']) == (6, 1)
    assert set(result.labels['frame']) == {0, 1, 3, 4, 5, 6}


def test_a_sample_that_comes_twice_is_an_error(builder, config):
    def predict(batch):
        return off_by(0)(batch) | {'index': np.zeros_like(batch.index)}

    with pytest.raises(ValueError, match='came twice'):
        score_poses(predict, builder, config)


def test_velocity_errors_stay_inside_one_subjects_video(builder, config):
    # Frames of the tiny sequence belong to two subjects in turn, so that none follows another.
    errors = score_poses(off_by(10), builder, config).errors
    assert 'mpjve' not in errors


def test_a_detector_is_scored_in_2d(builder, config):
    def predict(batch):
        joints = batch.joints2d_crop_truth + np.array([4, 0])  # 2 px of an image 100 px wide
        return {'joints2d_crop': joints, 'valid': batch.valid, 'index': batch.index}

    scorer = joints2d.joints_scorer(skeletons.get(config.skeleton))
    split = data_assembly.open_split(builder, config)
    result = evaluation.evaluate_split(evaluation.with_truth(predict, scorer), split, scorer)
    assert result.score == pytest.approx(20, abs=1e-3)


def test_the_mean_pose_is_that_of_the_training_split(builder, config):
    train = np.concatenate(
        [
            batch.joints3d[batch.valid]
            for batch in loader.evaluation_batches(builder, config, split='train')
        ]
    )
    splits = (data_assembly.open_split(builder, config, name) for name in ('train', 'test'))
    result = mean_pose.evaluate_mean_pose(
        *splits, assembly.protocol(config), skeletons.get(config.skeleton)
    )
    expected = metrics.mpjpe(np.repeat(train.mean(0)[None], 7, 0), result.targets).mean()
    assert result.score == pytest.approx(1000 * expected, rel=1e-5)


def test_a_runs_evaluation_equals_the_step_on_the_whole_split(evaluated_run, builder, config):
    run = evaluate.open_run(evaluated_run, config, 'latest')
    batch = next(loader.evaluation_batches(builder, config))
    pose = run.task.eval_step(run.state, batch)['pose']
    result = run.evaluate()
    np.testing.assert_allclose(result.predictions[: len(pose)], pose[:7], atol=1e-6)


def test_the_command_writes_a_report_that_names_its_protocol(evaluated_run, capsys):
    code = evaluate.main(
        ['evaluate', f'--workdir={evaluated_run}', '--checkpoint=latest', '--flip_test']
    )
    content = json.loads((evaluated_run / 'evaluation_latest_test_flip.json').read_text())
    protocol = content['protocol']
    assert code == 0
    assert (protocol['checkpoint_step'], protocol['flip_test'], protocol['samples']) == (3, True, 7)
    assert protocol['trained_with'] == '--config=configs/tiny.py:step=0'
    assert {'joints2d', 'box_source', 'averaging', 'joints', 'versions'} <= protocol.keys()
    assert f'{content["mean_over_frames"]["mpjpe"]:.1f}' in capsys.readouterr().out


def test_the_command_draws_people(evaluated_run):
    evaluate.main(['evaluate', f'--workdir={evaluated_run}', '--checkpoint=latest', '--pictures=2'])
    assert [path.name for path in (evaluated_run / 'pictures').iterdir()] == ['people.png']


def test_a_split_may_be_part_of_one(evaluated_run):
    evaluate.main(
        [
            'evaluate',
            f'--workdir={evaluated_run}',
            '--checkpoint=latest',
            '--split=train[:3]',
            '--pictures=0',
        ]
    )
    content = json.loads((evaluated_run / 'evaluation_latest_train__3__noflip.json').read_text())
    assert content['protocol']['samples'] == 3


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        ([], '--workdir is missing'),
        (['--workdir=/nowhere'], 'no run in /nowhere'),
        (['--workdir={evaluated_run}'], "no checkpoint 'best'; use --checkpoint=latest"),
        (['--workdir={evaluated_run}', '--checkpoint=newest'], 'newest'),
        (['--workdir={evaluated_run}', '--chekpoint=best'], "unknown argument '--chekpoint=best'"),
        (['--workdir={evaluated_run}', '--split=dev', '--checkpoint=latest'], "split 'dev'"),
        (['--workdir={evaluated_run}', '--data_dir=/nowhere', '--checkpoint=latest'], 'no dataset'),
        (['--workdir={evaluated_run}', '--pictures=many'], 'pictures'),
        (['--mean_pose'], 'config'),
        (['--mean_pose', '--distributed'], '--mean_pose is work for one process'),
        (['--predictions=x.npz', '--distributed'], 'leave out --distributed'),
    ],
)
def test_a_wrong_command_is_one_sentence_and_code_2(
    evaluated_run, arguments, sentence, capsys, monkeypatch
):
    argv = ['evaluate', *(argument.format(evaluated_run=evaluated_run) for argument in arguments)]
    monkeypatch.setattr('sys.argv', argv)
    with pytest.raises(SystemExit) as stopped:
        commands.run(evaluate.main)
    error = capsys.readouterr().err
    assert stopped.value.code == 2
    assert error.count('\n') == 1
    assert sentence in error
