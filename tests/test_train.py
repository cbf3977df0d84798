"""The command `capf_jax.train`: its files, interruptions, and how a run goes on."""

import argparse
import dataclasses
import json
import os
import re
import signal

import jax
import numpy as np
import pytest

from capf_jax import assembly, train, training_run
from capf_jax.inference import weight_files
from capf_jax.inference.weight_files import save_weights
from capf_jax.runtime import checkpoints, configuration, devices, run_folder
from capf_jax.runtime.checkpoints import Checkpoints
from capf_jax.tasks import optimizer
from data_pipeline import datasets, loader
from tests import evaluated, tiny
from tests.data_pipeline import tiny_people


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
    """Rendered people: 24 to train on, 6 to test on; 3 steps an epoch."""
    folder = tmp_path_factory.mktemp('data')
    datasets.open_or_build(tiny.config(folder).data, build=True)
    return folder


@pytest.fixture
def linear(monkeypatch, data_dir):
    """The tiny configuration with a task that compiles at once."""
    monkeypatch.setattr(assembly, 'make_task', tiny.linear_task)
    return tiny.config(data_dir)


def stop_at(monkeypatch, step, number=signal.SIGTERM):
    """Sends this process a signal while it takes the batch of `step`, counted from this call."""
    taken = loader.Batches.__next__
    count = 0

    def take(self):
        nonlocal count
        if self._length is None:  # batches of training, not of an evaluation
            count += 1
            if count == step:
                os.kill(os.getpid(), number)
        return taken(self)

    monkeypatch.setattr(loader.Batches, '__next__', take)


def assert_equal_bits(one, other):
    jax.tree.map(np.testing.assert_array_equal, devices.to_host(one), devices.to_host(other))


def log(workdir, part):
    lines = [json.loads(line) for line in (workdir / 'log.jsonl').read_text().splitlines()]
    return [line for line in lines if line['part'] == part]


def test_a_run_leaves_all_it_should(linear, tmp_path):
    outcome = train.train_and_evaluate(linear, tmp_path)
    assert (outcome.step, outcome.total_steps, outcome.signal) == (6, 6, None)
    assert [line['step'] for line in log(tmp_path, 'train')] == [1, 2, 3, 4, 5, 6]
    assert [line['step'] for line in log(tmp_path, 'test')] == [3, 6]
    assert run_folder.load(tmp_path).to_dict() == linear.to_dict()
    variables, metadata = weight_files.load_weights(tmp_path / 'lifter.safetensors')
    assert metadata['step'] == 6
    assert (metadata['kind'], metadata['name']) == ('ca_pf', 'ca_pf')
    assert metadata['config']['training']['epochs'] == 2
    np.testing.assert_array_equal(variables['lifter']['params']['w'], outcome.state.params['w'])
    with Checkpoints(tmp_path) as manager:
        scores = {line['step']: line['mpjpe'] for line in log(tmp_path, 'test')}
        assert manager.step() == 6
        assert manager.step('best') == min(scores, key=scores.get)
        assert manager.best_score == pytest.approx(min(scores.values()))


def test_averaged_weights_are_scored_and_written_beside_the_others(linear, tmp_path):
    linear.training.weight_average = 0.5
    outcome = train.train_and_evaluate(linear, tmp_path, profiled=range(2, 3))
    last = log(tmp_path, 'test')[-1]
    assert last['averaged_mpjpe'] != last['mpjpe']
    raw, averaged = (
        weight_files.load_weights(tmp_path / f'{name}.safetensors')[0]['lifter']['params']['w']
        for name in ('lifter', 'lifter_averaged')
    )
    np.testing.assert_array_equal(raw, outcome.state.params['w'])
    expected = optimizer.averaged_weights(outcome.state.opt_state)['w']
    np.testing.assert_array_equal(averaged, expected)
    assert list((tmp_path / 'profile').rglob('*.xplane.pb'))


