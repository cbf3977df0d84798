"""Steps give the same result on any number of devices."""

import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from capf_jax.runtime import devices
from tests import tiny

# Trains the real lifter three steps on the same batches and prints what must not depend on the
# number of devices; drop path, which alone is drawn for each device, is off.
PROGRAM = """
import sys
import jax, numpy as np
from capf_jax.runtime import devices
from capf_jax import assembly
from capf_jax.runtime.checkpoints import Checkpoints
from tests import tiny
config = tiny.config(flip_probability=0.5)
config.model.lifter.update(ablation_step=0, drop_path=0.0)
task = assembly.make_task(config)
state = devices.replicate(task.init(jax.random.PRNGKey(0), tiny.batch()))
step = devices.train_step(task.train_step)
with Checkpoints(sys.argv[1]) as checkpoints:
    for seed in range(3):
        if seed == 1 and checkpoints.step() is None:
            checkpoints.save_latest(1, state)
        elif seed == 1:  # go on from what a run on another number of devices has saved
            state = checkpoints.restore(devices.abstract(state))
        state, metrics = step(state, devices.shard(tiny.batch(8, seed)))
        print('loss', float(metrics['loss']))
outputs = devices.eval_step(task.eval_step)(state, tiny.batch(8))
print('devices', jax.device_count(), 'pose', outputs['pose'].shape, 'index', outputs['index'])
print('mean', float(np.abs(outputs['pose']).mean()))
try:
    devices.check_batch_size(3, 'training.batch_size')
    devices.shard(tiny.batch(3))
except ValueError as error:
    print('error', error)
"""


@pytest.fixture(scope='module')
def outputs(tmp_path_factory):
    """Lines printed with 1 device, and with 2 that go on from the first one's checkpoint."""
    lines, workdir = {}, str(tmp_path_factory.mktemp('run'))
    for count in (1, 2):
        environment = {
            **os.environ,
            'XLA_FLAGS': ' '.join(
                [os.environ['XLA_FLAGS'], f'--xla_force_host_platform_device_count={count}']
            ),
            'JAX_PLATFORMS': 'cpu',
        }
        command = [
            sys.executable,
            '-W',
            'error::DeprecationWarning:capf_jax',
            '-c',
            PROGRAM,
            workdir,
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, check=False, timeout=300
        )
        assert done.returncode == 0, done.stderr
        lines[count] = done.stdout.splitlines()
    return lines


def numbers(lines, name):
    return [float(line.split()[1]) for line in lines if line.startswith(name)]


def test_two_devices_give_the_losses_of_one_and_go_on_from_its_checkpoint(outputs):
    assert len(numbers(outputs[2], 'loss')) == 3
    np.testing.assert_allclose(numbers(outputs[1], 'loss'), numbers(outputs[2], 'loss'), rtol=2e-5)


def test_evaluation_gathers_the_whole_batch_in_order(outputs):
    gathered = [line for line in outputs[2] if line.startswith('devices')]
    assert gathered == ['devices 2 pose (8, 17, 3) index [0 1 2 3 4 5 6 7]']
    np.testing.assert_allclose(numbers(outputs[1], 'mean'), numbers(outputs[2], 'mean'), rtol=1e-4)


def test_an_indivisible_batch_names_both_numbers(outputs):
    (error,) = [line for line in outputs[2] if line.startswith('error')]
    assert 'training.batch_size is 3, which does not divide by the 2 devices' in error
    assert not [line for line in outputs[1] if line.startswith('error')]


def test_a_share_that_does_not_divide_is_refused(monkeypatch):
    monkeypatch.setattr(devices, '_devices', lambda: jax.local_devices() * 2)
    with pytest.raises(ValueError, match='batch of 3 samples does not divide by the 2 devices'):
        devices.shard(tiny.batch(3))


def test_prefetch_gives_every_batch_once_and_in_order():
    order = [int(np.asarray(b.index).ravel()[0]) for b in devices.prefetch(batches(5))]
    assert order == [0, 1, 2, 3, 4]


def test_prefetch_is_ahead_of_its_user():
    taken = []

    def watched():
        for number, batch in enumerate(batches(5)):
            taken.append(number)
            yield batch

    next(devices.prefetch(watched(), ahead=2))
    assert taken == [0, 1]


def batches(number):
    for first in range(number):
        batch = tiny.batch(2)
        yield batch._replace(index=batch.index + first)


def test_replicated_arrays_can_be_donated_without_harm_to_the_original():
    host = {'x': np.ones(3, np.float32)}
    step = devices.train_step(lambda state, batch: ({'x': state['x'] + 1}, {}))
    state, _ = step(devices.replicate(host), devices.shard(tiny.batch(2)))
    np.testing.assert_array_equal(state['x'], [2, 2, 2])
    np.testing.assert_array_equal(host['x'], [1, 1, 1])


def test_a_step_is_wrapped_once_so_that_it_is_compiled_once():
    def step(state, batch):
        return {'valid': batch.valid}

    assert devices.eval_step(step) is devices.eval_step(step)
