"""Two steps of training and an evaluation on a tiny Human3.6M."""

import json

import jax
import numpy as np
import pytest

from capf_jax import assembly, evaluate, train
from tests import tiny
from tests.data_pipeline.datasets.human36m import raw_tree


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    source, data = tmp_path_factory.mktemp('source'), tmp_path_factory.mktemp('data')
    raw_tree.write(source, 'npz')
    config = tiny.config(data, epochs=1, batch_size=14)  # 28 people: two steps
    config.data.name = 'human36m'
    with config.data.unlocked():
        config.data.builder = {
            'source': str(source),
            'height': tiny.HEIGHT,
            'width': tiny.WIDTH,
            'processes': 1,
            **raw_tree.SUBSET,
        }
    return config


def test_it_trains_and_is_scored_by_action(config, tmp_path, monkeypatch):
    monkeypatch.setattr(assembly, 'make_task', tiny.linear_task)
    outcome = train.train_and_evaluate(config, tmp_path)
    assert outcome.step == 2
    lines = [json.loads(line) for line in (tmp_path / 'log.jsonl').read_text().splitlines()]
    scores = [line for line in lines if line['part'] == 'test']
    assert np.isfinite(scores[0]['mpjpe'])
    result = evaluate.open_run(tmp_path, config, 'latest').evaluate()
    assert set(result.labels['action'].tolist()) == {'TakingPhoto', 'Walking'}
    assert len(result.labels['frame']) == 28


@pytest.mark.slow  # other tests train the same task on smaller pictures
def test_the_whole_model_learns_from_it(config, tmp_path):
    config = config.copy_and_resolve_references()
    config.model.lifter.ablation_step = 3  # deformable context extraction and all that follows
    outcome = train.train_and_evaluate(config, tmp_path)
    assert outcome.step == 2
    lines = [json.loads(line) for line in (tmp_path / 'log.jsonl').read_text().splitlines()]
    (tested,) = (line for line in lines if line['part'] == 'test')
    assert 0 < tested['mpjpe'] < 5000  # mm
    flat = jax.tree_util.tree_leaves_with_path(outcome.state.params)
    offsets = [
        value for path, value in flat if "'sampling_offsets'" in str(path) and 'kernel' in str(path)
    ]
    assert offsets
    for kernel in offsets:  # they start at zero: the loss reached them through the maps
        assert np.abs(kernel).max() > 0