@pytest.mark.parametrize(('step', 'number'), [(3, signal.SIGINT), (5, signal.SIGTERM)])
def test_a_signal_saves_and_the_rerun_ends_with_the_same_bits(
    linear, tmp_path, monkeypatch, step, number
):
    whole = train.train_and_evaluate(linear, tmp_path / 'whole')
    with monkeypatch.context() as patch:
        stop_at(patch, step, number)
        stopped = train.train_and_evaluate(linear, tmp_path / 'parts')
    assert stopped.signal == number
    assert 0 < stopped.step < 6
    resumed = train.train_and_evaluate(linear, tmp_path / 'parts')
    assert resumed.step == 6
    assert_equal_bits(whole.state, resumed.state)
    for part, key in (('train', 'loss'), ('test', 'mpjpe')):
        one, other = log(tmp_path / 'whole', part), log(tmp_path / 'parts', part)
        assert [(line['step'], line[key]) for line in one] == [
            (line['step'], line[key]) for line in other
        ]


def test_an_evaluation_that_a_signal_prevented_is_made_up_for(linear, tmp_path, monkeypatch):
    class StopAfterThree:
        signal = signal.SIGTERM

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def reached(self, step):
            return step == 3

    with monkeypatch.context() as patch:
        patch.setattr(training_run, 'StopRequest', StopAfterThree)
        assert train.train_and_evaluate(linear, tmp_path).step == 3
    assert not log(tmp_path, 'test')
    train.train_and_evaluate(linear, tmp_path)
    assert [line['step'] for line in log(tmp_path, 'test')] == [3, 6]


def test_a_finished_run_is_not_trained_further(linear, tmp_path):
    first = train.train_and_evaluate(linear, tmp_path)
    second = train.train_and_evaluate(linear, tmp_path)
    assert second.step == 6
    assert_equal_bits(first.state, second.state)


def test_the_message_of_a_stopped_run_says_how_to_go_on(linear, tmp_path, monkeypatch, capsys):
    arguments = configuration.Arguments(linear, tmp_path, '', argparse.Namespace(profile=''))
    monkeypatch.setattr(configuration, 'parse', lambda argv, parser, check: arguments)
    stop_at(monkeypatch, 3)
    assert train.main(['train']) == 128 + signal.SIGTERM
    assert 'the same command goes on from there' in capsys.readouterr().err


def test_a_loss_that_is_not_finite_stops_with_step_and_checkpoint(linear, tmp_path, monkeypatch):
    def task(config, steps_per_epoch=1):
        good = tiny.linear_task(config, steps_per_epoch)

        def train_step(state, batch):
            state, metrics = good.train_step(state, batch)
            broken = jax.numpy.where(state.step == 5, jax.numpy.nan, 1.0)
            return state, {'loss': metrics['loss'] * broken}

        return dataclasses.replace(good, train_step=train_step)

    monkeypatch.setattr(assembly, 'make_task', task)
    with pytest.raises(ValueError, match=r'loss is nan at step 5; .*checkpoints/latest/3'):
        train.train_and_evaluate(linear, tmp_path)
    with Checkpoints(tmp_path) as manager:
        assert manager.step() == 3


def test_a_full_disk_stops_with_the_older_checkpoint_whole(linear, tmp_path, monkeypatch):
    save = checkpoints.ocp.CheckpointManager.save

    def full(self, step, *args, **kwargs):
        if step == 6:
            raise OSError(28, 'No space left on device')
        return save(self, step, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.ocp.CheckpointManager, 'save', full)
        with pytest.raises(OSError, match=r'the disk is full; .*latest/3'):
            train.train_and_evaluate(linear, tmp_path)
    assert train.train_and_evaluate(linear, tmp_path).step == 6


def test_a_workdir_of_another_configuration_is_refused(linear, tmp_path):
    train.train_and_evaluate(linear, tmp_path)
    linear.training.learning_rate = 0.5
    with pytest.raises(ValueError, match=r'another configuration \(training\.learning_rate'):
        train.train_and_evaluate(linear, tmp_path)


def test_a_run_that_failed_before_its_first_checkpoint_may_be_mended(linear, tmp_path, monkeypatch):
    linear.training.learning_rate = 1e30
    with pytest.raises(ValueError, match='the last checkpoint is not yet written'):
        train.train_and_evaluate(linear, tmp_path)
    linear.training.learning_rate = 1e-3
    assert train.train_and_evaluate(linear, tmp_path).step == 6
    assert [line['step'] for line in log(tmp_path, 'train')] == [1, 2, 3, 4, 5, 6]


