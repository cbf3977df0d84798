"""Each trick of `backends/cpu`: a program with it and without it, in turns.

    python -m benchmarks.run tricks [--only=winograd+chunks]

The ratio says how many times as fast the program is with the trick. A trick that gains less than 3%
in its row is to be removed. Other backends have no tricks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import lifter as lifter_benchmark
from benchmarks.machine import Medians, Row, median_seconds, ready
from capf_jax.backends import programs
from capf_jax.backends.cpu import tricks
from capf_jax.errors import unknown
from capf_jax.models.detectors import catalog
from capf_jax.models.detectors.initial import random_variables
from capf_jax.models.lifter import Lifter

HEADER = ('what', 'ms', 'without, ms', 'ratio', '', '', 'note')
SECONDS = 3.0  # of measuring, a row
Program = Callable[[], object]


@dataclasses.dataclass(frozen=True)
class Case:
    """What a trick is measured in.

    Attributes:
      name: of the program.
      build: makes the program anew, traced with the tricks that are on at its first call.
    """

    name: str
    build: Callable[[], Program]


def _lifter(batch: int, gradients: bool) -> Case:
    """The paper's lifter, forward, or with the gradient of a mean joint error."""

    def build() -> Program:
        model = Lifter()
        inputs = lifter_benchmark.inputs(batch)
        random = np.random.default_rng(0)
        shapes = jax.eval_shape(model.init, jax.random.key(0), *inputs)
        variables = jax.tree.map(lambda x: random.normal(0, 0.05, x.shape).astype('f4'), shapes)

        def forward(variables: Any, *inputs: Any) -> jax.Array:
            return model.apply(variables, *inputs)[0]

        def loss(variables: Any, *inputs: Any) -> jax.Array:
            return jnp.linalg.norm(forward(variables, *inputs) + 1.0, axis=-1).mean()

        if gradients:
            return ready(jax.value_and_grad(loss), variables, *inputs)
        return ready(forward, variables, *inputs, few_rows=True)

    what = 'forward + backward' if gradients else 'forward'
    return Case(f'lifter {what}, batch {batch}', build)


def _detector(name: str, batch: int) -> Case:
    """A detector of the catalog with random weights, on crops of its size."""

    def build() -> Program:
        entry = catalog.get(name)
        model = entry.build(17)
        variables = random_variables(model, jax.random.key(0), entry.crop)
        variables = jax.tree.map(np.asarray, variables)
        images = np.random.default_rng(0).standard_normal((batch, *entry.crop, 3))

        def forward(variables: Any, images: jax.Array) -> Any:
            return model.apply(variables, images)

        return ready(forward, programs.prepared(variables), images.astype(np.float32))

    return Case(f'{name}, batch {batch}', build)


CASES = {
    'ynnpack': _lifter(64, gradients=True),
    'few_rows': _lifter(1, gradients=False),
    'wide_vectors': _lifter(64, gradients=True),
    'sampling': _lifter(64, gradients=True),
    'lanes': _lifter(64, gradients=True),
    'rows': _lifter(64, gradients=True),
    'few_tokens': _lifter(64, gradients=True),
    'sum_before_product': _lifter(64, gradients=True),
    'winograd': _detector('hrnet_w32', 1),
    'folding': _detector('hrnet_w32', 1),
    'chunks': _detector('hrnet_w32', 16),
    'relu_of_sum': _detector('hrnet_w32', 1),
    'pyramid': _detector('cpn50', 1),
    'depthwise': _detector('movenet_thunder', 1),
    'deconvolution': _detector('simplebaseline_resnet50', 1),
}


def rows(only: str = '') -> list[Row]:
    """A row for each trick.

    Args:
      only: names of tricks, joined by +; all by default.

    Raises:
      UserError: a name is not that of a trick.
    """
    names = only.split('+') if only else list(CASES)
    for name in names:
        if name not in CASES:
            raise unknown('--only', name, CASES)
    return [_row(name) for name in names] if jax.default_backend() == 'cpu' else []


def _row(name: str) -> Row:
    case = CASES[name]
    with_it = case.build()
    with_it()
    with tricks.without(name):
        without = case.build()
        without()  # the first call compiles, while the trick is off
    seconds: Medians = median_seconds({'with': with_it, 'without': without}, SECONDS)
    note = seconds.note('with', 'without')
    return Row(f'{name}: {case.name}', seconds['with'], seconds['without'], note=note)
