"""A built MPI-INF-3DHP goes through training and evaluation."""

import json

from capf_jax import assembly, train
from tests import tiny
from tests.data_pipeline.datasets.mpi_inf_3dhp import raw_tree
from tests.data_pipeline.datasets.mpi_inf_3dhp.raw_tree import TrainSequence
from tests.data_pipeline.datasets.mpi_inf_3dhp.test_builder import build, config


def test_two_steps_and_an_evaluation(tmp_path, monkeypatch):
    TrainSequence('S1', frames=4).write(tmp_path)
    raw_tree.TS5.write(tmp_path)
    fields = {'subjects': ('S1', 'TS5'), 'height': tiny.HEIGHT, 'width': tiny.WIDTH}
    build(tmp_path, tmp_path / 'data', **fields)
    settings = tiny.config(batch_size=4, epochs=1)
    settings.skeleton = 'mpi_inf_3dhp17'
    data = config('', tmp_path / 'data', **fields)
    settings.data.update(name=data.name, dir=data.dir, joints2d='truth')
    with settings.unlocked():
        settings.data.builder = data.builder
    monkeypatch.setattr(assembly, 'make_task', tiny.linear_task)
    outcome = train.train_and_evaluate(settings, tmp_path / 'run')
    assert (outcome.step, outcome.total_steps) == (2, 2)
    lines = [json.loads(line) for line in (tmp_path / 'run' / 'log.jsonl').read_text().splitlines()]
    (tested,) = (line for line in lines if line['part'] == 'test')
    assert 0 < tested['mpjpe'] < 5000  # mm; joints are relative to the pelvis
