"""How programs are compiled: the options of the backend at hand."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

# On CPUs XLA hands convolutions, and groups of operations around a matrix product, to YNNPACK. Its
# convolutions run on one core, and the groups keep sampling from being one loop: without them
# HRNet-W32 takes 0.8 of the time on a crop, and a lifter's forward pass of 64 people 0.6. Matrix
# products alone are faster with YNNPACK, except those of few rows and large weights.
_OPTION = 'xla_cpu_experimental_ynn_fusion_type'
CPU_OPTIONS = {_OPTION: 'LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT'}
CPU_OPTIONS_OF_FEW_ROWS = {_OPTION: ''}  # YNNPACK off


@functools.cache
def compiler_options(few_rows: bool = False) -> dict[str, str]:
    """Options for `jax.jit` on the default backend; none where this JAX does not know them.

    Starts the backend: call it only after processes have joined.

    Args:
      few_rows: whether the program's matrix products may be of few rows, as one person's are.
    """
    if jax.default_backend() != 'cpu':
        return {}
    options = CPU_OPTIONS_OF_FEW_ROWS if few_rows else CPU_OPTIONS
    try:
        jax.jit(jnp.negative, compiler_options=options)(0.0)
    except jax.errors.JaxRuntimeError:  # an experimental option, which may go as it came
        return {}
    return options


def jit(
    function: Callable[..., Any], *, few_rows: bool = False, **arguments: Any
) -> Callable[..., Any]:
    """`jax.jit` with `compiler_options`, which are asked for at the first call.

    For programs called from outside of other programs: inside, jit takes no options. `jitted()`
    of the result is what jax.jit gave.
    """

    @functools.cache
    def jitted() -> Callable[..., Any]:
        return jax.jit(function, compiler_options=compiler_options(few_rows), **arguments)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return jitted()(*args, **kwargs)

    call.jitted = jitted
    return call
