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
_YNNPACK = 'xla_cpu_experimental_ynn_fusion_type'
CPU_OPTIONS = {
    _YNNPACK: 'LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT',
    # Bits of a vector register, where the CPU has them; LLVM's own choice is 256. Sampling takes
    # 0.7 to 0.98 of the time, networks 0.97 to 1.01, on a CPU of 2024.
    'xla_cpu_prefer_vector_width': 512,
}
CPU_OPTIONS_OF_FEW_ROWS = {**CPU_OPTIONS, _YNNPACK: ''}  # YNNPACK off


@functools.cache
def compiler_options(few_rows: bool = False) -> dict[str, str | int]:
    """Options for `jax.jit` on the default backend, but for those that this JAX does not know.

    Starts the backend: call it only after processes have joined.

    Args:
      few_rows: whether the program's matrix products may be of few rows, as one person's are.
    """
    if jax.default_backend() != 'cpu':
        return {}
    options = CPU_OPTIONS_OF_FEW_ROWS if few_rows else CPU_OPTIONS
    return {name: value for name, value in options.items() if _is_known(name, value)}


def _is_known(name: str, value: str | int) -> bool:
    """Whether this JAX has an option; the experimental ones may go as they came."""
    try:
        jax.jit(jnp.negative, compiler_options={name: value})(0.0)
    except jax.errors.JaxRuntimeError:
        return False
    return True


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
