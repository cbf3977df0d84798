"""Any file of a run folder may be damaged: commands go on, or say which and what to do.

Each case damages a copy of one finished run of 6 steps, whose checkpoints are latest/3, latest/6
and best/6.
"""

import json
import os
import pathlib
import shutil

import jax
import numpy as np
import pytest

from capf_jax import assembly, evaluate, train
from capf_jax.runtime import commands, devices
from capf_jax.runtime.checkpoints import Checkpoints
from data_pipeline import datasets
from tests import tiny


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """Folder of a dataset and of a run on it."""
    folder = tmp_path_factory.mktemp('damaged')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assembly, 'make_task', tiny.linear_task)
        config = tiny.config(folder / 'data')
        datasets.open_or_build(config.data, build=True)
        train.train_and_evaluate(config, folder / 'run')
    return folder


@pytest.fixture
def workdir(finished, tmp_path, monkeypatch):
    """A copy of the run."""
    monkeypatch.setattr(assembly, 'make_task', tiny.linear_task)
    return shutil.copytree(finished / 'run', tmp_path / 'run')


def arrays(workdir, name):
    """All files of a checkpoint's numbers."""
    folder = workdir / 'checkpoints' / name / 'default'
    return [path for path in folder.rglob('*') if path.is_file()]


def flip(path):
    """Changes one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def rewrite(name, content):
    def damage(workdir):
        (workdir / name).write_bytes(content)

    return damage


def cut(name):
    def damage(workdir):
        content = (workdir / name).read_bytes()
        (workdir / name).write_bytes(content[: len(content) // 2])

    return damage


def folder_at(name):
    def damage(workdir):
        (workdir / name).unlink()
        (workdir / name).mkdir()

    return damage


def pipe_at(name):
    def damage(workdir):
        (workdir / name).unlink()
        os.mkfifo(workdir / name)

    return damage


def link_at(name, target):
    def damage(workdir):
        (workdir / name).unlink()
        (workdir / name).symlink_to(target)

    return damage


def remove(name):
    def damage(workdir):
        path = workdir / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


def every_array(change):
    def damage(workdir):
        for path in arrays(workdir, 'latest/6'):
            change(path)

    return damage


def empty_latest(workdir):
    shutil.rmtree(workdir / 'checkpoints/latest/6')
    (workdir / 'checkpoints/latest/6').mkdir()


def step_99(workdir):
    (workdir / 'checkpoints/latest/99').mkdir()


def nan_weights(workdir):
    """A checkpoint that is whole and holds a NaN."""
    with Checkpoints(workdir) as checkpoints:
        batch = tiny.batch()
        task = tiny.linear_task(tiny.config())
        shapes = jax.eval_shape(task.init, jax.random.PRNGKey(0), batch)
        state = devices.to_host(checkpoints.restore(devices.abstract(shapes)))
        state = state.replace(params={'w': np.full_like(state.params['w'], np.nan)})
        shutil.rmtree(workdir / 'checkpoints/latest/6')
        checkpoints.save_latest(6, state)


DEEP = b'[' * 100_000
FALLS_BACK = {
    'no default': remove('checkpoints/latest/6/default'),
    'empty step folder': empty_latest,
    'step 99 is empty': step_99,
    'arrays are zeros': every_array(lambda path: path.write_bytes(bytes(path.stat().st_size))),
    'arrays are empty': every_array(lambda path: path.write_bytes(b'')),
    'arrays are cut': every_array(
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    ),
    'a bit is flipped': lambda workdir: flip(
        max(arrays(workdir, 'latest/6'), key=lambda path: path.stat().st_size)
    ),
    '_METADATA is a list': rewrite('checkpoints/latest/6/default/_METADATA', b'[1]'),
    '_METADATA is deep': rewrite('checkpoints/latest/6/default/_METADATA', DEEP),
    'the manifest is gone': remove('checkpoints/latest/6/default/manifest.ocdbt'),
    'NaN weights': nan_weights,
}
STILL_WHOLE = {
    '_CHECKPOINT_METADATA is empty': rewrite('checkpoints/latest/6/_CHECKPOINT_METADATA', b''),
    'checksums are damaged': rewrite('checkpoints/checksums.json', b'\xff'),
    'versions.json is cut': cut('versions.json'),
    'versions.json is zeros': rewrite('versions.json', bytes(100)),
    'versions.json is random': rewrite('versions.json', b'\xa7\x01\xde'),
    'versions.json is a list': rewrite('versions.json', b'[1,\n2]'),
    'versions.json is two lists': rewrite('versions.json', b'[1]\n[2]'),
    'versions.json is deep': rewrite('versions.json', DEEP),
    'versions.json is a folder': folder_at('versions.json'),
    'versions.json is gone': remove('versions.json'),
    'versions.json is a pipe': pipe_at('versions.json'),
    'versions.json is a loop': link_at('versions.json', 'versions.json'),
    'log.jsonl is a list': rewrite('log.jsonl', b'[1]\n[2]\n'),
    'log.jsonl is deep': rewrite('log.jsonl', DEEP),
    'log.jsonl is random': rewrite('log.jsonl', b'\xea\x00\xff'),
    'log.jsonl without step': rewrite('log.jsonl', b'{"part": "test"}\n'),
    'log.jsonl with a text as step': rewrite('log.jsonl', b'{"step": "6", "part": "test"}\n'),
    'log.jsonl with texts': rewrite('log.jsonl', b'{"step": 6, "part": "train", "loss": "x"}\n'),
    'log.jsonl is a folder': folder_at('log.jsonl'),
    'log.jsonl is gone': remove('log.jsonl'),
    'log.jsonl is a pipe': pipe_at('log.jsonl'),
    'log.jsonl is a loop': link_at('log.jsonl', 'log.jsonl'),
    'log.jsonl is /dev/null': link_at('log.jsonl', os.devnull),
    'checksums are a pipe': pipe_at('checkpoints/checksums.json'),
    'the score is zeros': rewrite('checkpoints/best/6/metrics/metrics', bytes(9)),
    'the score is gone': remove('checkpoints/best/6/metrics'),
    'the score is a text': rewrite('checkpoints/best/6/metrics/metrics', b'{"score": "low"}'),
}
NO_CONFIG = {
    'cut': cut('config.json'),
    'empty': rewrite('config.json', b''),
    'zeros': rewrite('config.json', bytes(100)),
    'random': rewrite('config.json', b'\xde\x01'),
    'two lists': rewrite('config.json', b'[1]\n[2]'),
    'a list': rewrite('config.json', b'[1, 2]'),
    'a number': rewrite('config.json', b'3'),
    'deep': rewrite('config.json', DEEP),
    'no fields': rewrite('config.json', b'{}'),
    'no model': lambda workdir: without(workdir, 'model'),
    'no task': lambda workdir: without(workdir, 'task'),
    'a section is a number': lambda workdir: without(workdir, 'training', training=3),
    'a folder': folder_at('config.json'),
    'a pipe': pipe_at('config.json'),
}


def without(workdir, name, **added):
    fields = json.loads((workdir / 'config.json').read_text())
    del fields[name]
    (workdir / 'config.json').write_text(json.dumps(fields | added))


def go_on(finished, workdir):
    return train.train_and_evaluate(tiny.config(finished / 'data'), workdir)


def run_evaluate(workdir, checkpoint='latest'):
    return evaluate.main(
        ['evaluate', f'--workdir={workdir}', f'--checkpoint={checkpoint}', '--pictures=0']
    )


@pytest.mark.parametrize('damage', FALLS_BACK.values(), ids=FALLS_BACK)
def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before_it(
    damage, finished, workdir, capfd
):
    damage(workdir)
    assert run_evaluate(workdir) == 0
    assert capfd.readouterr().err.startswith('WARNING: the checkpoint ')
    outcome = go_on(finished, workdir)
    assert outcome.step == 6
    error = capfd.readouterr().err
    assert 'is damaged (' in error
    assert 'Traceback' not in error
    steps = [json.loads(line)['step'] for line in (workdir / 'log.jsonl').read_text().splitlines()]
    assert steps == sorted(steps)
    assert max(steps) == 6
    go_on(finished, workdir)
    assert 'is damaged' not in capfd.readouterr().err


@pytest.mark.parametrize('damage', STILL_WHOLE.values(), ids=STILL_WHOLE)
def test_what_a_run_does_not_need_stops_neither_training_nor_evaluation(
    damage, finished, workdir, capfd
):
    damage(workdir)
    assert run_evaluate(workdir) == 0
    assert go_on(finished, workdir).step == 6
    assert 'Traceback' not in capfd.readouterr().err


@pytest.mark.parametrize('damage', NO_CONFIG.values(), ids=NO_CONFIG)
def test_a_damaged_configuration_is_one_sentence_whose_advice_works(damage, finished, workdir):
    damage(workdir)
    for command in (lambda: run_evaluate(workdir), lambda: go_on(finished, workdir)):
        with pytest.raises(ValueError, match=r'config\.json is damaged .*remove it and') as caught:
            command()
        assert commands.is_expected(caught.value)
        assert '\n' not in str(caught.value)
    remove('config.json')(workdir)
    assert go_on(finished, workdir).step == 6
    assert run_evaluate(workdir) == 0


def test_a_damaged_best_checkpoint_is_named_with_the_other_one(workdir):
    for path in arrays(workdir, 'best/6'):
        path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(ValueError, match=r'best/6 is damaged .*use --checkpoint=latest'):
        run_evaluate(workdir, 'best')
    assert run_evaluate(workdir, 'latest') == 0


def test_a_run_without_any_whole_checkpoint_is_one_sentence(finished, workdir):
    for folder in (workdir / 'checkpoints').glob('*/*/default'):
        shutil.rmtree(folder)
    with pytest.raises(ValueError, match=r'is damaged .*train again in another') as caught:
        go_on(finished, workdir)
    assert commands.is_expected(caught.value)


def test_a_checkpoint_of_another_model_is_told_apart_from_a_damaged_one(workdir):
    with Checkpoints(workdir) as checkpoints:
        task = tiny.linear_task(tiny.config())
        shapes = jax.eval_shape(task.init, jax.random.PRNGKey(0), tiny.batch())
        shapes = shapes.replace(params={'w': jax.ShapeDtypeStruct((3, 3), np.float32)})
        with pytest.raises(ValueError, match=r'of another model \(params\.w is \[34, 51\] there'):
            checkpoints.restore(devices.abstract(shapes))


def test_a_loop_of_links_is_one_sentence(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(assembly, 'make_task', tiny.linear_task)
    loop = tmp_path / 'loop'
    loop.symlink_to(loop)
    for command in (lambda: go_on(finished, pathlib.Path(loop)), lambda: run_evaluate(loop)):
        with pytest.raises((ValueError, OSError)) as caught:
            command()
        assert commands.is_expected(caught.value)
        assert os.fspath(loop) in commands.sentence(caught.value)
