"""Classifier training: steps learn from labels, and its weights serve a lifter."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax import assembly
from capf_jax.inference import start_weights
from capf_jax.inference.detector_weights import load_detector
from capf_jax.inference.weight_files import save_weights
from capf_jax.models.detectors import catalog
from capf_jax.models.detectors.classifier import ClassHead
from capf_jax.models.detectors.convolutions import ConvNorm
from capf_jax.models.detectors.detection import Detection
from capf_jax.pose import skeletons
from capf_jax.pose.batch import AXIS
from capf_jax.runtime import devices
from capf_jax.scoring.classes import classes_scorer
from capf_jax.tasks.classifier import classifier_task
from capf_jax.tasks.optimizer import make_optimizer
from tests import tiny

CLASSES = ('left', 'middle', 'right')
ENTRY = dataclasses.replace(
    catalog.get('hrnet'), channels=(4, 8), strides=(4, 8), heatmaps=None, decode=None
)


class Network(nn.Module):
    """Two convolutions, which compile at once, in place of a network of the catalog."""

    @nn.compact
    def __call__(self, images, *, train=False):
        fine = nn.relu(ConvNorm(4, stride=4, axis_name=AXIS, name='fine')(images, train))
        coarse = ConvNorm(8, stride=2, axis_name=AXIS, name='coarse')(fine, train)
        return Detection((fine, coarse), None)


def people():
    """Two people of different classes; one can be told from the other by the picture."""
    return tiny.batch(2)._replace(label=np.array([2, 0], np.int32))


@pytest.fixture(scope='module')
def trained():
    """A task, its state before and after 12 steps on one batch, and the metrics."""
    config = tiny.config(learning_rate=3e-2, weight_decay=0.0)
    task = classifier_task(
        Network(),
        ENTRY,
        make_optimizer(config.training, steps_per_epoch=100),
        skeletons.get(config.skeleton),
        CLASSES,
        config.detection,
    )
    before = task.init(jax.random.PRNGKey(0), people())
    step, state = devices.train_step(task.train_step), devices.replicate(before)
    history = []
    for _ in range(12):
        state, metrics = step(state, devices.shard(people()))
        history.append(jax.tree.map(float, metrics))
    return task, before, devices.to_host(state), history


def test_loss_begins_with_all_classes_alike_and_falls(trained):
    *_, history = trained
    assert history[0]['loss'] == pytest.approx(np.log(3), rel=1e-5)
    assert history[-1]['loss'] < 0.7 * history[0]['loss']
    assert history[-1]['wrong_percent'] == 0


def test_every_part_that_makes_a_map_learns(trained):
    _, before, after, _ = trained
    same = jax.tree.map(np.array_equal, before.params, after.params)
    assert not any(jax.tree.leaves(same))


def test_a_lifter_takes_the_network_and_a_detector_with_heatmaps_does_not(trained, tmp_path):
    task, _, state, _ = trained
    path = str(tmp_path / 'classifier.safetensors')
    metadata = {'skeleton': 'h36m17', 'model': tiny.config().model.to_dict()}
    save_weights(path, task.weights(state), {**metadata, **task.weight_metadata})
    shapes = task.weights(state)['detector']
    loaded = load_detector(path, shapes, name='hrnet')
    jax.tree.map(np.testing.assert_array_equal, loaded['params'], state.params['detector'])
    with pytest.raises(ValueError, match='has no heatmaps: set config'):
        load_detector(path, {'params': {**shapes['params'], 'head': {}}}, name='hrnet')

    start = start_weights.read(path)
    start.check(task.weights(state))
    again = task.loaded(start.variables)
    step = jax.jit(task.eval_step)
    np.testing.assert_array_equal(step(state, people())['logits'], step(again, people())['logits'])


def test_the_head_sees_the_mean_of_every_map():
    maps = [jnp.arange(8.0).reshape(1, 2, 2, 2), jnp.full((1, 1, 1, 1), 5.0)]
    params = {'dense': {'kernel': jnp.eye(3), 'bias': jnp.array([0.0, 0.0, 1.0])}}
    logits: Any = ClassHead(3).apply({'params': params}, maps)
    np.testing.assert_allclose(logits, [[3.0, 4.0, 6.0]])


def test_wrong_people_are_counted_beside_what_a_guess_gives():
    outputs = {
        'logits': np.array([[2.0, 1, 0], [0, 1, 0], [0, 1, 3], [9, 1, 0]]),
        'label': np.array([0, 1, 2, 1]),
    }
    result = classes_scorer(CLASSES).result(outputs, {}, {})
    assert result.scores == {'wrong_percent': 25.0, 'most_frequent_wrong_percent': 50.0}
    assert result.score == 25.0
    assert 'middle' in result.table()


def test_one_class_is_refused():
    config = tiny.config()
    config.task, config.data.classes = 'classifier', ('standing',)
    with pytest.raises(ValueError, match=r"data\.classes is \('standing',\)"):
        assembly.make_task(config)