def test_an_indivisible_batch_is_refused_before_anything_is_made(linear, tmp_path, monkeypatch):
    monkeypatch.setattr(jax, 'device_count', lambda: 3)
    with pytest.raises(ValueError, match=r'training\.batch_size is 8, .* the 3 devices'):
        train.train_and_evaluate(linear, tmp_path / 'run')
    assert not (tmp_path / 'run').exists()


def test_a_test_split_that_is_missing_is_refused_before_anything_is_made(linear, tmp_path):
    linear.data.test_split = 'val'
    with pytest.raises(ValueError, match="no samples in split 'val'"):
        train.train_and_evaluate(linear, tmp_path / 'run')
    assert not (tmp_path / 'run').exists()


def test_skipped_test_images_are_counted_and_named_at_the_end(
    linear, tmp_path, capsys, monkeypatch
):
    tiny_people.add_to_data_pipeline(monkeypatch)
    tiny_people.build(tmp_path, cut=(2,))
    people = evaluated.tiny_config(tmp_path, cut=(2,))
    linear.data = people.data
    linear.data.bad_image = 'skip'
    train.train_and_evaluate(linear, tmp_path / 'run')
    end = capsys.readouterr().err.splitlines()[-2:]
    assert [line['skipped_images'] for line in log(tmp_path / 'run', 'test')] == [1, 1]
    assert end[1] == 'images skipped in evaluations, since they do not decode: 1'
    assert re.search(r"of split 'test' .*frame 2\) is cut short", end[0])


def test_an_unknown_task_is_named(data_dir, tmp_path):
    config = tiny.config(data_dir)
    config.task = 'liftr'
    with pytest.raises(ValueError, match="'liftr'; the nearest is 'lifter' of lifter, detector"):
        train.train_and_evaluate(config, tmp_path)


def test_the_lifter_resumes_bit_for_bit_and_its_detector_never_changes(
    data_dir, tmp_path, monkeypatch
):
    config = tiny.config(data_dir)  # flips and drop path are on
    task = assembly.make_task(config, 3)
    initial = devices.to_host(task.init(jax.random.PRNGKey(config.seed), tiny.batch()))
    task = dataclasses.replace(task, init=lambda key, batch: initial)
    # One task for all runs, so that its steps are compiled once.
    monkeypatch.setattr(assembly, 'make_task', lambda *_: task)
    whole = train.train_and_evaluate(config, tmp_path / 'whole')
    with monkeypatch.context() as patch:
        stop_at(patch, 2)
        assert train.train_and_evaluate(config, tmp_path / 'parts').signal
    resumed = train.train_and_evaluate(config, tmp_path / 'parts')
    assert_equal_bits(whole.state, resumed.state)
    assert_equal_bits(initial.frozen, whole.state.frozen)


def test_a_detector_is_trained_and_a_lifter_takes_its_weight_file(data_dir, tmp_path):
    config = tiny.config(data_dir, epochs=1, weight_type='float16')
    config.task = 'detector'
    outcome = train.train_and_evaluate(config, tmp_path)
    (line,) = log(tmp_path, 'test')
    with Checkpoints(tmp_path) as manager:
        assert manager.best_score == pytest.approx(line['error_px'])
    config.task = 'lifter'
    config.model.detector_weights = str(tmp_path / 'detector.safetensors')
    task = assembly.make_task(config)
    frozen = task.pretrained(task.init(jax.random.PRNGKey(1), tiny.batch())).frozen
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-6),
        devices.to_host(frozen['params']),
        devices.to_host(outcome.state.params),
    )


def test_a_run_goes_on_without_the_file_its_detector_came_from(data_dir, tmp_path, monkeypatch):
    config = tiny.config(data_dir)
    task = assembly.make_task(config)
    detector = task.init(jax.random.PRNGKey(3), tiny.batch()).frozen
    file = tmp_path / 'detector.safetensors'
    save_weights(file, devices.to_host(detector), {})
    config.model.detector_weights = str(file)
    with monkeypatch.context() as patch:
        stop_at(patch, 2)
        assert train.train_and_evaluate(config, tmp_path / 'run').signal
    file.unlink()
    outcome = train.train_and_evaluate(config, tmp_path / 'run')
    assert outcome.step == outcome.total_steps
    assert_equal_bits(devices.to_host(detector), outcome.state.frozen)
