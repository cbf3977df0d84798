"""Evaluates a split: runs a step over every sample exactly once and makes a result of it."""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import numpy as np

from capf_jax.errors import UserError
from capf_jax.pose.batch import Array, Batch
from capf_jax.runtime import devices
from capf_jax.scoring.result import Result

# This process's share of a batch -> arrays of the whole batch: 'index' and 'valid' [B], what is
# predicted, and what a scorer compares it with.
PredictFn = Callable[[Batch], Mapping[str, Array]]
AHEAD = 2  # batches under way on the devices before the host waits for the oldest
R = TypeVar('R', bound=Result)  # the kind of result that a scorer makes
Labels = Mapping[str, np.ndarray]  # 'subject', 'action', 'sequence', 'camera', 'frame' -> [N]


@dataclasses.dataclass(frozen=True)
class Split:
    """A split of a built dataset, as an evaluation reads it.

    Attributes:
      labels: of all N samples.
      batches: begins one pass over this process's share of the split, every sample exactly once
        over all processes; an attribute `bad_images` names the images that did not decode.
      read: positions in the split -> a Batch of these samples.
      conditions: what there is to say of the data in a result's conditions.
    """

    labels: Labels
    batches: Callable[[], Iterable[Batch]]
    read: Callable[[np.ndarray], Batch]
    conditions: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Scorer(Generic[R]):
    """How predictions of one kind are scored.

    Attributes:
      truth: Batch -> arrays [B, ...] that predictions are compared with. Runs on the devices, since
        other processes hold other shares of a batch.
      result: (predictions and truth [N, ...], labels [N] and 'index', conditions) -> Result.
    """

    truth: Callable[[Batch], dict[str, Array]]
    result: Callable[[Mapping[str, np.ndarray], Labels, Mapping[str, Any]], R]


def evaluate_split(
    predict_fn: PredictFn,
    split: Split,
    scorer: Scorer[R],
    conditions: Mapping[str, Any] | None = None,
) -> R:
    """Errors over a whole split, every sample exactly once, however many processes share the work.

    Args:
      predict_fn: see `PredictFn`; `with_truth` makes one of a function that only predicts.
      split: what is read.
      scorer: makes the result.
      conditions: what to add to the result's conditions, for example the checkpoint.

    Raises:
      UserError: no image could be read, a prediction is not finite, labels are inconsistent, or
        the protocol is for other joints.
    """
    batches = split.batches()
    outputs, present = _collect(predict_fn, batches, len(split.labels['frame']))
    labels = {name: values[present] for name, values in split.labels.items()}
    labels['index'] = np.flatnonzero(present)
    bad_images = tuple(getattr(batches, 'bad_images', ()))
    everything = {
        **split.conditions,
        'skipped_images': int((~present).sum()),
        **({'skipped': bad_images} if bad_images else {}),
        **(conditions or {}),
    }
    return scorer.result(outputs, labels, everything)


def evaluate_step(
    step: Callable[[Any, Batch], dict[str, Array]],
    state: Any,
    split: Split,
    scorer: Scorer[R],
    conditions: Mapping[str, Any] | None = None,
) -> R:
    """`evaluate_split` of an evaluation step, on all devices; `state` stays usable."""
    on_devices = devices.eval_step(step_with_truth(step, scorer))
    return evaluate_split(lambda batch: on_devices(state, batch), split, scorer, conditions)


@functools.lru_cache(maxsize=8)  # one function a step, so that it is compiled once
def step_with_truth(
    step: Callable[[Any, Batch], dict[str, Array]], scorer: Scorer
) -> Callable[[Any, Batch], dict[str, Array]]:
    """The step, giving the truth beside its outputs."""

    def run(state: Any, batch: Batch) -> dict[str, Array]:
        return {**scorer.truth(batch), **step(state, batch)}

    return run


def with_truth(predict_fn: PredictFn, scorer: Scorer) -> PredictFn:
    """The predictor, giving the truth beside its predictions; for one process alone."""
    return lambda batch: {**scorer.truth(batch), **predict_fn(batch)}


def _collect(
    predict_fn: PredictFn, batches: Iterable[Batch], number: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Outputs of all valid samples in the order of the split, and which of [N] these are."""
    collected: dict[str, np.ndarray] = {}
    present = np.zeros(number, bool)
    for outputs in _ahead(predict_fn, batches):
        valid = np.asarray(outputs.pop('valid'), bool)
        index = np.asarray(outputs.pop('index'))[valid]
        if present[index].any() or len(set(index.tolist())) < len(index):
            raise UserError('a sample of the split came twice; build the dataset again')
        present[index] = True
        for name, output in outputs.items():
            values = np.asarray(output)[valid]
            if name not in collected:
                collected[name] = np.zeros((number, *values.shape[1:]), values.dtype)
            collected[name][index] = values
    return {name: values[present] for name, values in collected.items()}, present


def _ahead(predict_fn: PredictFn, batches: Iterable[Batch]) -> Iterator[dict[str, Any]]:
    """What the predictor gives for each batch; devices work on the next batches meanwhile."""
    under_way: collections.deque[dict[str, Any]] = collections.deque()
    for batch in batches:
        under_way.append(dict(predict_fn(batch)))
        if len(under_way) > AHEAD:
            yield under_way.popleft()
    yield from under_way
