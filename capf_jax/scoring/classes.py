"""The result of evaluating a classifier: how many people were taken for another class."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from capf_jax.errors import UserError
from capf_jax.pose.batch import Array, Batch
from capf_jax.scoring import tables
from capf_jax.scoring.evaluation import Scorer
from capf_jax.scoring.result import Result


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassesResult(Result):
    """Predicted and true classes of N samples, each counted once.

    Attributes:
      predicted, truth: [N] places among the classes.
      classes: K names.
    """

    predicted: Int[np.ndarray, ' N']
    truth: Int[np.ndarray, ' N']
    classes: tuple[str, ...]

    @property
    def score(self) -> float:
        """Share of samples taken for another class, percent."""
        return self.scores['wrong_percent']

    @functools.cached_property
    def scores(self) -> dict[str, float]:
        """The share of wrong samples (percent), and that of calling all by the most frequent."""
        most_frequent = np.bincount(self.truth).max() / len(self.truth)
        return {
            'wrong_percent': float(100 * np.mean(self.predicted != self.truth)),
            'most_frequent_wrong_percent': float(100 * (1 - most_frequent)),
        }

    def table(self, group: str | None = None, form: str = 'text') -> str:
        """Samples and wrong ones by class; `group` is not looked at."""
        del group
        wrong = self.predicted != self.truth
        rows: list[Any] = []
        for place, name in enumerate(self.classes):
            of_class = wrong[self.truth == place]
            share = 100 * float(np.mean(of_class)) if len(of_class) else float('nan')
            rows.append([name, len(of_class), share])
        rows += [tables.SEPARATOR, ['all classes', len(wrong), self.score]]
        return tables.grid(rows, ['class', 'samples', 'wrong [%]'], form)

    def to_json(self) -> dict[str, Any]:
        """Conditions and averages."""
        return {'protocol': dict(self.conditions), **self.scores}


def classes_scorer(classes: tuple[str, ...]) -> Scorer[ClassesResult]:
    """Scores predictions 'logits' [B, K] of these K classes against `Batch.label`."""

    def truth(batch: Batch) -> dict[str, Array]:
        return {'label': batch.label}

    def result(
        outputs: Mapping[str, np.ndarray],
        labels: Mapping[str, np.ndarray],
        conditions: Mapping[str, Any],
    ) -> ClassesResult:
        del labels
        logits: Float[np.ndarray, 'N K'] = outputs['logits']
        if len(logits) == 0:
            raise UserError('the split holds no sample to evaluate; choose another split')
        if not np.isfinite(logits).all():
            raise UserError('the network gives logits that are not finite; use another checkpoint')
        return ClassesResult(
            predicted=np.argmax(logits, axis=-1),
            truth=outputs['label'],
            classes=classes,
            conditions={**conditions, 'samples': len(logits), 'classes': len(classes)},
        )

    return Scorer(truth, result)
