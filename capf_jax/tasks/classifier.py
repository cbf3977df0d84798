"""The task 'classifier': a detector's network learns to tell action labels of people apart.

Such weights are what networks that learnt from ImageNet stand for in the paper's Table 5: they have
seen the same pictures as a 2D detector, and no joints.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from capf_jax.errors import UserError
from capf_jax.inference import start_weights
from capf_jax.inference.detector_weights import load_detector
from capf_jax.models import cost
from capf_jax.models.detectors.catalog import DetectorEntry, normalise_images
from capf_jax.models.detectors.classifier import ClassHead
from capf_jax.models.detectors.initial import random_variables
from capf_jax.pose.batch import AXIS, Array, Batch
from capf_jax.pose.skeletons import Skeleton
from capf_jax.scoring.classes import classes_scorer
from capf_jax.tasks.augmentation import augmented
from capf_jax.tasks.task import Task, TrainState, mean_over_valid, new_state

NETWORK, HEAD = 'detector', 'classifier'  # parts of the parameters and of the weight file


def classifier_task(
    model: nn.Module,
    entry: DetectorEntry,
    optimizer: optax.GradientTransformation,
    joint_set: Skeleton,
    classes: tuple[str, ...],
    detection: ConfigDict,
    *,
    flip_probability: float = 0.5,
    detector_file: str = '',
    start_file: str = '',
) -> Task:
    """Training of a detector's network as a classifier, by cross-entropy.

    `train_step` gives the metrics 'loss', 'gradient_norm' and 'wrong_percent', the share of the
    augmented crops taken for another class. `eval_step` gives 'logits' [B, K].

    Args:
      model: the network without a heatmap head; its BatchNorms take the mean over the axis `AXIS`.
      entry: what the catalog says of it.
      optimizer: of all parameters.
      joint_set: the joints of the dataset, which are not looked at.
      classes: the K action labels.
      detection: `config.detection`, of which the augmentation is taken.
      flip_probability: chance that a training sample is mirrored.
      detector_file: weight file of the network to start from; '' starts from random weights.
      start_file: weight file that holds the network, which goes before it.

    Raises:
      UserError: there are fewer than two classes.
    """
    if len(classes) < 2:
        raise UserError(
            f'config.data.classes is {classes}, and a classifier tells at least two apart: list '
            "the dataset's action labels"
        )
    head = ClassHead(len(classes))

    def init(key: Array, batch: Batch) -> TrainState:
        del batch  # A network of the catalog is begun with crops of its own size.
        key_model, key_steps = jax.random.split(key)
        variables = random_variables(model, key_model, entry.crop)
        maps = [jnp.zeros((1, 1, 1, channels)) for channels in entry.channels]
        params = {
            NETWORK: variables['params'],
            HEAD: head.init(key_model, maps)['params'],  # zeros, whatever the key
        }
        batch_stats = variables.get('batch_stats', {})
        return new_state(optimizer, key_steps, params, batch_stats=batch_stats)

    def network_of(state: TrainState, params: Any) -> dict[str, Any]:
        return {'params': params[NETWORK], 'batch_stats': state.batch_stats}

    def weights(state: TrainState) -> dict[str, Any]:
        return {
            NETWORK: network_of(state, state.params),
            HEAD: {'params': state.params[HEAD]},
        }

    def loaded(variables: Mapping[str, Any]) -> TrainState:
        """See `Task.loaded`."""
        params = {name: variables[name]['params'] for name in (NETWORK, HEAD)}
        batch_stats = variables[NETWORK].get('batch_stats', {})
        key = jax.random.PRNGKey(0)
        return new_state(optax.identity(), key, params, batch_stats=batch_stats)

    def pretrained(state: TrainState) -> TrainState:
        shapes = network_of(state, state.params)
        if start_file:
            start = start_weights.read(start_file)
            start.taken('detector')
            network = start.detector(shapes, '', entry.name)
        elif detector_file:
            network = load_detector(detector_file, shapes, name=entry.name)
        else:
            return state
        params = {**state.params, NETWORK: network['params']}
        return state.replace(params=params, batch_stats=network.get('batch_stats', {}))

    def train_step(state: TrainState, batch: Batch) -> tuple[TrainState, dict[str, Array]]:
        images, _ = augmented(state, batch, joint_set, detection, flip_probability)

        def loss_share(params: Any) -> tuple[Array, Any]:
            output, changes = model.apply(
                network_of(state, params),
                normalise_images(images, entry),
                train=True,
                mutable=['batch_stats'],
            )
            logits = cast(Array, head.apply({'params': params[HEAD]}, output.maps))
            assert batch.label is not None  # the reader gives them where there are classes
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, batch.label)
            return mean_over_valid(losses, batch.valid), (logits, changes.get('batch_stats', {}))

        (loss, (logits, batch_stats)), gradients = jax.value_and_grad(loss_share, has_aux=True)(
            state.params
        )
        wrong = mean_over_valid(100.0 * (jnp.argmax(logits, -1) != batch.label), batch.valid)
        loss, wrong, gradients = jax.lax.psum((loss, wrong, gradients), AXIS)
        metrics = {
            'loss': loss,
            'gradient_norm': optax.tree.norm(gradients),
            'wrong_percent': wrong,
        }
        return state.apply_gradients(optimizer, gradients, batch_stats=batch_stats), metrics

    def eval_step(state: TrainState, batch: Batch) -> dict[str, Array]:
        images = normalise_images(batch.images, entry)
        output = cast(Any, model.apply(network_of(state, state.params), images))
        logits = head.apply({'params': state.params[HEAD]}, output.maps)
        return {'logits': cast(Array, logits), 'valid': batch.valid, 'index': batch.index}

    return Task(
        name='classifier',
        init=init,
        pretrained=pretrained,
        train_step=train_step,
        eval_step=eval_step,
        scorer=classes_scorer(classes),
        weights=weights,
        loaded=loaded,
        weight_metadata={'kind': 'classifier', 'name': entry.name, 'classes': list(classes)},
        costs=lambda crop: {'detector': cost.detector_cost(model, crop)},
    )
